"""The whole of a hospital's made-up patients, Bundle by Bundle."""

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

from emr_demo.people.care import Visit, plan, window
from emr_demo.people.chart import Chart
from emr_demo.people.distributions import PREGNANT
from emr_demo.people.fhir import Resource
from emr_demo.people.hospital import HospitalProfile
from emr_demo.people.person import Person, draw_bands, draw_person
from emr_demo.people.pregnancy import Pregnancy, draw_pregnancy
from emr_demo.people.pregnancy import visits as pregnancy_visits
from emr_demo.people.pregnancy import write as write_pregnancy
from emr_demo.people.record import Recorder
from emr_demo.people.staff import House, house_bundle
from emr_demo.people.stories import shared_people, stories

_FIRST_SERIAL = 101


def generate(
    hospital: HospitalProfile, *, seed: int = 1, patients: int | None = None, today: date
) -> Iterator[Resource]:
    """FHIR R4 transaction Bundles: the hospital's own resources by PUT, then one Bundle for each patient.

    The same seed and day give the same bytes. `patients` counts those who are drawn (by default what the hospital's
    profile says); the hand-made ones and the people of both hospitals come on top.
    """
    yield house_bundle(hospital)
    for chart in charts(hospital, seed=seed, patients=patients, today=today):
        yield chart.bundle.finish()


def charts(hospital: HospitalProfile, *, seed: int = 1, patients: int | None = None, today: date) -> Iterator[Chart]:
    """The same patients before they become Bundles."""
    yield from stories(hospital, seed, today)
    yield from shared_people(hospital, seed, today)
    for rng, person in people(hospital, seed=seed, count=patients or hospital.patients, today=today):
        yield _chart(rng, person, House(hospital), today)


def people(hospital: HospitalProfile, *, seed: int, count: int, today: date) -> Iterator[tuple[Random, Person]]:
    """The drawn people, each with the generator that goes on to draw their visits."""
    bands = draw_bands(Random(f"{seed}:{hospital.slug}:bands"), count)
    for serial, band in enumerate(bands, _FIRST_SERIAL):
        rng = Random(f"{seed}:{hospital.slug}:{serial}")
        yield rng, draw_person(rng, hospital, serial, band=band, today=today)


def _chart(rng: Random, person: Person, house: House, today: date) -> Chart:
    visits, pregnancy = plan(rng, person, today), _pregnancy(rng, person, today)
    recorder = Recorder(rng, person, house, today)
    if pregnancy is not None:
        planned = pregnancy_visits(rng, pregnancy, today - timedelta(days=1))
        write_pregnancy(recorder, pregnancy, planned)
        visits = [visit for visit in visits if not _clashes(visit, planned)]
    return recorder.write(visits)


def _pregnancy(rng: Random, person: Person, today: date) -> Pregnancy | None:
    likely = person.female and 18 <= person.age(today) <= 40 and rng.random() < PREGNANT
    return draw_pregnancy(rng, *window(today)) if likely else None


def _clashes(visit: Visit, others: list[Visit]) -> bool:
    return any(visit.start.date() <= other.end.date() and other.start.date() <= visit.end.date() for other in others)
