"""What is asked of the record that holds the sample data; B1 also of every other hospital, evenly."""

import json
from collections.abc import Mapping

from emr.kernel.ids import uuid7
from tests.benchmarks.load import Request, sample
from tests.house import House

_TYPES = ("Patient", "Observation", "Condition", "Encounter", "MedicationRequest")


def ids(house: House, resource_type: str, slug: str = "hoa-sen") -> list[str]:
    """The ids of one type in a hospital."""
    schema = house.tenants[slug].schema
    rows = house.sql(f"SELECT id FROM {schema}.resources WHERE type = %s AND NOT deleted ORDER BY id", resource_type)
    return [row[0] for row in rows]


def reads(house: House) -> list[Request]:
    """B1: read one resource by id."""
    slugs = sorted(house.tenants.keys() - {"cau-vong"})
    return [
        (1 / len(slugs), "GET", f"/h/{slug}/fhir/{kind}/{each}", "-")
        for slug in slugs
        for kind in _TYPES
        for each in sample(ids(house, kind, slug), 400 if slug == "hoa-sen" else 40)
    ]


def asked(searches: dict[str, list[str]]) -> list[Request]:
    """B3, B5, B6: each search as often as every other."""
    return [(1 / len(paths), "GET", f"/h/hoa-sen/fhir/{path}", "-") for paths in searches.values() for path in paths]


def conditional(house: House) -> list[Request]:
    """B9: update by identifier, over a thousand identifiers that are there."""
    found: list[Request] = []
    with house.client() as client:
        for number in range(1_000):
            identifier = [{"system": "urn:emr:bench", "value": f"hot-{number}"}]
            body = {"resourceType": "Patient", "identifier": identifier, "name": [{"family": "Hot"}]}
            path = f"/Patient?identifier=urn:emr:bench|hot-{number}"
            client.put(path, json=body).raise_for_status()
            found.append((1, "PUT", f"/h/hoa-sen/fhir{path.replace('|', '%7C')}", _line(body)))
    return found


def everything(patients: list[str]) -> list[Request]:
    """B14: all about one patient."""
    return [(1, "GET", f"/h/hoa-sen/fhir/Patient/{each}/$everything", "-") for each in patients]


def mixed(house: House) -> list[Request]:
    """B2: create 10, read 60, update 25, delete 5 over five types."""
    found: list[Request] = []
    with house.client() as client:
        for kind in _TYPES:
            known = sample(ids(house, kind), 200)
            bodies = [client.get(f"/{kind}/{each}").json() for each in known[:60]]
            for body in bodies:
                own = {name: value for name, value in body.items() if name not in ("id", "meta", "identifier")}
                found.append((10 / len(bodies), "POST", f"/h/hoa-sen/fhir/{kind}", _line(own)))
                found.append((25 / len(bodies), "PUT", f"/h/hoa-sen/fhir/{kind}/{body['id']}", _line(body)))
            found += [(60 / len(known), "GET", f"/h/hoa-sen/fhir/{kind}/{each}", "-") for each in known]
            found += [
                (5 / 40, "DELETE", f"/h/hoa-sen/fhir/{kind}/{each}", "-") for each in _doomed(client, kind, bodies)
            ]
    return found


def _doomed(client: object, kind: str, bodies: list[dict[str, object]]) -> list[str]:
    """Resources made to be deleted: the first DELETE of each leaves a tombstone, later ones find nothing to do."""
    made: list[str] = []
    for number in range(40):
        name = uuid7()
        body = {key: value for key, value in bodies[number % len(bodies)].items() if key not in ("meta", "identifier")}
        answer = client.put(f"/{kind}/{name}", json=body | {"id": name})  # type: ignore[attr-defined]
        answer.raise_for_status()
        made.append(name)
    return made


def chart(house: House) -> list[Request]:
    """B4: what a patient's chart asks for, as six requests."""
    asked = (
        "Condition?patient={}&_count=50",
        "MedicationRequest?patient={}&status=active",
        "AllergyIntolerance?patient={}",
        "Observation?patient={}&category=laboratory&_sort=-date&_count=20",
        "Encounter?patient={}&_sort=-date&_count=20",
        "DocumentReference?patient={}&_count=20",
    )
    return [
        (1, "GET", "/h/hoa-sen/fhir/" + query.format(each), "-")
        for each in sample(ids(house, "Patient"), 60)
        for query in asked
    ]


def _line(body: Mapping[str, object]) -> str:
    return json.dumps(body, ensure_ascii=False)
