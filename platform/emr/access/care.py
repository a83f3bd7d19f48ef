"""Whose data a principal may see at all, beyond its role: what its transactions are told, if anything.

The policy itself is that of the views in `db.seen`. Most hospitals ask for nothing beyond roles, and machines, imports
and the platform's own work are bound by roles alone: for them there is no limit and no cost.
"""

from functools import lru_cache
from typing import Final

from emr.access.hours import outside_hours
from emr.access.labels import clearance
from emr.db.seen import Sight
from emr.identity.principal import Principal
from emr.kernel.clock import Clock
from emr.kernel.tenant import Access, Tenant

PERSON: Final = "subject:"
PRACTITIONER: Final = "practitioner:"
WARD: Final = "ward:"
AUTHOR: Final = "author:"


def sight_of(tenant: Tenant, principal: Principal, clock: Clock) -> Sight | None:
    """What the principal's transaction in this hospital is told; None when nothing is hidden from it."""
    access = tenant.access
    if principal.grant is not None:
        return _let_in(principal, clock)
    if access.windows and outside_hours(tenant, principal, clock()):
        return Sight(clock(), glass_only=True, grantees=(PERSON + principal.subject,))
    if principal.patient is None and (not access.kept or principal.kind != "person"):
        return None
    bound = principal.role in access.bound
    cleared, treating, unlabelled = clearance(access, principal.role, principal.clearances)
    if not bound and unlabelled and principal.patient is None:
        return None
    return Sight(
        now=clock(),
        everybody=not bound,
        unlabelled=unlabelled or principal.kind != "person",
        patient=principal.patient or "",
        own=(AUTHOR + principal.subject,),
        grantees=grantees(access, principal),
        cleared=cleared,
        treating=treating,
    )


def _let_in(principal: Principal, clock: Clock) -> Sight:
    """By a support grant: what is nobody's, one patient, or every patient; never what bears a label."""
    return Sight(clock(), everybody=principal.role == "support-chart", patient=principal.patient or "")


def grantees(access: Access, principal: Principal) -> tuple[str, ...]:
    """The names under which grants know a principal: its own, and where wards count those of its wards."""
    own = [PERSON + principal.subject]
    if principal.practitioner:
        own.append(PRACTITIONER + principal.practitioner)
    return (*own, *_wards(principal.wards)) if access.care == "ward" else tuple(own)


@lru_cache(maxsize=1_000)
def _wards(wards: frozenset[str]) -> tuple[str, ...]:
    return tuple(WARD + each for each in sorted(wards))
