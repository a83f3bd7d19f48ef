"""What takes several steps: our rows and the identity provider, in an order that leaves nothing half done.

Rights come last and go first: whoever is invited has an account in the organization before there is a membership, and
whoever leaves has no membership before the provider is told. Each step may be repeated; between steps no database
connection is held. When the provider does not answer, inviting is refused; leaving is not, and what remains to be done
is remembered.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from emr.administration import service
from emr.administration.policy import Invitation
from emr.identity.administration import Administered
from emr.identity.made_accounts import MadeAccounts
from emr.identity.memberships import Membership
from emr.identity.people import PASSWORD, SECOND_FACTOR, NewAccount
from emr.kernel.errors import Conflict, NotFound, Unavailable
from emr.work.visit import Visit


@dataclass(frozen=True, slots=True)
class Invited:
    """Somebody who is a member now.

    made: the account is new. mailed: Keycloak sent a link. password: to be handed over, shown once; "" for none.
    verified: the account's owner has proved to read the e-mail address.
    """

    subject: str
    name: str
    email: str = ""
    made: bool = False
    mailed: bool = False
    verified: bool = True
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """A line of a list and the members whom it names; `asker` is who made the list."""

    line: str
    members: Sequence[Membership]
    asker: str

    @property
    def member(self) -> Membership | None:
        """The one who is meant; None for nobody, for several, and for whoever asks."""
        one = self.members[0] if len(self.members) == 1 else None
        return None if one is None or one.subject == self.asker else one


async def invite(visit: Visit, at: Administered, wanted: Invitation) -> Invited:
    """Find or make the account, put it into the organization, make it a member, and let its owner in.

    Raises AlreadyMember, TooManyMembers, Conflict for an account that somebody else has closed, Unavailable.
    """
    async with visit.begin() as work:
        await service.begin_invitation(work)
    if not at.possible:
        async with visit.begin() as work:
            await service.add_member(work, wanted.subject, wanted.name, wanted.standing)
        return Invited(wanted.subject, wanted.name)
    made = MadeAccounts(visit.runtime.databases.directory, visit.runtime.clock)
    actions = _actions(wanted)
    account, is_new = await at.people.find_or_make(NewAccount(wanted.email, wanted.name, actions))
    if is_new:
        await made.made(account.subject, visit.tenant.id)
    elif not account.enabled:
        if not await made.is_ours(account.subject):
            raise Conflict("account-closed", "The account is closed at the identity provider.", location="email")
        await at.people.reopen(account.subject)
    await at.people.join(visit.tenant.organization_id or "", account.subject)
    async with visit.begin() as work:
        await service.add_member(work, account.subject, wanted.name, wanted.standing)
    await made.told(account.subject)
    mailed, password = await _let_in(at, account.subject, actions) if is_new else (False, "")
    return Invited(account.subject, wanted.name, account.email, is_new, mailed, account.verified, password)


async def deactivate(visit: Visit, at: Administered, subject: str) -> bool:
    """End a membership at once, then tell the provider; whether it knows. Raises NotForOneself, NotFound."""
    async with visit.begin() as work:
        left = await service.deactivate_member(work, subject)
    return await _tell(visit, at, left)


async def look_up(visit: Visit, at: Administered, lines: Sequence[str]) -> Sequence[Found]:
    """Who is meant by each line of a list of leavers: by e-mail address, account id or whole name."""
    async with visit.begin() as work:
        await service.list_members(work)
    addresses = [line for line in lines if "@" in line] if at.possible else []
    subjects = await at.people.find_all(addresses) if addresses else {}
    async with visit.begin() as work:
        found = await service.look_up(work, [subjects.get(line, line) for line in lines])
    return [Found(line, found[subjects.get(line, line)], visit.principal.subject) for line in lines]


async def deactivate_all(visit: Visit, at: Administered, subjects: Sequence[str]) -> Sequence[tuple[str, str]]:
    """End the memberships of a list, each by itself: subject, and `left`, `untold` or the code of a refusal."""
    outcomes: list[tuple[str, str]] = []
    for subject in subjects:
        try:
            outcomes.append((subject, "left" if await deactivate(visit, at, subject) else "untold"))
        except (Conflict, NotFound) as refusal:
            outcomes.append((subject, refusal.code))
    return outcomes


async def reactivate(visit: Visit, at: Administered, subject: str) -> None:
    """Open the account again if it is ours, put it back into the organization, then make it a member again."""
    async with visit.begin() as work:
        await service.get_member(work, subject)
        await service.begin_invitation(work)
    made = MadeAccounts(visit.runtime.databases.directory, visit.runtime.clock)
    if at.possible:
        if await made.is_ours(subject):
            await at.people.reopen(subject)
        await at.people.join(visit.tenant.organization_id or "", subject)
    async with visit.begin() as work:
        await service.reactivate_member(work, subject)
    await made.told(subject)


async def reset_password(visit: Visit, at: Administered, subject: str) -> Invited:
    """A new link or one-time password for an account of this hospital alone. Raises AccountElsewhere, Unavailable."""
    async with visit.begin() as work:
        member = await service.get_member(work, subject)
        people = at.people
        await service.may_reset(work, subject)
    mailed, password = await _let_in(at, subject, (PASSWORD,))
    await people.end_sessions(subject)
    return Invited(subject, member.name, mailed=mailed, password=password)


async def finish(visit: Visit, at: Administered) -> int:
    """Tell the provider what it was not told yet; how many accounts were closed. Raises Unavailable."""
    async with visit.begin() as work:
        waiting = await service.unfinished(work)
    for subject in waiting:
        await at.people.close(subject)
        await MadeAccounts(visit.runtime.databases.directory).told(subject)
    return len(waiting)


async def _tell(visit: Visit, at: Administered, left: service.Left) -> bool:
    if not at.possible:
        return True
    try:
        if left.close:
            await at.people.close(left.subject)
            await MadeAccounts(visit.runtime.databases.directory).told(left.subject)
        else:
            await at.people.leave(visit.tenant.organization_id or "", left.subject)
    except Unavailable:
        return False
    return True


async def _let_in(at: Administered, subject: str, actions: Sequence[str]) -> tuple[bool, str]:
    if await at.people.send_link(subject, actions):
        return True, ""
    return False, await at.people.one_time_password(subject)


def _actions(wanted: Invitation) -> tuple[str, ...]:
    """Who administers or watches over access sets up a second factor at the first sign-in."""
    strong = wanted.standing.role == "admin" or bool(wanted.standing.duties)
    return (PASSWORD, SECOND_FACTOR) if strong else (PASSWORD,)
