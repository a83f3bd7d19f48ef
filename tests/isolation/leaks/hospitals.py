"""Four hospitals that have the same ids: what is asked of one has another right answer in each of the others."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from emr.identity.principal import Principal, kind_of, system_principal
from emr.kernel.tenant import Tenant
from emr.records.entries import entries_of
from emr.records.transaction import transaction
from emr.work.runtime import Runtime, runtime
from emr.work.unit import unit_of_work
from emr_demo.postgres import Cluster
from tests.fhir.samples import Json, mark
from tests.house import House, house

SLUGS = ("an-binh", "binh-minh", "chi-lang", "dong-tam")
STRICT = frozenset({"binh-minh", "dong-tam"})
"""Those that show a doctor nobody but who is treated: their transactions run as a second role, by views."""
PEOPLE = 12
TREATED = 6
"""How many of them the doctor treats: the first ones."""
DOCTOR = "doctor"
_FILE = """\
slug: {slug}
name: Bệnh viện {slug}
facility_code: "8200{number}"
province: "79"
features: [outpatient, imaging, documents]
identity: {{organization: {slug}}}
dicom: {{ae_title: LEAKS{number}, peers: [{{ae_title: XRAY1, cidr: 127.0.0.0/8}}]}}
access: {{care_relationship: {care}}}
"""
_ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


@dataclass(frozen=True)
class Hospital:
    """One of them: `word` is in all of its resources and in nobody else's, `own` the id of a Patient only it has."""

    number: int
    tenant: Tenant
    word: str
    own: str

    @property
    def slug(self) -> str:
        return self.tenant.slug

    @property
    def strict(self) -> bool:
        return self.slug in STRICT

    @property
    def people(self) -> int:
        """How many patients it has, each hospital another number."""
        return PEOPLE + 1 + self.number

    def doctor(self) -> Principal:
        """A person, whose sight is limited where the hospital is strict."""
        subject = f"test:{DOCTOR}"
        return Principal(subject, self.word, "doctor", kind_of("doctor"), self.tenant.id, practitioner=DOCTOR)

    def system(self) -> Principal:
        """Somebody from whom nothing is hidden."""
        return system_principal("leaks", tenant_id=self.tenant.id)


@dataclass(frozen=True)
class Hospitals:
    """All of them, in one house."""

    house: House
    all: tuple[Hospital, ...]
    strangers: tuple[re.Pattern[bytes], ...]
    """For each hospital whatever names one of the others."""

    def others(self, than: Hospital) -> tuple[Hospital, ...]:
        return tuple(each for each in self.all if each is not than)

    def strangers_in(self, here: Hospital, told: bytes) -> list[str]:
        """Words and schemas of other hospitals that stand in what this one was told."""
        return sorted(each.decode() for each in set(self.strangers[here.number].findall(told)))

    def parts(self, *, size: int = 3, timeout_ms: int = 15_000, url: str = "") -> Runtime:
        """A runtime whose hospitals share `size` connections."""
        settings = self.house.settings
        # One hospital may hold them all: what waits for another is tested where pools are.
        small = {"pool_size": size, "pool_slices": 1, "pool_share": 100, "statement_timeout_ms": timeout_ms}
        if url:
            small |= {"url": url, "pooler": True}
        return runtime(
            settings.model_copy(update={"database": settings.database.model_copy(update=small)}),
        )


@contextmanager
def four_hospitals(cluster: Cluster, folder: Path) -> Iterator[Hospitals]:
    """The hospitals, filled; the doctor of each is the one whom its encounters name."""
    files = folder / "tenants"
    files.mkdir()
    for number, slug in enumerate(SLUGS):
        care = "encounter" if slug in STRICT else "open"
        (files / f"{slug}.yaml").write_text(_FILE.format(slug=slug, number=number, care=care), "utf-8")
    with house(cluster, folder, tenants=files) as made:
        made.sql("UPDATE directory.memberships SET practitioner = %s WHERE role = 'doctor'", DOCTOR)
        every = tuple(
            Hospital(number, made.tenants[slug], f"canary{mark()}", f"own-{mark()}")
            for number, slug in enumerate(SLUGS)
        )
        found = Hospitals(made, every, tuple(_strangers(every, each) for each in every))
        asyncio.run(_fill(found))
        yield found


async def _fill(found: Hospitals) -> None:
    parts = found.parts()
    await parts.open()
    try:
        for each in found.all:
            for part in _everything(each):
                entries = entries_of({"resourceType": "Bundle", "entry": part})
                async with unit_of_work(parts, each.tenant, each.system()) as work:
                    await transaction(work, entries)
    finally:
        await parts.close()


def _everything(here: Hospital) -> Iterator[list[Json]]:
    """Entries of one transaction after the other; the last one makes a second version of each patient."""
    people = [(f"p{number}", f"N{number}") for number in range(PEOPLE)]
    people += [(here.own, here.word), *((f"{here.word}-{number}", f"M{number}") for number in range(here.number))]
    patients = [_patient(here, *each) for each in people]
    doctor = {"resourceType": "Practitioner", "id": DOCTOR, "name": [{"family": here.word}]}
    yield [_put(each) for each in (doctor, *patients)]
    yield [_put(each) for number in range(PEOPLE) for each in (_visit(here, number), _result(here, number))]
    yield [_put(each | {"language": "vi"}) for each in patients]


def _patient(here: Hospital, key: str, number: str) -> Json:
    named: Json = {"name": [{"family": here.word, "given": ["Chung"]}]}
    numbered: Json = {"identifier": [{"system": "urn:leaks:number", "value": number}]}
    return {"resourceType": "Patient", "id": key, "gender": "female"} | named | numbered


def _visit(here: Hospital, number: int) -> Json:
    made: Json = {
        "resourceType": "Encounter",
        "id": f"e{number}",
        "status": "in-progress",
        "class": {"system": _ACT, "code": "IMP"},
        "subject": {"reference": f"Patient/p{number}", "display": here.word},
    }
    return made | (
        {"participant": [{"individual": {"reference": f"Practitioner/{DOCTOR}"}}]} if number < TREATED else {}
    )


def _result(here: Hospital, number: int) -> Json:
    return result(here, number, 0)


def result(here: Hospital, number: int, value: int) -> Json:
    """The observation of a patient, of which every hospital has one under this id."""
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "code": {"text": here.word},
        "subject": {"reference": f"Patient/p{number}"},
        "valueInteger": value,
    }


def _put(made: Json) -> Json:
    return {"resource": made, "request": {"method": "PUT", "url": f"{made['resourceType']}/{made['id']}"}}


def _strangers(every: tuple[Hospital, ...], here: Hospital) -> re.Pattern[bytes]:
    names = [name for each in every if each is not here for name in (each.word, each.own, each.tenant.schema)]
    return re.compile("|".join(names).encode())
