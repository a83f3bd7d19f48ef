"""What is asked, and what is made of the answers."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from emr.kernel.errors import NotFound
from emr.records.everything import Wanted, everything_about
from emr.records.history import Scope, Stretch, history
from emr.records.people import find_people
from emr.records.read import read, vread
from emr.records.search.find import Page, search, search_compartment, search_system
from emr.records.stored import Stored
from emr.records.update import update_resource
from emr.work.unit import UnitOfWork
from tests.isolation.leaks.hospitals import TREATED, Hospital, Hospitals, result

_ROWS: Final = "SELECT type, id, version, updated, deleted, patients, pk, body FROM resources"
_BY_ID: Final = _ROWS + " WHERE id = $1"
_BY_PK: Final = _ROWS + " WHERE pk = ANY ($1)"
_WHERE: Final = "SELECT current_user::text || ' ' || current_setting('search_path')"


@dataclass(frozen=True)
class Asked:
    """One question: who asks where, about which of the people, and of which other hospital."""

    here: Hospital
    other: Hospital
    number: int
    limited: bool

    @property
    def seen(self) -> bool:
        """Whether the one who asks may see this patient."""
        return not self.limited or self.number < TREATED

    @property
    def patients(self) -> int:
        """How many patients the one who asks may see."""
        return TREATED if self.limited else self.here.people


@dataclass
class Tally:
    """Probes by kind, and what was wrong with them; `lost`: units that a disturbance left without an answer."""

    probes: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    leaks: list[str] = field(default_factory=list)
    blind: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.probes.total()

    def count(self, found: Hospitals, asked: Asked, answer: tuple[str, bytes, bool]) -> None:
        """Look an answer through and count it: its kind, all that was told, and whether the hospital's own word has
        to be in it (without that, a question that finds nothing would prove nothing).
        """
        kind, told, shows = answer
        self.probes[kind] += 1
        strangers = found.strangers_in(asked.here, told)
        if strangers:
            self.leaks.append(f"{kind} at {asked.here.slug}: {strangers}")
        if shows != (asked.here.word.encode() in told):
            self.blind.append(f"{kind} at {asked.here.slug} about {asked.number}, limited: {asked.limited}")


Question = Callable[[UnitOfWork, Asked], Awaitable[bytes]]
_SEEN, _ALWAYS, _NEVER = "seen", "always", "never"


def bodies(*stored: Stored) -> bytes:
    return b"\n".join(b"%s %s" % (each.id.encode(), each.body) for each in stored)


def _page(page: Page) -> bytes:
    return bodies(*page.matches, *page.included)


async def _read(work: UnitOfWork, asked: Asked) -> bytes:
    return bodies(await read(work, "Patient", f"p{asked.number}"))


async def _read_theirs(work: UnitOfWork, asked: Asked) -> bytes:
    return bodies(await read(work, "Patient", asked.other.own))


async def _version(work: UnitOfWork, asked: Asked) -> bytes:
    return bodies(await vread(work, "Patient", f"p{asked.number}", "1"))


async def _history(work: UnitOfWork, asked: Asked) -> bytes:
    return bodies(*(await history(work, Scope("Observation", f"o{asked.number}"), Stretch(3))).versions)


async def _by_number(work: UnitOfWork, asked: Asked) -> bytes:
    pairs = [("identifier", f"urn:leaks:number|N{asked.number}"), ("_total", "accurate")]
    return _page(await search(work, "Patient", pairs))


async def _by_their_word(work: UnitOfWork, asked: Asked) -> bytes:
    page = await search(work, "Patient", [("family", asked.other.word), ("_total", "accurate")])
    return _page(page) if page.total == len(page.matches) else asked.other.word.encode()


async def _by_their_id(work: UnitOfWork, asked: Asked) -> bytes:
    return _page(await search(work, "Patient", [("_id", f"{asked.other.own},p{asked.number}")]))


async def _count(work: UnitOfWork, asked: Asked) -> bytes:
    """Each hospital has another number of patients: a wrong one is another's."""
    page = await search(work, "Patient", [("_summary", "count")])
    return (asked.here if page.total == asked.patients else asked.other).word.encode()


async def _compartment(work: UnitOfWork, asked: Asked) -> bytes:
    return _page(await search_compartment(work, ("Patient", f"p{asked.number}"), "*", []))


async def _include(work: UnitOfWork, asked: Asked) -> bytes:
    pairs = [("_id", f"o{asked.number}"), ("_include", "Observation:patient"), ("_revinclude", "Provenance:target")]
    return _page(await search(work, "Observation", pairs))


async def _chain(work: UnitOfWork, asked: Asked) -> bytes:
    return _page(await search(work, "Observation", [("subject:Patient.identifier", f"N{asked.number}")]))


async def _everywhere(work: UnitOfWork, asked: Asked) -> bytes:
    return _page(await search_system(work, [("_type", "Patient,Encounter"), ("_count", "4")]))


async def _everything(work: UnitOfWork, asked: Asked) -> bytes:
    every = await everything_about(work, "Patient", f"p{asked.number}", Wanted())
    rows = await work.db.fetch(_BY_PK, [each.pk for each in every.found])
    return bodies(*(Stored.of(row["type"], row) for row in rows))


async def _people(work: UnitOfWork, asked: Asked) -> bytes:
    return bodies(*await find_people(work, f"N{asked.number}"))


async def _statement(work: UnitOfWork, asked: Asked) -> bytes:
    rows = await work.db.fetch(_BY_ID, f"p{asked.number}")
    where: str = await work.db.fetchval(_WHERE)
    return bodies(*(Stored.of(row["type"], row) for row in rows)) + where.encode()


READS: Final[dict[str, tuple[Question, str]]] = {
    "read": (_read, _SEEN), "read-theirs": (_read_theirs, _NEVER), "version": (_version, _SEEN),
    "history": (_history, _SEEN), "number": (_by_number, _SEEN), "their-word": (_by_their_word, _NEVER),
    "their-id": (_by_their_id, _SEEN), "count": (_count, _ALWAYS), "compartment": (_compartment, _SEEN),
    "include": (_include, _SEEN), "chain": (_chain, _SEEN), "everywhere": (_everywhere, _ALWAYS),
    "everything": (_everything, _SEEN), "people": (_people, _SEEN), "statement": (_statement, _SEEN),
}  # fmt: skip


async def ask(work: UnitOfWork, asked: Asked, kind: str) -> tuple[str, bytes, bool]:
    """The kind, what was told, and whether the hospital's own word must be in it."""
    question, shows = READS[kind]
    try:
        told = await question(work, asked)
    except NotFound as refusal:
        told = str(refusal).encode()
    return kind, told, asked.seen if shows == _SEEN else shows == _ALWAYS


async def change(work: UnitOfWork, asked: Asked, value: int) -> tuple[str, bytes, bool]:
    """Store a new version with the hospital's word, and read it back in the same transaction."""
    changed = await update_resource(work, result(asked.here, asked.number, value))
    return "change", bodies(changed, await read(work, "Observation", f"o{asked.number}")), True
