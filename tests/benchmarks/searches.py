"""B3: thirty-six different searches, with values taken from the record itself so that each finds something."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from tests.benchmarks.load import sample

Json = dict[str, Any]

_EACH = 12
"""How many different requests are made of each search."""


@dataclass(frozen=True)
class Samples:
    """Some resources of each type that is asked for."""

    of: dict[str, list[Json]]

    def some(self, kind: str, fits: Callable[[Json], object] = bool) -> list[Json]:
        """Resources of a type that have what a search needs, the same each time."""
        found = [each for each in self.of[kind] if fits(each)]
        return sample(found, _EACH)


_KINDS = (
    "Patient", "Observation", "Condition", "Encounter", "MedicationRequest", "Procedure", "Immunization",
    "DiagnosticReport", "Practitioner", "Organization",
)  # fmt: skip


def samples(client: httpx.Client) -> Samples:
    """Up to 300 of each type."""
    found: dict[str, list[Json]] = {}
    for kind in _KINDS:
        page = client.get(f"/{kind}", params={"_count": 300}).raise_for_status().json()
        found[kind] = [entry["resource"] for entry in page.get("entry", ())]
    return Samples(found)


def searches(known: Samples) -> dict[str, list[str]]:
    """Name of each search to the paths that ask it, below the hospital's base."""
    made = {name: [_encoded(path) for path in paths] for name, paths in _searches(known)}
    assert len(made) == 36, len(made)
    assert all(made.values()), [name for name, paths in made.items() if not paths]
    return made


def _searches(known: Samples) -> Iterator[tuple[str, list[str]]]:
    yield from _of_patients(known)
    yield from _of_observations(known)
    yield from _of_care(known)
    yield from _across(known)


def _of_patients(known: Samples) -> Iterator[tuple[str, list[str]]]:
    people = known.some("Patient", lambda each: each.get("name") and each.get("birthDate") and each.get("identifier"))
    families = [each["name"][0]["family"] for each in people]
    yield "name", [f"Patient?name={family}" for family in families]
    yield "name contains", [f"Patient?name:contains={family[1:4]}&_count=20" for family in families]
    yield "family exact", [f"Patient?family:exact={family}" for family in families]
    yield (
        "family and given",
        [f"Patient?family={each['name'][0]['family']}&given={each['name'][0]['given'][0]}" for each in people],
    )
    yield "birth date", [f"Patient?birthdate={each['birthDate']}" for each in people]
    yield "birth year", [f"Patient?birthdate=ge{each['birthDate'][:4]}&_sort=birthdate&_count=20" for each in people]
    yield (
        "identifier",
        [
            f"Patient?identifier={each['identifier'][-1].get('system', '')}|{each['identifier'][-1]['value']}"
            for each in people
        ],
    )
    yield "gender, by age", [f"Patient?gender={each['gender']}&_sort=-birthdate&_count=20" for each in people]
    yield "city", [f"Patient?address-city={each['address'][0]['city']}&_count=20" for each in people]
    yield "several ids", [f"Patient?_id={','.join(one['id'] for one in people[:size])}" for size in range(1, _EACH)]
    yield "changed since", [f"Patient?_lastUpdated=gt{year}&_count=20" for year in range(2010, 2010 + _EACH)]
    yield "with problems", [f"Patient?_id={each['id']}&_revinclude=Condition:patient" for each in people]


def _of_observations(known: Samples) -> Iterator[tuple[str, list[str]]]:
    measured = known.some("Observation", lambda each: "valueQuantity" in each and each["valueQuantity"].get("code"))
    codes = [_code(each["code"]) for each in measured]
    yield "patient and code", [f"Observation?patient={_patient(each)}&code={_code(each['code'])}" for each in measured]
    yield "popular code", [f"Observation?code={code}&_count=20" for code in codes]
    yield "code since, by date", [f"Observation?code={code}&date=ge2012&_sort=-date&_count=20" for code in codes]
    yield "patient and category", [f"Observation?patient={_patient(each)}&category=vital-signs" for each in measured]
    yield (
        "value above",
        [
            f"Observation?code={_code(each['code'])}&value-quantity=gt{each['valueQuantity']['value']}&_count=20"
            for each in measured
        ],
    )
    yield (
        "code with value",
        [
            f"Observation?code-value-quantity={_code(each['code'])}$le{each['valueQuantity']['value']}&_count=20"
            for each in measured
        ],
    )
    yield (
        "systolic above",
        [
            f"Observation?component-code-value-quantity=http://loinc.org|8480-6$gt{most}&_count=20"
            for most in range(100, 100 + _EACH)
        ],
    )
    yield (
        "any of many codes",
        [
            f"Observation?patient={_patient(each)}&code={','.join(codes[: 2 + number])}&_count=20"
            for number, each in enumerate(measured)
        ],
    )
    yield "count of a code", [f"Observation?code={code}&_summary=count" for code in codes]


def _of_care(known: Samples) -> Iterator[tuple[str, list[str]]]:
    problems, visits = known.some("Condition"), known.some("Encounter")
    yield (
        "active problems",
        [f"Condition?code={_code(each['code'])}&clinical-status=active&_count=20" for each in problems],
    )
    yield "problems since", [f"Condition?patient={_patient(each)}&onset-date=gt2000" for each in problems]
    yield "problem in words", [f"Condition?code:text={_word(each)}&_count=20" for each in problems]
    yield (
        "visits with place",
        [f"Encounter?patient={_patient(each)}&date=ge2010&_include=Encounter:service-provider" for each in visits],
    )
    yield "visits of a class", [f"Encounter?class={each['class']['code']}&_sort=-date&_count=20" for each in visits]
    yield (
        "medicines with doctor",
        [
            f"MedicationRequest?patient={_patient(each)}&_include=MedicationRequest:requester"
            for each in known.some("MedicationRequest")
        ],
    )
    yield "procedures since", [f"Procedure?patient={_patient(each)}&date=ge2005" for each in known.some("Procedure")]
    yield (
        "vaccine of a patient",
        [
            f"Immunization?patient={_patient(each)}&vaccine-code={_code(each['vaccineCode'])}"
            for each in known.some("Immunization")
        ],
    )
    yield (
        "reports with results",
        [
            f"DiagnosticReport?patient={_patient(each)}&_include=DiagnosticReport:result&_count=10"
            for each in known.some("DiagnosticReport")
        ],
    )
    yield "how many bills", [f"Claim?patient={_patient(each)}&_summary=count" for each in problems]


def _across(known: Samples) -> Iterator[tuple[str, list[str]]]:
    people = known.some("Patient", lambda each: each.get("name"))
    measured, problems = known.some("Observation"), known.some("Condition")
    places = known.some("Organization", lambda each: each.get("name", "").replace(" ", "").isalnum())
    yield (
        "observations of a name",
        [f"Observation?subject:Patient.family={each['name'][0]['family']}&_count=20" for each in people],
    )
    yield (
        "code of the old",
        [f"Observation?patient.birthdate=lt1950&code={_code(each['code'])}&_count=20" for each in measured],
    )
    yield "visits at a place", [f"Encounter?service-provider.name={each['name']}&_count=20" for each in places]
    yield (
        "patients with a result",
        [f"Patient?_has:Observation:patient:code={_code(each['code'])}&_count=20" for each in measured],
    )
    yield (
        "patients with a problem",
        [f"Patient?_has:Condition:patient:code={_code(each['code'])}&_count=20" for each in problems],
    )


def _patient(resource: Json) -> str:
    found: str = (resource.get("subject") or resource.get("patient"))["reference"].rpartition("/")[2]  # type: ignore[index]
    return found


def _code(concept: Json) -> str:
    coding = concept["coding"][0]
    return f"{coding['system']}|{coding['code']}"


def _word(problem: Json) -> str:
    text: str = problem["code"].get("text") or problem["code"]["coding"][0]["display"]
    return random.Random(len(text)).choice([word for word in text.split() if word.isalpha()] or ["a"])


def _encoded(path: str) -> str:
    kind, _, query = path.partition("?")
    return f"{kind}?" + "&".join(
        f"{name}={quote(value, safe=':/,$-.')}" for name, _, value in (pair.partition("=") for pair in query.split("&"))
    )


def lists(known: Samples) -> dict[int, list[str]]:
    """B6: OR lists of 1 to 113 codes of one patient's observations."""
    codes = list(dict.fromkeys(_code(each["code"]) for each in known.of["Observation"]))
    asked = sample(known.of["Observation"], _EACH)
    many = [*codes, *(f"http://loinc.org|{number}-0" for number in range(10_000, 10_113))]
    return {
        size: [_encoded(f"Observation?patient={_patient(each)}&code={','.join(many[:size])}") for each in asked]
        for size in (1, 8, 40, 113)
    }
