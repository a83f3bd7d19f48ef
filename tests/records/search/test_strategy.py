"""Wherever a statement begins, it finds the same: rare conditions lead, popular ones are tested, orders are followed."""

import json
import random
import secrets
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

import pytest

from emr.records.create import create
from emr.records.errors import SearchRefused
from emr.records.search import strategy
from emr.records.search.find import matching, search
from emr.work.runtime import Runtime
from emr.work.unit import UnitOfWork, unit_of_work
from tests.house import HOA_SEN, House

pytestmark = pytest.mark.anyio

SYSTEM = f"urn:strategy:{secrets.token_hex(4)}"
QUESTIONS = (
    "Observation?code={s}|a",
    "Observation?code={s}|a,{s}|b,{s}|none",
    "Observation?code={s}|a&code={s}|b",
    "Observation?code=a&_tag={s}|t",
    "Observation?code=a,b&_tag={s}|t",
    "Observation?code=a&_tag=t&_sort=_lastUpdated&status=final&code={s}|",
    "Observation?code={s}:2|a",
    "Observation?code={s}:2|a,{s}|b",
    "Observation?code={s}:2|a&code={s}|a",
    "Observation?code={s}:2|a,b&_tag={s}|t",
    "Observation?_tag={s}|t&code:not={s}:2|a",
    "Observation?_tag={s}|t&code:not=a",
    "Patient?_has:Observation:patient:code={s}:2|a,{s}:2|b",
    "Observation?code={s}|a&_sort=_lastUpdated",
    "Observation?code={s}|a,{s}|b&_sort=-date",
    "Observation?code={s}|a,{s}|b&_sort=date",
    "Observation?code={s}|a,{s}|b&_sort=date,-value-quantity",
    "Observation?code={s}|a,{s}|b&_sort=-date,value-quantity",
    "Observation?code={s}|a,{s}|b&_sort=-date,-_id",
    "Observation?code={s}|a,{s}|b&_sort=value-quantity",
    "Observation?code={s}|a&status=final&date=ge2020",
    "Observation?code={s}|&code:not={s}|a",
    "Observation?code={s}|b&value-quantity=gt3",
    "Observation?code-value-quantity={s}|b$gt3",
    "Observation?code={s}|a&subject:Patient.gender=male",
    "Observation?subject:Patient.family=strategy",
    "Observation?patient.family=strategyx,strategyy&_sort=-date",
    "Observation?patient.birthdate=ge1990&code={s}|a",
    "Observation?patient.gender:not=male&code={s}|a",
    "Observation?patient.organization.name={s}&code={s}|a",
    "Observation?_tag={s}|&_lastUpdated=gt2020",
    "Observation?code:text=text",
    "Observation?date=lt2021&date:missing=false&code={s}|",
    "Patient?family=strategy",
    "Patient?family=strategy&_sort=family",
    "Patient?family=strategy&_sort=-family,birthdate",
    "Patient?family=strategy&_sort=birthdate,family",
    "Patient?family=strategy&_sort=-birthdate",
    "Patient?family=strategy&_sort=given",
    "Patient?family=strategy&_sort=-given",
    "Patient?family:contains=rategyx",
    "Patient?family=strategy&gender=male",
    "Patient?_has:Observation:patient:code={s}|a",
    "Patient?_has:Observation:patient:code={s}|a&_sort=family",
    "Patient?_has:Observation:patient:code={s}|b&gender=female",
    "Patient?organization.name={s}",
    "Organization?_has:Patient:organization:_has:Observation:patient:code={s}|a",
)


async def put(work: UnitOfWork, resource: dict[str, Any]) -> str:
    return (await create(work, resource["resourceType"], json.dumps(resource).encode())).id


async def fill(work: UnitOfWork) -> None:
    """Twelve people of two places, and seventy readings with equal dates, several dates, and none."""
    dice = random.Random(7)
    places = [await put(work, {"resourceType": "Organization", "name": f"{SYSTEM} {name}"}) for name in "AB"]
    people = []
    for number in range(12):
        person: dict[str, Any] = {
            "resourceType": "Patient",
            "name": [{"family": f"Strategy{dice.choice('xyz')}", "given": dice.sample(["Ân", "Bê", "Cô", "An"], 2)}],
            "managingOrganization": {"reference": f"Organization/{places[number % 2]}"},
            **({"gender": dice.choice(["male", "female"])} if number % 4 else {}),
            **({"birthDate": dice.choice(["1980", "1990-05", "1990-05-02"])} if number % 3 else {}),
        }
        if number % 5 == 0:
            person["name"].append({"family": "StrategyX"})
        people.append(await put(work, person))
    for _ in range(70):
        codes = [{"system": SYSTEM, "code": code} for code in dice.sample("ab", dice.choice([1, 1, 2]))]
        if dice.random() < 0.3:
            codes.insert(dice.choice([0, 1]), {"system": f"{SYSTEM}:2", "code": "a"})
        reading: dict[str, Any] = {
            "resourceType": "Observation",
            "meta": {"tag": [{"system": SYSTEM, "code": "t"}]},
            "status": dice.choice(["final", "preliminary"]),
            "code": {"coding": codes, "text": "Some text"},
            "subject": {"reference": f"Patient/{dice.choice(people)}"},
        }
        if dice.random() < 0.7:
            reading["effectiveDateTime"] = dice.choice(["2019", "2020-01-01", "2021-02-03T04:05:06Z"])
        if dice.random() < 0.7:
            reading["valueQuantity"] = {"value": dice.choice([1, 2.5, 4, 10]), "unit": "x"}
        await put(work, reading)


async def walked(work: UnitOfWork, question: str) -> list[str]:
    """The ids of all pages."""
    kind, _, query = question.format(s=SYSTEM).partition("?")
    pairs: Sequence[tuple[str, str]] = [*parse_qsl(query), ("_count", "7")]
    found: list[str] = []
    while pairs:
        page = await search(work, kind, pairs)
        found += [each.id for each in page.matches]
        pairs = [("_cursor", page.cursor)] if page.cursor else []
    return found


async def total(work: UnitOfWork, question: str) -> int | None:
    kind, _, query = question.format(s=SYSTEM).partition("?")
    page = await search(work, kind, [*parse_qsl(query), ("_summary", "count")])
    return page.total


class TestStart:
    async def test_every_way_finds_the_same_in_the_same_order(
        self, standing: House, parts: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tenant, who = standing.tenants[HOA_SEN], standing.principal("system")
        async with unit_of_work(parts, tenant, who) as work:
            await fill(work)
        async with unit_of_work(parts, tenant, who) as work:
            rare = {question: await walked(work, question) for question in QUESTIONS}
            counts = {question: await total(work, question) for question in QUESTIONS}
            monkeypatch.setattr(strategy, "PROBED_MOST", 1)
            popular = {question: await walked(work, question) for question in QUESTIONS}
            again = {question: await total(work, question) for question in QUESTIONS}
            monkeypatch.setattr(strategy, "_LISTS_MOST", 0)
            unlisted = {question: await walked(work, question) for question in QUESTIONS}
        for question in QUESTIONS:
            assert rare[question], question
            assert len(set(rare[question])) == len(rare[question]), question
            assert popular[question] == rare[question], question
            assert unlisted[question] == rare[question], question
            assert counts[question] == again[question] == len(rare[question]), question


class TestMatching:
    """http.html#ccreate: criteria of conditional verbs."""

    async def test_gives_at_most_what_is_asked(self, standing: House, parts: Runtime) -> None:
        name = secrets.token_hex(6)
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal("system")) as work:
            for _ in range(3):
                await put(work, {"resourceType": "Patient", "name": [{"family": name}]})
            assert len(await matching(work, "Patient", f"?family={name}", most=2, location="x")) == 2
            assert await matching(work, "Patient", f"family={name}&gender=male", most=2, location="x") == []

    @pytest.mark.parametrize(
        "query", ["", "_count=1", "family=a&_sort=family", "foo=1", "family:foo=1", "_cursor=x", "family=%ff"]
    )
    async def test_refuses_at_the_place_of_the_condition(self, standing: House, parts: Runtime, query: str) -> None:
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal("system")) as work:
            with pytest.raises(SearchRefused) as refusal:
                await matching(work, "Patient", query, most=2, location="If-None-Exist")
            assert refusal.value.location == "If-None-Exist"
