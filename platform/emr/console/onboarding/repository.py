"""What the hospitals of the directory say and claim, as `emr_directory`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from emr.db.connection import Connection

_ALL: Final = "SELECT slug, definition, managed_by FROM directory.tenants"


@dataclass(frozen=True, slots=True)
class Known:
    """A hospital of the directory, as `tenancy.claims` looks at it."""

    slug: str
    definition: Mapping[str, Any]
    managed_by: str


async def read_definitions(directory: Connection) -> dict[str, Known]:
    """Every hospital, by slug."""
    rows = await directory.fetch(_ALL, name="onboarding.definitions")
    return {row["slug"]: Known(row["slug"], json.loads(row["definition"]), row["managed_by"]) for row in rows}
