"""Make the world as the files say: each hospital by itself, step by step, several at a time.

A step that is cut off, or that something beside the database refuses, is done by the next run: what is to be done is
looked up in the world and kept nowhere else. What fails at one hospital stops neither its later steps that do not need
it nor the other hospitals.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import psycopg
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from emr.db.migrate import owner_address
from emr.fleet.campaign import is_lock, reason_of
from emr.fleet.differences import Difference, compare, look, of_one
from emr.fleet.joining_steps import STEPS, Site
from emr.fleet.onboarding import MakeOrganization
from emr.kernel.errors import Invalid, Issue, Refusal, Unavailable
from emr.settings import Settings
from emr.tenancy.claims import clashes, owners_of
from emr.tenancy.definition import HospitalFile
from emr.work.faults import kill_points

_RECYCLE_SECONDS: Final = 20
"""A backend that has seen many schemas never gives the memory back: a connection is used so long and not longer."""
_ATTEMPTS: Final = 3
"""At a step that another transaction's lock held up: on a busy server four hospitals beside each other do that."""
_AGAIN: Final = "run emr tenants apply again; it goes on from here"
_MENDED_ELSEWHERE: Final = ("tables", "key", "revision", "unasked")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one hospital's differences. error: which step did not work, and why. after: what to do next."""

    slug: str
    kind: str
    error: str | None = None
    after: str = ""
    seconds: float = 0.0


Told = Callable[[Sequence[Outcome]], None]
Stepped = Callable[[str, str], None]
"""Hears of a step: its name, and `waiting`, `doing`, `done` or `failed`."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run goes on. parallel: hospitals at a time. told: hears of each hospital as it ends; total: of how
    many there are; stepped: of each step of one hospital. again: what is run once more after a failure.
    """

    parallel: int = 4
    told: Told = lambda _: None
    total: Callable[[int], None] = lambda _: None
    stepped: Stepped = lambda *_: None
    again: str = _AGAIN


def apply(settings: Settings, organizations: MakeOrganization, manner: Manner | None = None) -> list[Outcome]:
    """Do it; a second time changes nothing. Raises `FilesBroken`, before anything.

    A hospital that is in no file is left alone: leaving has its own command.
    """
    hospitals, found = compare(settings)
    by_slug = {hospital.slug: hospital for hospital in hospitals}
    wanted: dict[str, list[Difference]] = defaultdict(list)
    for difference in found:
        if difference.kind in STEPS or difference.kind == "create":
            wanted[difference.slug].append(difference)
    others = [each for each in found if each.kind in _MENDED_ELSEWHERE]
    manner = manner or Manner()
    manner.total(len(wanted))
    work = [(by_slug[slug], differences) for slug, differences in wanted.items()]
    outcomes = asyncio.run(_apply_all(settings, organizations, work, manner)) if work else []
    return outcomes + [Outcome(each.slug, each.kind, _words(each), each.does) for each in others]


def apply_one(
    settings: Settings, organizations: MakeOrganization, hospital: HospitalFile, manner: Manner
) -> Sequence[Outcome]:
    """Make one hospital that no file names yet, or what is left of it to be made.

    Raises `Invalid` by field for what is another hospital's, and for one that stands otherwise: nothing that stands is
    changed. Raises `Unavailable` where it cannot be seen how far it is.
    """
    world = look(settings, hospital.slug)
    found = list(of_one(hospital, world))
    faults = clashes(hospital.as_json(), world.rows, owners_of(world.rows))
    faults += [("slug", f"{hospital.slug} stands already, and otherwise") for each in found if each.kind == "change"]
    if faults:
        issues = tuple(Issue("hospital-taken", rule, field) for field, rule in faults)
        raise Invalid("hospital-taken", issues[0].message, location=issues[0].location, issues=issues)
    broken = [f"{each.kind}: {_words(each)}" for each in found if each.kind in _MENDED_ELSEWHERE]
    if world.unasked and hospital.slug in world.rows:
        broken.append(world.unasked)
    if broken:
        raise Unavailable("hospital-not-finished", "; ".join(broken))
    return asyncio.run(_apply_all(settings, organizations, [(hospital, found)], manner)) if found else []


async def _apply_all(
    settings: Settings,
    organizations: MakeOrganization,
    work: Sequence[tuple[HospitalFile, Sequence[Difference]]],
    manner: Manner,
) -> list[Outcome]:
    engine = create_engine(
        owner_address(settings.database.owner_url),
        pool_size=manner.parallel,
        pool_recycle=_RECYCLE_SECONDS,
        connect_args={"options": "-c lock_timeout=4s"},
    )
    threads = ThreadPoolExecutor(manner.parallel, thread_name_prefix="hospital")
    site = Site(settings, engine, threads, organizations, kill_points(settings))
    gate = asyncio.Semaphore(manner.parallel)

    async def one(hospital: HospitalFile, differences: Sequence[Difference]) -> list[Outcome]:
        async with gate:
            outcomes = await _settle(site, hospital, differences, manner)
        manner.told(outcomes)
        return outcomes

    try:
        done = await asyncio.gather(*(one(*each) for each in work))
    finally:
        await site.close()
        threads.shutdown()
        engine.dispose()
    return [outcome for each in done for outcome in each]


async def _settle(
    site: Site, hospital: HospitalFile, differences: Sequence[Difference], manner: Manner
) -> list[Outcome]:
    """One hospital. A new one is one difference, with all steps that a new one takes."""
    began = time.monotonic()
    first = differences[0]
    if first.kind == "create":
        steps = {name: first for name, step in STEPS.items() if step.of_new(hospital)}
        taken = await _take_steps(site, hospital, steps, manner.stepped)
        return [_outcome(hospital, "create", taken, manner.again, time.monotonic() - began)]
    by_kind = {name: each for name in STEPS for each in differences if each.kind == name}
    taken = await _take_steps(site, hospital, by_kind, manner.stepped)
    seconds = time.monotonic() - began
    return [_outcome(hospital, each.step, [each], manner.again, seconds) for each in taken]


@dataclass(frozen=True, slots=True)
class _Taken:
    """A step: what did not work, or what there is to say."""

    step: str
    error: str = ""
    note: str = ""


async def _take_steps(
    site: Site, hospital: HospitalFile, steps: Mapping[str, Difference], stepped: Stepped
) -> list[_Taken]:
    taken: list[_Taken] = []
    for name in steps:
        stepped(name, "waiting")
    for name, difference in steps.items():
        failed = {each.step for each in taken if each.error}
        waits = next((needed for needed in STEPS[name].needs if needed in failed), "")
        if waits:
            taken.append(_Taken(name, f"waits for {waits}"))
            continue
        stepped(name, "doing")
        taken.append(await _take(site, hospital, name, difference))
        stepped(name, "failed" if taken[-1].error else "done")
    return taken


async def _take(site: Site, hospital: HospitalFile, name: str, difference: Difference) -> _Taken:
    """One step; what somebody's lock held up is tried again."""
    left = _ATTEMPTS
    while True:
        left -= 1
        try:
            return _Taken(name, note=await STEPS[name].take(site, hospital, difference))
        except Refusal as refusal:
            return _Taken(name, refusal.message)
        except (SQLAlchemyError, psycopg.Error) as error:
            if not (left and is_lock(error)):
                return _Taken(name, reason_of(error))


def _outcome(hospital: HospitalFile, kind: str, taken: Sequence[_Taken], again: str, seconds: float) -> Outcome:
    failed = [each for each in taken if each.error]
    said = [each.note for each in taken if each.note]
    mend = dict.fromkeys(STEPS[each.step].mend for each in failed)
    after = "; ".join(said + ([f"{', '.join(mend)}, then {again}"] if mend else []))
    errors = "; ".join(f"{each.step}: {each.error}" for each in failed)
    return Outcome(hospital.slug, kind, errors or None, after, seconds)


def _words(difference: Difference) -> str:
    return "; ".join(str(stands or wanted) for stands, wanted in difference.fields.values())
