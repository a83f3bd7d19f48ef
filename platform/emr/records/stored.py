"""A version of a resource as it is kept and as it is answered."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Self

from emr.db.connection import Row
from emr.kernel import json
from emr.records.codec import unpack

_ID: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9.-]{1,64}", re.ASCII)


def is_id(text: str) -> bool:
    """Whether a resource may be called so (datatypes.html#id); what climbs in a path may not."""
    return _ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Stored:
    """One version. `body` is the complete JSON text with `id` and `meta`; empty for a deletion."""

    type: str
    id: str
    version: int
    last_updated: datetime
    body: bytes = field(repr=False)
    deleted: bool = False
    patients: tuple[str, ...] = ()
    pk: int = 0
    created: bool = False
    """Whether the verb that gave this made it (201) or found it (200)."""

    @classmethod
    def of(cls, resource_type: str, row: Row) -> Self:
        """From a row with the columns `pk id version updated deleted patients body`."""
        return cls(
            type=resource_type,
            id=row["id"],
            version=row["version"],
            last_updated=row["updated"],
            body=unpack(row["body"]),
            deleted=row["deleted"],
            patients=tuple(row["patients"]),
            pk=row["pk"],
        )

    def resource(self) -> dict[str, Any]:
        """The body as a dict, decimals as they were written."""
        return json.loads(self.body)
