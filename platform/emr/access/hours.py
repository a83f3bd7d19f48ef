"""Hours in which roles may work, where a hospital wants them (dispatch 365/TTYQG-GPQLCL, requirement 7).

A role that some window names may work within its windows only; one that none names, and machines, at any time.
"""

from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from emr.identity.principal import Principal
from emr.kernel.tenant import Tenant, Window

_DAY = timedelta(days=1)


def outside_hours(tenant: Tenant, principal: Principal, now: datetime) -> bool:
    """Whether the hospital keeps this principal out at this moment."""
    own = [each for each in tenant.access.windows if principal.role in each.roles]
    if not own or principal.kind != "person":
        return False
    local = now.astimezone(_zone(tenant.time_zone))
    return not any(_within(each, local) for each in own)


def _within(window: Window, local: datetime) -> bool:
    minute = local.hour * 60 + local.minute
    if window.begin < window.end:
        return local.weekday() in window.days and window.begin <= minute < window.end
    # Over midnight: the evening belongs to its own day, the morning to the day before.
    if minute >= window.begin:
        return local.weekday() in window.days
    return minute < window.end and (local - _DAY).weekday() in window.days


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
