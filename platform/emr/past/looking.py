"""Which past is meant, and what of a record somebody sees: what verbs and pages of this room share."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from emr.access.permissions import demand, sight
from emr.kernel.tenant import Tenant
from emr.records.comparing import Name, stored_under
from emr.tenancy.pasts import in_past
from emr.work.unit import UnitOfWork

PERMISSION: Final = "past:order"


async def past_of(work: UnitOfWork, past_id: str) -> Tenant:
    """The hospital as it was, for who may order. Raises `Forbidden`, `NotFound` where it is not open, or no longer."""
    demand(work.principal, PERMISSION)
    return await in_past(work.runtime.databases.directory, work.tenant, past_id, work.clock())


async def seen(work: UnitOfWork, names: Sequence[Name]) -> Mapping[Name, dict[str, Any]]:
    """The resources under these names, as far as one sees them, each named in the trail's row."""
    types = sight(work.principal)
    asked = [name for name in names if types is None or name[0] in types]
    found = {name: each for name, each in (await stored_under(work, asked)).items() if not each.deleted}
    for each in found.values():
        work.trail.concerns(*each.patients)
    return {name: each.resource() for name, each in found.items()}
