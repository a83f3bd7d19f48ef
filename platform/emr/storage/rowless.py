"""Objects that no row of `blobs` names: another table says what there is."""

from typing import Any


class Rowless:
    """Stands where a blob store has the connection of a unit of work; what is asked of `blobs` finds nothing."""

    async def execute(self, sql: str, /, *args: Any) -> None:
        """Keep no row."""
        del sql, args

    async def fetch(self, sql: str, /, *args: Any) -> list[Any]:
        """No row."""
        del sql, args
        return []
