"""How much of its quotas a hospital uses: members and storage. It is told before it stops anything."""

from dataclasses import dataclass
from typing import Final

from emr.administration.errors import TooManyMembers
from emr.identity.memberships import Membership, Memberships
from emr.identity.principal import HOSPITAL_ROLES
from emr.kernel.tenant import Level, level_of
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

_GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Share:
    """So much of so much; `most` is 0 where nothing limits it. Members, or GiB."""

    used: float
    most: int

    @property
    def level(self) -> Level:
        """Whether it is nearly or quite used up."""
        return level_of(self.used, self.most)


@dataclass(frozen=True, slots=True)
class Usage:
    """What one hospital uses."""

    users: Share
    storage: Share


@use_case("member:manage", "usage.read")
async def usage(work: UnitOfWork) -> Usage:
    """Members who may enter, and GiB of lasting content (a minute old at most)."""
    storage = round(await work.blobs.used() / _GIB, 1)
    return Usage(Share(await _users(work), work.tenant.quotas.users), Share(storage, work.tenant.quotas.storage_gib))


async def demand_room(work: UnitOfWork) -> None:
    """Raise `TooManyMembers` when nobody more may enter."""
    most = work.tenant.quotas.users
    if most and await _users(work) >= most:
        raise TooManyMembers(most)


async def _users(work: UnitOfWork) -> int:
    members = await Memberships(work.runtime.databases.directory).list_members(work.tenant.id)
    return sum(_counts(each, work) for each in members)


def _counts(member: Membership, work: UnitOfWork) -> bool:
    over = member.expires_at is not None and member.expires_at <= work.clock()
    return member.active and not over and member.role in HOSPITAL_ROLES
