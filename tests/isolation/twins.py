"""Two hospitals that are the same but for what one of them hides: every kind of resource with a value for each of its
search parameters, once about somebody whom the doctor treats, and in one hospital once more about somebody else.
"""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from emr.db.seen import NOBODYS
from emr.definitions import model
from emr.definitions.compartment import in_patient_compartment, patients_of
from emr.definitions.routes import Target
from emr.definitions.search import SearchParameter, parameters
from emr.definitions.validate import validate
from emr.identity.principal import system_principal
from emr.kernel import json
from emr.records.entries import entries_of
from emr.records.transaction import transaction
from emr.work.runtime import runtime
from emr.work.unit import Request, unit_of_work
from emr_demo.postgres import Cluster
from tests.conformance.reference.evaluator import Held, Reference
from tests.conformance.reference.minimal import minimal, place, plant
from tests.conformance.reference.values import Asking
from tests.conformance.test_every_parameter import asked, checked, made_of, resource_for
from tests.house import House, house

Json = dict[str, Any]
HIDES, PLAIN = "hides", "plain"
SEEN, HIDDEN = "target-patient", "hidden-patient"
DOCTOR = "target-practitioner"
FILE = """\
slug: {slug}
name: Bệnh viện Sinh Đôi
facility_code: "{code}"
province: "79"
features: [outpatient, imaging, documents]
identity: {{organization: {slug}}}
access: {access}
"""
STRICT = "{care_relationship: encounter}"
_REFERENCE = re.compile(r'"([A-Z][A-Za-z]+)/target-([a-z]+)"')
_STARTED = datetime(2026, 10, 1, 1, tzinfo=UTC)
_CHUNK = 60


@dataclass(frozen=True)
class Twin:
    """One parameter's resource about the one who is treated, and the same about somebody who is not (None: it would
    concern nobody, so nothing hides it)."""

    type: str
    parameter: SearchParameter
    seen: Json
    hidden: Json | None

    def questions(self) -> Iterator[str]:
        """Values that would find each of the two."""
        found = [finding(self.parameter, each) for each in (self.seen, self.hidden) if each is not None]
        yield from dict.fromkeys(each for each in found if each is not None)


def finding(parameter: SearchParameter, resource: Json) -> str | None:
    """What finds a resource by its parameter; None when it has no value for it."""
    held = {(parameter.type, parameter.name): Held(resource, _STARTED)}
    try:
        return made_of(parameter.type, parameter, Reference(held, Asking(_STARTED, "", {}, {}, {}))).hit
    except (IndexError, AssertionError):
        return None


@contextmanager
def twin_hospitals(cluster: Cluster, folder: Path, access: str = STRICT) -> Iterator[House]:
    """Both hospitals, empty; the doctor of each is the one whom the resources name."""
    files = folder / "tenants"
    files.mkdir()
    for number, slug in enumerate((HIDES, PLAIN)):
        text = FILE.format(slug=slug, code=f"8100{number}", access=access)
        (files / f"{slug}.yaml").write_text(text, "utf-8")
    with house(cluster, folder, tenants=files) as made:
        made.sql("UPDATE directory.memberships SET practitioner = %s WHERE role = 'doctor'", DOCTOR)
        yield made


def every_twin() -> list[Twin]:
    """For each search parameter of each type that is not nobody's."""
    return [
        _twin(type_, each)
        for type_, each in asked()
        if type_ not in NOBODYS and type_ not in ("Patient", "Encounter", "Subscription")
    ]


def _twin(type_: str, parameter: SearchParameter) -> Twin:
    alone = resource_for(type_, parameter) | {"id": parameter.name}
    made = _about(type_, alone)
    made = alone if finding(parameter, made) is None else made
    hidden = _hidden(made)
    return Twin(type_, parameter, made, hidden if _tells(made, hidden) else None)


def _tells(made: Json, hidden: Json) -> bool:
    """Whether the second has anything to do with what is hidden, or is its author's own."""
    return hidden != {**made, "id": hidden["id"]} or made["resourceType"] in ("Binary", "Bundle")


def _about(type_: str, made: Json) -> Json:
    """The same naming a patient, where its type can."""
    if not in_patient_compartment(type_) or patients_of(type_, made):
        return made
    for name in model.content("compartments")["Patient"].get(type_, ()):
        found = parameters(type_).get(name)
        for route in found.routes if found else ():
            trial = checked(json.loads(json.dumps(made)))
            plant(trial, type_, replace(route, steps=(*route.steps, Target("Patient"))))
            parsed: Json = json.loads(json.dumps(trial))
            if not validate(parsed) and patients_of(type_, parsed):
                return parsed
    return made


def _hidden(made: Json) -> Json:
    def renamed(found: re.Match[str]) -> str:
        kind, name = found.groups()
        return f'"{kind}/{"hidden" if kind in strange_types() else "target"}-{name}"'

    text = _REFERENCE.sub(renamed, json.dumps(made).decode())
    value: Json = json.loads(text.encode())
    return value | {"id": f"h-{made['id']}"[:64]}


def targets() -> list[Json]:
    """What references lead to, one of each type, about the one who is treated where the type can be about anybody."""
    made = []
    for type_ in sorted(model.resource_types()):
        one = _about(type_, checked(minimal(type_)) | {"id": place(type_).partition("/")[2]})
        if type_ == "Encounter":
            one |= {"status": "in-progress", "participant": [{"individual": {"reference": f"Practitioner/{DOCTOR}"}}]}
        made.append(one)
    return made


def stranger(one: Json) -> Json:
    """The same about somebody who is not treated, by nobody that the doctor is."""
    hidden = _hidden(one)
    if one["resourceType"] == "Encounter":
        hidden.pop("participant")
    return hidden | {"id": one["id"].replace("target-", "hidden-")}


@cache
def strange_types() -> frozenset[str]:
    """Types whose target is about somebody, or refers to one that is."""
    texts = {each["resourceType"]: json.dumps(each).decode() for each in targets()}
    found = {"Patient"}
    while more := {
        type_
        for type_, text in texts.items()
        if type_ not in found | NOBODYS and any(kind in found for kind, _ in _REFERENCE.findall(text))
    }:
        found |= more
    return frozenset(found)


def strangers(first: list[Json]) -> list[Json]:
    """Of everything that can be about somebody, one about somebody else."""
    return [stranger(each) for each in first if each["resourceType"] in strange_types()]


def fill(made: House, twins: list[Twin]) -> None:
    """Store everything in both, at the same moments, and in one of them also what is to be hidden."""
    for slug in (HIDES, PLAIN):
        asyncio.run(_fill(made, slug, twins))


async def _fill(made: House, slug: str, twins: list[Twin]) -> None:
    parts = replace(runtime(made.settings), clock=lambda: now)
    now = _STARTED

    async def unguarded(_work: object, _draft: object) -> None:
        """Whether somebody may subscribe is not what this is about."""

    parts.guards["Subscription"] = unguarded
    await parts.open()
    try:
        for chunk in _chunks(twins, hides=slug == HIDES):
            now += timedelta(minutes=7)
            tenant = parts.registry.by_slug(slug)
            principal = system_principal("twins", tenant_id=tenant.id)
            async with unit_of_work(parts, tenant, principal, Request("twins")) as work:
                await transaction(work, entries_of({"resourceType": "Bundle", "entry": chunk}))
    finally:
        await parts.close()


def _chunks(twins: list[Twin], *, hides: bool) -> Iterator[list[Json]]:
    """Entries of one transaction after the other: made, some changed, some deleted."""
    first = targets()
    strange = strangers(first)
    yield [_put(each) for pair in ((*strange,) if hides else (), first) for each in pair]
    for begin in range(0, len(twins), _CHUNK):
        some = twins[begin : begin + _CHUNK]
        yield [_put(each) for twin in some for each in _both(twin, hides=hides)]
    changed = twins[::17]
    yield [_put({**each, "language": "vi"}) for twin in changed for each in _both(twin, hides=hides)]
    gone = twins[5::29]
    yield [_delete(each) for twin in gone for each in _both(twin, hides=hides)]


def _both(twin: Twin, *, hides: bool) -> list[Json]:
    return [each for each in (twin.hidden if hides else None, twin.seen) if each is not None]


def _put(made: Json) -> Json:
    return {"resource": made, "request": {"method": "PUT", "url": f"{made['resourceType']}/{made['id']}"}}


def _delete(made: Json) -> Json:
    return {"request": {"method": "DELETE", "url": f"{made['resourceType']}/{made['id']}"}}


def grant(made: House, slug: str, statement: str, *values: object) -> None:
    """Change the hospital's tables behind its back."""
    with psycopg.connect(made.cluster.url(role="postgres", database="emr"), autocommit=True) as connection:
        connection.execute(f"SET search_path TO {made.tenants[slug].schema}")
        connection.execute(statement, values)  # type: ignore[arg-type]  # constants of the tests
