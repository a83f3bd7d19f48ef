"""The verbs on announcements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from emr.console.announcements import repository
from emr.kernel.errors import Invalid, Issue, NotFound, Refusal
from emr.kernel.ids import uuid7
from emr.tenancy.announcements import Announcement
from emr.work.department import DepartmentWork, department_use_case

KINDS: Final = ("notice", "maintenance")
LONGEST_TEXT: Final = 500
_LONGEST: Final = timedelta(days=31)
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be announced. hospitals: slugs; empty for all."""

    kind: str
    vi: str
    en: str
    since: datetime
    until: datetime
    hospitals: Sequence[str] = ()


@department_use_case("fleet:look", "announcements.shown")
async def announcements(work: DepartmentWork) -> Sequence[Announcement]:
    """Those that stand or are to come, then the past."""
    found = await repository.newest(work.db, work.clock(), _MOST)
    work.note(count=len(found))
    return found


@department_use_case("fleet:announce", "announcement.written")
async def announce(work: DepartmentWork, wanted: Wanted) -> Announcement:
    """Say something on hospitals' pages. Raises `Invalid`, naming each field."""
    now = work.clock()
    tenants, issues = _hospitals(work, wanted.hospitals)
    issues += _faults(wanted, now)
    if issues:
        raise Invalid("announcement-refused", issues[0].message, issues=tuple(issues))
    said = Announcement(
        id=uuid7(), kind=wanted.kind, vi=_plain(wanted.vi), en=_plain(wanted.en), since=wanted.since,
        until=wanted.until, hospitals=frozenset(tenants), written_by_name=work.principal.name, written_at=now,
    )  # fmt: skip
    await repository.add(work.db, said, work.principal.subject)
    work.note(announcement=said.id, kind=said.kind, until=said.until.isoformat(), hospitals=sorted(wanted.hospitals))
    return said


@department_use_case("fleet:announce", "announcement.ended")
async def end_announcement(work: DepartmentWork, key: str) -> None:
    """Take one back before its time. Raises `NotFound` for one that does not stand."""
    if not await repository.end(work.db, key, (work.clock(), work.principal.subject, work.principal.name)):
        raise NotFound("announcement-unknown", "No such announcement stands.")
    work.note(announcement=key)


def _hospitals(work: DepartmentWork, slugs: Sequence[str]) -> tuple[list[str], list[Issue]]:
    found, issues = [], []
    for slug in slugs:
        try:
            found.append(work.runtime.registry.by_slug(slug).id)
        except Refusal:
            issues.append(Issue("hospital-unknown", f"There is no hospital {slug[:64]}.", "hospitals"))
    return found, issues


def _faults(wanted: Wanted, now: datetime) -> list[Issue]:
    issues = []
    if wanted.kind not in KINDS:
        issues.append(Issue("kind-unknown", f"A kind is one of {', '.join(KINDS)}.", "kind"))
    for name, text in (("vi", wanted.vi), ("en", wanted.en)):
        if not 1 <= len(_plain(text)) <= LONGEST_TEXT:
            issues.append(Issue("text-length", f"A text has 1 to {LONGEST_TEXT} characters.", name))
    if not wanted.since < wanted.until <= wanted.since + _LONGEST:
        issues.append(Issue("span", f"It ends after it begins, at most {_LONGEST.days} days later.", "until"))
    elif wanted.until <= now:
        issues.append(Issue("span", "It would be over already.", "until"))
    return issues


def _plain(text: str) -> str:
    return " ".join(text.split())
