"""What is hidden from somebody might as well not be there: every interaction answers as where it never was."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx
import pytest

from emr_demo.postgres import temporary
from tests.house import House, served
from tests.isolation.twins import (
    DOCTOR,
    HIDDEN,
    HIDES,
    PLAIN,
    SEEN,
    Twin,
    every_twin,
    fill,
    strangers,
    targets,
    twin_hospitals,
)

Clients = tuple[httpx.Client, httpx.Client]
_MONTHS = "|".join(f"{datetime.now(UTC) + timedelta(days=later):%Y-%m}" for later in (0, 1))
_MADE_NOW = re.compile(rf'\\"(timestamp|lastUpdated)\\":\\"(?:{_MONTHS})-[^"]*"|urn:uuid:[0-9a-f-]+')
_CURSOR = re.compile(r"_cursor=[A-Za-z0-9_%.~-]+")


@pytest.fixture(scope="module")
def twins() -> list[Twin]:
    return every_twin()


@pytest.fixture(scope="module")
def pair(twins: list[Twin], tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with temporary() as cluster, twin_hospitals(cluster, tmp_path_factory.mktemp("twins")) as made:
        fill(made, twins)
        with served(made) as live:
            yield live


@pytest.fixture(scope="module")
def both(pair: House) -> Iterator[Clients]:
    with pair.client("doctor", HIDES) as first, pair.client("doctor", PLAIN) as second:
        yield first, second


def told(answer: httpx.Response, slug: str, *own: str) -> tuple[int, dict[str, str], str]:
    """An answer without what differs between any two: the request's id, the date, the hospital's name, cursors, and
    the ids that were asked for."""
    request = answer.headers["x-request-id"]
    headers = {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "date")}
    headers.pop("content-length", None)
    text = json.dumps([headers, answer.text]).replace(request, "REQUEST").replace(f"/h/{slug}", "/h/HERE")
    for each in own:
        text = text.replace(each, "OWN")
    headers, body = json.loads(_MADE_NOW.sub("NOW", _CURSOR.sub("_cursor=CURSOR", text)))
    return answer.status_code, headers, body


def pages(client: httpx.Client, slug: str, path: str) -> Iterator[tuple[int, dict[str, str], str]]:
    """An answer and all the pages that follow it."""
    address: str | None = "/" + path
    while address is not None:
        answer = client.get(address, timeout=120)
        yield told(answer, slug)
        links = answer.json().get("link", ()) if answer.status_code == 200 else ()
        address = next((each["url"] for each in links if each["relation"] == "next"), None)


def _get(path: str) -> dict[str, object]:
    return {"request": {"method": "GET", "url": path}}


def ask(both: Clients, queries: list[str]) -> list[str]:
    """The queries whose answers differ, as entries of batches."""
    different = []
    for begin in range(0, len(queries), 60):
        some = queries[begin : begin + 60]
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": [_get(each) for each in some]}
        answers = [
            json.loads(told(client.post("/", json=bundle, timeout=120), slug)[2])["entry"]
            for client, slug in zip(both, (HIDES, PLAIN), strict=True)
        ]
        different += [each for each, one, other in zip(some, *answers, strict=True) if one != other]
    return different


class TestEverySearchParameter:
    @pytest.mark.timeout(300)
    def test_finds_what_it_would_find_if_nothing_were_hidden(self, both: Clients, twins: list[Twin]) -> None:
        queries = [
            f"{each.type}?{each.parameter.name}={quote(value)}&_total=accurate&_count=3"
            for each in twins
            for value in each.questions()
        ]
        assert len(queries) > 1_000
        assert not ask(both, queries)

    @pytest.mark.timeout(300)
    def test_in_every_other_way_to_ask_it(self, both: Clients, twins: list[Twin]) -> None:
        """Each parameter in one of the ways that its kind allows, so that each way is asked of many."""
        queries = [ways[number % len(ways)] for number, each in enumerate(twins) if (ways := _ways(each))]
        assert len(queries) > 500
        assert not ask(both, queries)


def _ways(twin: Twin) -> list[str]:
    type_, name, kind = twin.type, twin.parameter.name, twin.parameter.kind
    counted = "_total=accurate&_count=4"
    ways = [f"{type_}?{name}:missing={said}&{counted}" for said in ("false", "true")]
    ways.append(f"{type_}?{name}:missing=false&_summary=count")
    if kind in ("date", "string", "number", "quantity"):
        ways += [f"{type_}?_sort={sign}{name}&{counted}" for sign in ("", "-")]
        ways.append(f"{type_}?_sort={name},-_lastUpdated&{counted}")
    if kind == "token":
        ways.append(f"{type_}?{name}:not=urn:nowhere|nothing&{counted}")
        ways.append(f"Patient?_has:{type_}:patient:{name}=made&{counted}")
    if kind == "reference":
        target = min(twin.parameter.targets or {"Patient"})
        ways.append(f"{type_}?{name}:{target}._lastUpdated=ge2000&{counted}")
        ways.append(f"{type_}?{name}:{target}._id=hidden-{target.lower()}&{counted}")
        ways.append(f"{type_}?_include={type_}:{name}&_count=20&_total=accurate")
        ways.append(f"{target}?_revinclude={type_}:{name}&{counted}")
        ways.append(f"{target}?_has:{type_}:{name}:_lastUpdated=ge2000&{counted}")
        ways.append(f"{target}?_has:{type_}:{name}:_id=h-{name}&{counted}")
    return ways


class TestEveryOtherQuestion:
    @pytest.mark.parametrize(
        "path",
        [
            "?_lastUpdated=ge2000&_total=accurate&_count=100",
            "?_type=Observation,Condition,Patient,Task,Binary,Provenance&_total=accurate&_count=50&_sort=-_lastUpdated",
            "Observation?_content=made&_total=accurate",
            "Observation?_content=mau&_total=accurate",
            "Patient?_text=mau&_total=accurate",
            "Patient?name=mau&_total=accurate",
            "Patient?identifier=made&_total=accurate",
            f"Patient?_id={HIDDEN},{SEEN}&_total=accurate",
            "Patient?_include=*&_revinclude=*&_count=5",
            "Observation?_include:iterate=Observation:patient&_revinclude:iterate=Provenance:target&_count=5",
            f"Observation?patient={HIDDEN}&_total=accurate",
            "Observation?subject:Patient.name=mau&_total=accurate&_count=4",
            "Observation?code-value-quantity=made$ge1&_total=accurate",
            "Observation?_list=target-list&_total=accurate",
            "Observation?_list=hidden-list&_total=accurate",
            f"Patient/{SEEN}/*?_total=accurate&_count=40",
            f"Patient/{SEEN}/Observation?_total=accurate",
            f"Patient/{HIDDEN}/Observation?_total=accurate",
            f"Patient/{HIDDEN}/*?_total=accurate",
            "Encounter/target-encounter/*?_total=accurate&_count=40",
            "Practitioner/target-practitioner/*?_total=accurate&_count=40",
            "Device/target-device/*?_total=accurate&_count=40",
            "_history?_count=100",
            "Observation/_history?_count=30",
            "Patient/_history",
            f"Patient/{SEEN}/_history",
            f"Patient/{HIDDEN}/_history",
            f"Patient/{SEEN}/$everything?_count=50",
            f"Patient/{HIDDEN}/$everything",
            "Patient/$everything?_count=100",
            "Encounter/target-encounter/$everything?_count=50",
            "Encounter/hidden-encounter/$everything",
            f"Observation/$lastn?subject=Patient/{SEEN}&max=3",
            f"Observation/$lastn?subject=Patient/{HIDDEN}&max=3",
            "$meta",
            "Observation/$meta",
            "Patient/$meta",
            f"Patient/{HIDDEN}/$meta",
            "Composition/target-composition/$document",
            "Composition/hidden-composition/$document",
            "ValueSet/$expand?url=http://example.org/made",
        ],
    )
    def test_and_every_page_of_its_answer(self, both: Clients, path: str) -> None:
        first, second = (list(pages(client, slug, path)) for client, slug in zip(both, (HIDES, PLAIN), strict=True))
        assert first == second
        assert HIDDEN not in json.dumps(first) or HIDDEN in path

    def test_of_whatever_is_hidden_is_a_random_ids(self, both: Clients, twins: list[Twin]) -> None:
        """Read, version, history, compartment: of everything that is hidden, in the same hospital."""
        hidden = [(each["resourceType"], each["id"]) for each in strangers(targets())]
        hidden += [(each.type, each.hidden["id"]) for each in twins if each.hidden is not None]
        assert len(hidden) > 500
        for form in ("{}/{}", "{}/{}/_history", "{}/{}/_history/1"):
            queries = [form.format(*each) for each in hidden]
            assert not ask(both, queries)
        client = both[0]
        for type_, key in hidden[::40]:
            for form in ("{}/{}", "{}/{}/_history", "{}/{}/_history/1", "{}/{}/$meta"):
                asked_, random = (client.get("/" + form.format(type_, each)) for each in (key, key + "0"))
                assert told(asked_, HIDES, key) == told(random, HIDES, key + "0"), (form, type_, key)
                assert asked_.status_code == 404


class TestWhatIsSeen:
    def test_is_all_that_concerns_the_one_who_is_treated(self, both: Clients, twins: list[Twin]) -> None:
        """Without this the hospitals might answer the same because nobody sees anything."""
        shown = [f"{each.type}/{each.seen['id']}" for each in twins if SEEN in json.dumps(each.seen, default=str)]
        assert len(shown) > 400
        for client in both:
            bundle = {"resourceType": "Bundle", "type": "batch", "entry": [_get(each) for each in shown]}
            answered = client.post("/", json=bundle, timeout=120).json()["entry"]
            codes = {each["response"]["status"][:3] for each in answered}
            assert codes == {"200", "410"}

    def test_is_everything_to_one_whom_no_relationship_binds(self, pair: House) -> None:
        with pair.client("archivist", HIDES) as client:
            assert client.get(f"/Patient/{HIDDEN}").status_code == 200
            assert client.get("/Patient?_summary=count").json()["total"] > 1


class TestWrites:
    def test_of_what_is_hidden_are_refused_as_of_a_random_id_and_change_nothing(
        self, both: Clients, pair: House
    ) -> None:
        before, client = pair.counts(HIDES), both[0]
        patch = [{"op": "add", "path": "/language", "value": "vi"}]
        for method, form, body in (
            ("PATCH", "Patient/{}", patch),
            ("DELETE", "Observation/{}", None),
            ("POST", "Patient/{}/$meta-add", {"resourceType": "Parameters"}),
            ("POST", "Observation", {**_NOTE, "subject": {"reference": "Patient/{}"}}),
        ):
            answers = []
            for key in (HIDDEN, "h-status") if "Observation/" not in form else ("h-code", "h-none"):
                content = json.dumps(body).replace("{}", key)
                headers = {"Content-Type": "application/json-patch+json" if method == "PATCH" else "application/json"}
                answer = client.request(method, "/" + form.format(key), content=content, headers=headers)
                answers.append(told(answer, HIDES, key))
            assert answers[0] == answers[1], (method, form)
        assert pair.counts(HIDES) == before

    def test_under_an_id_that_something_hidden_has_are_a_conflict(self, both: Clients, pair: House) -> None:
        before, client = pair.counts(HIDES), both[0]
        answer = client.put(f"/Patient/{HIDDEN}", json={"resourceType": "Patient", "id": HIDDEN})
        assert answer.status_code == 409
        assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "id-held"
        assert pair.counts(HIDES) == before

    def test_about_the_one_who_is_treated_are_kept_and_journalled(self, both: Clients, pair: House) -> None:
        client, schema = both[0], pair.tenants[HIDES].schema
        answer = client.post("/Observation", json={**_NOTE, "subject": {"reference": f"Patient/{SEEN}"}})
        assert answer.status_code == 201
        key = answer.json()["id"]
        assert pair.sql("SELECT count(*) FROM cell.outbox WHERE tenant = %s AND id = %s", schema, key) == [(1,)]
        changed = client.put(f"/Observation/{key}", json={**answer.json(), "language": "vi"})
        assert changed.status_code == 200
        assert client.delete(f"/Observation/{key}").status_code == 204
        assert client.get(f"/Observation/{key}").status_code == 410
        assert client.get(f"/Observation/{key}/_history").json()["total"] == 3

    def test_a_patient_that_somebody_registers_is_theirs_to_see(self, both: Clients) -> None:
        made = both[0].post("/Patient", json={"resourceType": "Patient", "name": [{"family": "Mới"}]})
        assert made.status_code == 201
        assert both[0].get(f"/Patient/{made.json()['id']}").status_code == 200

    def test_a_patient_whose_data_one_does_not_see_is_not_deleted_for_it(self, both: Clients, pair: House) -> None:
        made = both[0].post("/Patient", json={"resourceType": "Patient"}).json()
        with pair.client("lab", HIDES) as lab:
            note = {**_NOTE, "subject": {"reference": f"Patient/{made['id']}"}}
            assert lab.post("/Observation", json=note).status_code == 201
        assert both[0].delete(f"/Patient/{made['id']}").status_code == 409


class TestACareRelationship:
    def test_lapses_with_its_grace_and_comes_with_a_new_encounter(self, both: Clients, pair: House) -> None:
        with pair.client("his", HIDES) as his:
            person = his.post("/Patient", json={"resourceType": "Patient"}).json()["id"]
            assert both[0].get(f"/Patient/{person}").status_code == 404
            visit = {**_VISIT, "subject": {"reference": f"Patient/{person}"}}
            visit = his.post("/Encounter", json=visit).json()
            assert both[0].get(f"/Patient/{person}").status_code == 200
            over = {**visit, "status": "finished", "period": {"start": "2026-11-01", "end": "2026-11-20"}}
            assert his.put(f"/Encounter/{visit['id']}", json=over).status_code == 200
            assert both[0].get(f"/Patient/{person}").status_code == 200, "within the days of grace"
            over["period"] = {"start": "2025-11-01", "end": "2025-11-02"}
            assert his.put(f"/Encounter/{visit['id']}", json=over).status_code == 200
            assert both[0].get(f"/Patient/{person}").status_code == 404
            wrong = {**over, "status": "entered-in-error"}
            assert his.put(f"/Encounter/{visit['id']}", json=wrong).status_code == 200
            assert both[0].get(f"/Encounter/{visit['id']}").status_code == 404


_NOTE = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
_VISIT = {
    "resourceType": "Encounter",
    "status": "in-progress",
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
    "participant": [{"individual": {"reference": f"Practitioner/{DOCTOR}"}}],
}
