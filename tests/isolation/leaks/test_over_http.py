"""The same over real HTTP: machines and doctors of all hospitals at once, some of whom hang up in the middle."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import pytest

from tests.house import House, served
from tests.isolation.leaks.hospitals import TREATED, Hospital, Hospitals
from tests.isolation.leaks.kept import backends
from tests.patience import comes_true

PROBES, AT_ONCE = 1_200, 12
PATHS = (
    "fhir/Patient/p{n}", "fhir/Patient/p{n}/_history", "fhir/Patient/p{n}/_history/1", "fhir/Observation/o{n}",
    "fhir/Patient?identifier=urn:leaks:number|N{n}", "fhir/Observation?subject=Patient/p{n}&_include=Observation:subject",
    "fhir/Patient/p{n}/$everything", "patients/p{n}", "fhir/Encounter?patient=p{n}",
)  # fmt: skip
THEIRS = ("fhir/Patient/{own}", "fhir/Patient?family={word}", "patients/{own}", "dicomweb/studies?PatientName={word}*")
pytestmark = pytest.mark.timeout(600)


@dataclass
class Asked:
    """What came of it: probes, answers of another hospital, answers that do not show the own, and calls hung up."""

    probes: int = 0
    leaks: list[str] = field(default_factory=list)
    blind: list[str] = field(default_factory=list)
    hung_up: int = 0


@pytest.fixture(scope="module")
def live(lived_in: Hospitals) -> Iterator[House]:
    with served(lived_in.house) as made:
        yield made


@pytest.fixture(scope="module")
def asked(lived_in: Hospitals, live: House) -> Asked:
    tokens = {(each.slug, role): live.token(role, each.slug) for each in lived_in.all for role in ("his", "doctor")}

    async def run() -> Asked:
        found = Asked()
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client, asyncio.TaskGroup() as tasks:
            for number in range(AT_ONCE):
                tasks.create_task(_ask_on(lived_in, (client, tokens), random.Random(number), found))
        return found

    return asyncio.run(run())


async def _ask_on(
    hospitals: Hospitals, by: tuple[httpx.AsyncClient, dict[tuple[str, str], str]], chance: random.Random, found: Asked
) -> None:
    client, tokens = by
    while found.probes < PROBES:
        here = chance.choice(hospitals.all)
        path, shows = _path(hospitals, here, chance)
        kind = "text/html" if path.startswith("patients") else "*/*"
        role = "doctor" if kind == "text/html" or "dicomweb" in path else chance.choice(("his", "doctor"))
        headers = {"Authorization": f"Bearer {tokens[here.slug, role]}", "Accept": kind}
        address = f"{hospitals.house.url}/h/{here.slug}/{path}"
        if chance.random() < 0.06:
            found.hung_up += 1
            await _hang_up(address, headers, chance.random() * 0.02)
            continue
        answer = await client.get(address, headers=headers)
        found.probes += 1
        assert answer.status_code in (200, 204, 400, 403, 404), (path, answer.text)
        told = answer.content if shows else answer.content.replace(path.rpartition("=")[2].strip("*").encode(), b"")
        found.leaks += [f"{path} at {here.slug}: {each}" for each in hospitals.strangers_in(here, told)]
        if shows and here.word.encode() not in answer.content.lower():
            found.blind.append(f"{path} at {here.slug} as {role}: {answer.status_code}")


def _path(hospitals: Hospitals, here: Hospital, chance: random.Random) -> tuple[str, bool]:
    """What everybody of the hospital may see, and what nobody of it may; the second's question names what it asks for."""
    if chance.random() < 0.7:
        return chance.choice(PATHS).format(n=chance.randrange(TREATED)), True
    other = chance.choice(hospitals.others(here))
    return chance.choice(THEIRS).format(own=other.own, word=other.word), False


async def _hang_up(address: str, headers: dict[str, str], seconds: float) -> None:
    """Ask, and be gone before the answer."""
    parts = urlsplit(address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {parts.netloc}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    writer.write("\r\n".join((*lines, "", "")).encode())
    await asyncio.sleep(seconds)
    writer.transport.abort()
    del reader


def test_none_shows_what_is_another_hospitals(asked: Asked) -> None:
    assert asked.leaks == []
    assert asked.probes >= PROBES


def test_each_shows_what_is_the_hospitals_own(asked: Asked) -> None:
    assert asked.blind == []


def test_who_hangs_up_leaves_no_backend_behind(asked: Asked, lived_in: Hospitals) -> None:
    assert asked.hung_up > 20
    comes_true(lambda: not left_open(lived_in))
    assert left_open(lived_in) == []


def left_open(hospitals: Hospitals) -> list[tuple[str, str]]:
    return [each for each in backends(hospitals) if "idle in transaction" in each[0]]
