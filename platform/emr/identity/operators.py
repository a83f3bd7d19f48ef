"""Who works for the department: rows of `directory.operators`, which the service reads and nothing in it can change.

They are written by `emr operators`, as the owner of the tables (`emr.fleet.operators`): whoever could make an operator
through a page could see the whole fleet through it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, cast

from emr.db.pools import RolePool
from emr.identity.principal import Kind, Principal

_FIND: Final = "SELECT subject, role, kind, name FROM directory.operators WHERE subject = $1 AND active"


@dataclass(frozen=True, slots=True)
class Operator:
    """One person or machine of the department. role: of `DEPARTMENT_ROLES`; a machine is always an auditor."""

    subject: str
    role: str
    kind: Kind
    name: str

    def principal(self, known: Principal, *, strong: bool, authenticated_at: datetime | None) -> Principal:
        """The operator, as who is `known` by session or token."""
        return replace(
            known, name=self.name, role=self.role, kind=self.kind, strong=strong, authenticated_at=authenticated_at
        )


class Operators:
    """Reads operators as `emr_directory`."""

    def __init__(self, directory: RolePool) -> None:
        self._directory = directory

    async def find(self, subject: str) -> Operator | None:
        """The operator with this account; None when there is none, or no more."""
        async with self._directory.connection() as connection:
            row = await connection.fetchrow(_FIND, subject, name="operator.find")
        if row is None:
            return None
        return Operator(row["subject"], row["role"], cast("Kind", row["kind"]), row["name"])
