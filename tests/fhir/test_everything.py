"""`$everything` (patient-operation-everything.html, encounter-operation-everything.html)."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.fhir.samples import FHIR, Json, ids, made, mark, next_link, observation, patient, refusal
from tests.house import HOA_SEN, House


@dataclass
class Record:
    """One patient with an encounter, facts in and outside of it, and those who took part; and a stranger."""

    patient: str
    stranger: str
    encounter: str
    inside: str
    outside: str
    condition: str
    organization: str
    practitioner: str
    role: str
    unrelated: str

    @property
    def members(self) -> set[str]:
        return {self.patient, self.encounter, self.inside, self.outside, self.condition}

    @property
    def supporting(self) -> set[str]:
        return {self.organization, self.practitioner, self.role}


@pytest.fixture(scope="module")
def reader(live: House) -> Iterator[httpx.Client]:
    with live.client() as client:
        yield client


@pytest.fixture(scope="module")
def record(reader: httpx.Client) -> Record:
    organization = made(reader, {"resourceType": "Organization", "name": mark()})["id"]
    unrelated = made(reader, {"resourceType": "Organization", "name": mark()})["id"]
    practitioner = made(reader, {"resourceType": "Practitioner", "name": [{"family": mark()}]})["id"]
    role = made(
        reader,
        {
            "resourceType": "PractitionerRole",
            "practitioner": {"reference": f"Practitioner/{practitioner}"},
            "organization": {"reference": f"Organization/{organization}"},
        },
    )["id"]
    stranger = made(reader, patient())["id"]
    own = made(reader, patient(link=[{"other": {"reference": f"Patient/{stranger}"}, "type": "seealso"}]))["id"]
    encounter = made(
        reader,
        {
            "resourceType": "Encounter",
            "status": "finished",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "subject": {"reference": f"Patient/{own}"},
            "participant": [{"individual": {"reference": f"PractitionerRole/{role}"}}],
            "period": {"start": "2024-05-01T08:00:00+07:00", "end": "2024-05-01T09:00:00+07:00"},
        },
    )["id"]
    condition = made(
        reader,
        {"resourceType": "Condition", "subject": {"reference": f"Patient/{own}"}, "onsetDateTime": "2019-01-01"},
    )["id"]
    inside = made(
        reader,
        observation(
            own,
            encounter={"reference": f"Encounter/{encounter}"},
            effectiveDateTime="2024-05-01T08:30:00+07:00",
            focus=[{"reference": f"Condition/{condition}"}],
        ),
    )["id"]
    outside = made(reader, observation(own, effectiveDateTime="2025-01-01"))["id"]
    made(reader, observation(stranger))
    return Record(own, stranger, encounter, inside, outside, condition, organization, practitioner, role, unrelated)


def asked(client: httpx.Client, address: str) -> Json:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def shown(bundle: Json) -> set[str]:
    listed = [each["resource"]["id"] for each in bundle.get("entry", ())]
    assert len(listed) == len(set(listed)), "something stands twice"
    return set(listed)


class TestWhoMay:
    def test_nobody_without_a_token(self, live: House, record: Record) -> None:
        assert httpx.get(f"{live.fhir()}/Patient/{record.patient}/$everything", trust_env=False).status_code == 401

    def test_a_role_gets_what_it_may_see(self, live: House, record: Record) -> None:
        with live.client("reception") as client:
            bundle = asked(client, f"/Patient/{record.patient}/$everything")
        assert shown(bundle) == {record.patient, record.encounter} | record.supporting

    def test_a_role_without_sight_of_patients_is_refused(self, live: House, record: Record) -> None:
        with live.client("admin") as client:
            assert refusal(client.get(f"/Patient/{record.patient}/$everything"))[:2] == (403, "role-may-not-see")
            assert refusal(client.get("/Patient/$everything"))[:2] == (403, "role-may-not-see")

    def test_another_hospital_has_no_such_patient(self, neighbour: httpx.Client, record: Record) -> None:
        assert refusal(neighbour.get(f"/Patient/{record.patient}/$everything"))[:2] == (404, "not-found")

    def test_a_page_link_of_another_hospital_is_nothing(
        self, reader: httpx.Client, neighbour: httpx.Client, record: Record
    ) -> None:
        link = next_link(asked(reader, f"/Patient/{record.patient}/$everything?_count=1"))
        assert link is not None
        other = link.replace(f"/h/{HOA_SEN}/", "/h/cau-vong/")
        assert refusal(neighbour.get(other))[:2] == (400, "cursor-not-ours")


class TestOfAPatient:
    def test_the_compartment_and_what_it_refers_to_each_once(self, reader: httpx.Client, record: Record) -> None:
        bundle = asked(reader, f"/Patient/{record.patient}/$everything")
        assert set(ids(bundle)) == record.members
        assert set(ids(bundle, "include")) == record.supporting
        assert bundle["type"] == "searchset"
        assert bundle["total"] == len(record.members)
        assert bundle["entry"][0]["resource"]["id"] == record.patient

    def test_another_patient_is_no_part_of_it(self, reader: httpx.Client, record: Record) -> None:
        assert record.stranger not in shown(asked(reader, f"/Patient/{record.patient}/$everything"))

    def test_bodies_are_those_that_a_read_gives(self, reader: httpx.Client, record: Record) -> None:
        text = reader.get(f"/Patient/{record.patient}/$everything").text
        assert reader.get(f"/Observation/{record.inside}").text in text

    def test_each_entry_has_its_address(self, live: House, reader: httpx.Client, record: Record) -> None:
        bundle = asked(reader, f"/Patient/{record.patient}/$everything")
        assert bundle["entry"][0]["fullUrl"] == f"{live.fhir()}/Patient/{record.patient}"

    def test_by_post_with_parameters(self, reader: httpx.Client, record: Record) -> None:
        body = {"resourceType": "Parameters", "parameter": [{"name": "_type", "valueCode": "Observation"}]}
        answer = reader.post(f"/Patient/{record.patient}/$everything", content=json.dumps(body), headers=FHIR)
        assert shown(answer.json()) == {record.inside, record.outside}

    def test_one_that_was_deleted_is_gone(self, reader: httpx.Client) -> None:
        alone = made(reader, patient())["id"]
        assert reader.delete(f"/Patient/{alone}").status_code in (200, 204)
        assert refusal(reader.get(f"/Patient/{alone}/$everything"))[:2] == (410, "deleted")

    def test_what_was_deleted_is_no_part_of_it(self, reader: httpx.Client) -> None:
        own = made(reader, patient())["id"]
        fact = made(reader, observation(own))["id"]
        reader.delete(f"/Observation/{fact}")
        assert shown(asked(reader, f"/Patient/{own}/$everything")) == {own}

    def test_it_leaves_one_row_in_the_audit(self, live: House, reader: httpx.Client) -> None:
        own = made(reader, patient())["id"]
        made(reader, observation(own))
        asked(reader, f"/Patient/{own}/$everything")
        rows = live.sql(
            "SELECT row FROM cell.audit_journal WHERE row LIKE %s UNION ALL SELECT row FROM "
            f"{live.tenants[HOA_SEN].schema}.audit_events WHERE row LIKE %s",
            *(2 * [f'%"record.everything"%{own}%']),
        )
        assert len(rows) == 1
        assert json.loads(rows[0][0])["detail"] == {"included": 0, "shown": 2}


class TestWhatItRefersTo:
    def test_what_no_search_parameter_asks_for_comes_along(self, reader: httpx.Client) -> None:
        clinic = made(reader, {"resourceType": "Organization", "name": mark()})["id"]
        own = made(reader, patient())["id"]
        made(
            reader,
            {
                "resourceType": "Encounter",
                "status": "finished",
                "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
                "subject": {"reference": f"Patient/{own}"},
                "hospitalization": {"destination": {"reference": f"Organization/{clinic}"}},
            },
        )
        assert ids(asked(reader, f"/Patient/{own}/$everything"), "include") == [clinic]

    def test_a_bundle_is_not_followed(self, reader: httpx.Client, record: Record) -> None:
        held = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": observation(record.stranger)}]}
        bundle = made(reader, held)["id"]
        own = made(reader, patient())["id"]
        source = {
            "resourceType": "List",
            "status": "current",
            "mode": "working",
            "subject": {"reference": f"Patient/{own}"},
            "entry": [{"item": {"reference": f"Bundle/{bundle}"}}],
        }
        made(reader, source)
        assert bundle not in shown(asked(reader, f"/Patient/{own}/$everything"))


class TestNarrowed:
    def test_by_type_in_several_ways(self, reader: httpx.Client, record: Record) -> None:
        address = f"/Patient/{record.patient}/$everything?_type=Condition,Encounter&_type=Practitioner"
        assert shown(asked(reader, address)) == {record.condition, record.encounter, record.practitioner}

    def test_by_dates_of_care(self, reader: httpx.Client, record: Record) -> None:
        bundle = asked(reader, f"/Patient/{record.patient}/$everything?start=2024-01-01&end=2024-12-31")
        assert set(ids(bundle)) == {record.patient, record.encounter, record.inside}

    def test_what_the_care_of_those_dates_refers_to_comes_along(self, reader: httpx.Client, record: Record) -> None:
        bundle = asked(reader, f"/Patient/{record.patient}/$everything?start=2024-01-01&end=2024-12-31")
        assert set(ids(bundle, "include")) == record.supporting | {record.condition}

    def test_from_a_date_on(self, reader: httpx.Client, record: Record) -> None:
        bundle = asked(reader, f"/Patient/{record.patient}/$everything?start=2024-12-31")
        assert set(ids(bundle)) == {record.patient, record.outside}

    def test_up_to_a_date(self, reader: httpx.Client, record: Record) -> None:
        bundle = asked(reader, f"/Patient/{record.patient}/$everything?end=2020")
        assert set(ids(bundle)) == {record.patient, record.condition}

    def test_by_what_has_changed_since(self, live: House, reader: httpx.Client) -> None:
        own = made(reader, patient())["id"]
        old = made(reader, observation(own))["id"]
        schema = live.tenants[HOA_SEN].schema
        keys = [pk for (pk,) in live.sql(f"SELECT pk FROM {schema}.resources WHERE id = ANY (%s)", [own, old])]
        for table in ("resources", "tokens", "links", "compartments"):
            live.sql(f"UPDATE {schema}.{table} SET updated = updated - interval '1 hour' WHERE pk = ANY (%s)", keys)
        new = made(reader, observation(own))["id"]
        since = (datetime.now(UTC) - timedelta(minutes=30)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        assert shown(asked(reader, f"/Patient/{own}/$everything?_since={since}")) == {new}

    def test_the_answer_says_since_when_to_ask_next(self, reader: httpx.Client, record: Record) -> None:
        bundle = asked(reader, f"/Patient/{record.patient}/$everything")
        again = asked(reader, f"/Patient/{record.patient}/$everything?_since={bundle['meta']['lastUpdated']}")
        assert shown(again) <= shown(bundle)

    @pytest.mark.parametrize(
        ("query", "code", "place"),
        [
            ("begin=2020", "parameter-unknown", "begin"),
            ("start=soon", "parameter-value", "start"),
            ("_count=0", "parameter-value", "_count"),
            ("_type=Nothing", "type-unknown", "_type"),
            ("_since=2020", "parameter-value", "_since"),
            ("start=2021&end=2020", "care-dates", "start"),
            ("_cursor=x&start=2020", "cursor-alone", "_cursor"),
            ("_cursor=x", "cursor-not-ours", "_cursor"),
        ],
    )
    def test_what_is_not_understood_is_refused(
        self, reader: httpx.Client, record: Record, query: str, code: str, place: str
    ) -> None:
        assert refusal(reader.get(f"/Patient/{record.patient}/$everything?{query}")) == (400, code, place)


class TestPaging:
    def test_pages_hold_each_resource_once(self, reader: httpx.Client, record: Record) -> None:
        address: str | None = f"/Patient/{record.patient}/$everything?_count=3"
        pages: list[Json] = []
        while address is not None:
            pages.append(asked(reader, address))
            address = next_link(pages[-1])
        listed = [each["resource"]["id"] for page in pages for each in page["entry"]]
        assert [len(page["entry"]) for page in pages] == [3, 3, 2]
        assert sorted(listed) == sorted(record.members | record.supporting)
        assert {page["total"] for page in pages} == {len(record.members)}

    def test_a_link_keeps_what_was_asked(self, reader: httpx.Client, record: Record) -> None:
        link = next_link(asked(reader, f"/Patient/{record.patient}/$everything?_count=1&_type=Observation"))
        assert link is not None
        assert "Observation" not in link
        assert shown(asked(reader, link)) == {record.outside}

    def test_a_link_holds_for_its_patient_alone(self, reader: httpx.Client, record: Record) -> None:
        link = next_link(asked(reader, f"/Patient/{record.patient}/$everything?_count=1"))
        assert link is not None
        other = link.replace(record.patient, record.stranger)
        assert refusal(reader.get(other))[:2] == (400, "cursor-not-ours")


class TestOfAnEncounter:
    def test_its_compartment_and_what_that_refers_to(self, reader: httpx.Client, record: Record) -> None:
        bundle = asked(reader, f"/Encounter/{record.encounter}/$everything")
        assert set(ids(bundle)) == {record.encounter, record.inside}
        assert set(ids(bundle, "include")) == record.supporting | {record.patient, record.condition}

    def test_it_has_no_dates_of_care(self, reader: httpx.Client, record: Record) -> None:
        answer = reader.get(f"/Encounter/{record.encounter}/$everything?start=2020")
        assert refusal(answer) == (400, "parameter-unknown", "start")

    def test_it_has_no_type_level(self, reader: httpx.Client) -> None:
        assert refusal(reader.get("/Encounter/$everything"))[:2] == (400, "operation-unknown")

    def test_it_must_be_here(self, reader: httpx.Client) -> None:
        assert refusal(reader.get("/Encounter/none/$everything"))[:2] == (404, "not-found")


class TestOfAllPatients:
    def test_pages_hold_every_patient_and_what_supports_them(self, reader: httpx.Client, record: Record) -> None:
        address: str | None = "/Patient/$everything?_count=100"
        listed: list[tuple[str, str]] = []
        names: list[str] = []
        while address is not None:
            page = asked(reader, address)
            listed += [(each["search"]["mode"], each["resource"]["id"]) for each in page.get("entry", ())]
            names += [each["fullUrl"] for each in page.get("entry", ())]
            address = next_link(page)
        assert len(names) == len(set(names))
        assert {("match", each) for each in record.members | {record.stranger}} <= set(listed)
        assert {("include", each) for each in record.supporting} <= set(listed)

    def test_a_page_has_at_most_a_thousand(self, reader: httpx.Client, record: Record) -> None:
        assert len(asked(reader, "/Patient/$everything")["entry"]) <= 1_000


@pytest.fixture(scope="module")
def long(live: House, reader: httpx.Client) -> str:
    """A patient with 900 facts, whose answer takes several batches."""
    own: str = made(reader, patient())["id"]
    for _ in range(3):
        entries: list[dict[str, Any]] = [
            {"resource": observation(own, note=[{"text": mark()}]), "request": {"method": "POST", "url": "Observation"}}
            for _ in range(300)
        ]
        body = json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})
        assert reader.post("", content=body, headers=FHIR).status_code == 200
    return own


_OPEN = (
    "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%' AND datname = current_database()"
)


def settles_at(look: Callable[[], int], wanted: int) -> bool:
    """Whether it comes to that within half a minute; others may be at work for a moment."""
    deadline = time.monotonic() + 30
    while look() != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    return look() == wanted


class TestLongOnes:
    def test_all_of_it_comes(self, reader: httpx.Client, long: str) -> None:
        bundle = asked(reader, f"/Patient/{long}/$everything")
        assert len(shown(bundle)) == bundle["total"] == 901

    def test_it_shows_the_versions_that_were_found(self, live: House, reader: httpx.Client, long: str) -> None:
        with live.client() as other, reader.stream("GET", f"/Patient/{long}/$everything") as answer:
            chunks = answer.iter_bytes()
            text = next(chunks)
            last = asked(other, f"/Observation?subject=Patient/{long}&_sort=-_lastUpdated&_count=1")
            changed = last["entry"][0]["resource"] | {"status": "amended"}
            put = other.put(f"/Observation/{changed['id']}", content=json.dumps(changed), headers=FHIR)
            assert put.status_code == 200
            text += b"".join(chunks)
        assert len(json.loads(text)["entry"]) == 901

    def test_who_leaves_in_the_middle_leaves_nothing_open(self, live: House, reader: httpx.Client, long: str) -> None:
        for _ in range(20):
            with live.client() as client, client.stream("GET", f"/Patient/{long}/$everything") as answer:
                next(answer.iter_bytes())
        assert settles_at(lambda: live.sql(_OPEN)[0][0], 0)
        assert len(shown(asked(reader, f"/Patient/{long}/$everything"))) == 901
