"""What is asked: B1, B2, B4 over the record of one hospital that holds the sample data."""

import json

from emr.kernel.ids import uuid7
from tests.benchmarks.load import Request, sample
from tests.house import House

_TYPES = ("Patient", "Observation", "Condition", "Encounter", "MedicationRequest")


def ids(house: House, resource_type: str) -> list[str]:
    """The ids of one type in the hospital."""
    schema = house.tenants["hoa-sen"].schema
    rows = house.sql(f"SELECT id FROM {schema}.resources WHERE type = %s AND NOT deleted ORDER BY id", resource_type)
    return [row[0] for row in rows]


def reads(house: House) -> list[Request]:
    """B1: read one resource by id."""
    return [
        (1, "GET", f"/h/hoa-sen/fhir/{kind}/{each}", "-") for kind in _TYPES for each in sample(ids(house, kind), 400)
    ]


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


def _line(body: dict[str, object]) -> str:
    return json.dumps(body, ensure_ascii=False)
