"""Labels, hours and broken glass, in a hospital that asks for all of them."""

import asyncio
import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from emr.emergency import service
from emr.emergency.service import BreakGlass
from emr.identity.principal import Principal, system_principal
from emr.kernel.errors import Conflict, Forbidden, NotFound, Refusal
from emr.records.read import read
from emr.records.sights_pass import advance_sights, mark_of
from emr.work.runtime import Runtime, runtime
from emr.work.unit import UnitOfWork, unit_of_work
from emr_demo.postgres import temporary
from tests.house import House, served
from tests.imaging.samples import encoded, slice_of
from tests.isolation.twins import DOCTOR, PLAIN, twin_hospitals

ICD = "http://hl7.org/fhir/sid/icd-10"
ACCESS = """\
  care_relationship: encounter
  catalogue: [HIV, PSY, EMP, CEL]
  labels: [{label: SECRET, codes: [{system: 'urn:own', first: X}], treating_sees: false}]
  windows: [{roles: [cashier], begin: '00:00', end: '00:01', days: [mon]}]
"""
CLEAR = {"clearances": frozenset({"HIV", "PSY", "EMP", "CEL", "SECRET"})}
WHY = {"reason": "emergency", "words": "Người bệnh hôn mê, cần tiền sử"}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    access = "\n" + ACCESS
    with (
        temporary() as cluster,
        twin_hospitals(cluster, tmp_path_factory.mktemp("strict"), access) as made,
        served(made),
    ):
        yield made


@pytest.fixture
def doctor(strict: House) -> Iterator[httpx.Client]:
    with strict.client("doctor", PLAIN) as client:
        yield client


@pytest.fixture
def his(strict: House) -> Iterator[httpx.Client]:
    with strict.client("his", PLAIN) as client:
        yield client


def person(his: httpx.Client, *, treated: bool, **more: object) -> str:
    made = his.post("/Patient", json={"resourceType": "Patient", **more})
    assert made.status_code == 201, made.text
    key: str = made.json()["id"]
    if treated:
        visit = {
            "resourceType": "Encounter",
            "status": "in-progress",
            "class": {"code": "IMP"},
            "subject": {"reference": f"Patient/{key}"},
            "participant": [{"individual": {"reference": f"Practitioner/{DOCTOR}"}}],
        }
        his.put(f"/Practitioner/{DOCTOR}", json={"resourceType": "Practitioner", "id": DOCTOR})
        assert his.post("/Encounter", json=visit).status_code == 201
    return key


def problem(his: httpx.Client, patient: str, code: str, system: str = ICD) -> str:
    made = his.post(
        "/Condition",
        json={
            "resourceType": "Condition",
            "subject": {"reference": f"Patient/{patient}"},
            "code": {"coding": [{"system": system, "code": code}]},
        },
    )
    assert made.status_code == 201, made.text
    key: str = made.json()["id"]
    return key


def status(client: httpx.Client, path: str) -> int:
    return client.get(path).status_code


class TestLabels:
    def test_hide_a_resource_from_who_is_not_cleared(self, strict: House, his: httpx.Client) -> None:
        key = person(his, treated=False)
        secret, plain = problem(his, key, "B24.9"), problem(his, key, "I10")
        with strict.client("archivist", PLAIN) as archivist:
            assert status(archivist, f"/Condition/{secret}") == 404
            assert status(archivist, f"/Condition/{plain}") == 200
            assert archivist.get(f"/Condition?patient={key}&_total=accurate").json()["total"] == 1
            his.put(f"/Practitioner/{DOCTOR}", json={"resourceType": "Practitioner", "id": DOCTOR})
            told = his.post("/Provenance", json=provenance(f"Condition/{secret}")).json()["id"]
            assert status(archivist, f"/Provenance/{told}") == 404
            strict.sql("UPDATE directory.memberships SET clearances = '{HIV}' WHERE role = 'archivist'")
            assert until(lambda: status(archivist, f"/Condition/{secret}"), 200) == 200
            strict.sql("UPDATE directory.memberships SET clearances = '{}' WHERE role = 'archivist'")

    def test_do_not_hide_it_from_who_treats_unless_the_rule_says_so(
        self, his: httpx.Client, doctor: httpx.Client
    ) -> None:
        key = person(his, treated=True)
        assert status(doctor, f"/Condition/{problem(his, key, 'F20.0')}") == 200
        assert status(doctor, f"/Condition/{problem(his, key, 'X1', 'urn:own')}") == 404

    def test_last_when_a_later_version_says_nothing_of_it(self, strict: House, his: httpx.Client) -> None:
        key = person(his, treated=False)
        secret = problem(his, key, "B20")
        now = his.get(f"/Condition/{secret}").json() | {"code": {"text": "sửa"}}
        assert his.put(f"/Condition/{secret}", json=now).status_code == 200
        with strict.client("archivist", PLAIN) as archivist:
            assert status(archivist, f"/Condition/{secret}") == 404
            assert status(archivist, f"/Condition/{secret}/_history/2") == 404

    def test_of_a_patient_hide_the_whole_patient_and_go_with_the_mark(self, strict: House, his: httpx.Client) -> None:
        marked = {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "CEL"}]}
        key = person(his, treated=False, meta=marked)
        plain = problem(his, key, "I10")
        with strict.client("archivist", PLAIN) as archivist, strict.client("reception", PLAIN) as desk:
            assert status(desk, f"/Patient/{key}") == 200, "the desk must know who stands before it"
            assert [status(archivist, path) for path in (f"/Patient/{key}", f"/Condition/{plain}")] == [404, 404]
            assert his.put(f"/Patient/{key}", json={"resourceType": "Patient", "id": key}).status_code == 200
            assert [status(archivist, path) for path in (f"/Patient/{key}", f"/Condition/{plain}")] == [200, 200]


class TestImages:
    def test_are_kept_by_who_is_not_cleared_and_seen_with_their_patient(self, strict: House, his: httpx.Client) -> None:
        marked = {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "CEL"}]}
        number = [{"type": {"coding": [{"code": "MR"}]}, "value": "CEL-1"}]
        key = person(his, treated=False, meta=marked, identifier=number, name=[{"family": "Cao", "given": ["Sao"]}])
        home = f"{strict.url}/h/{PLAIN}/dicomweb/studies"
        sent = encoded(slice_of(study="771", size=64, PatientID="CEL-1", PatientName="Cao^Sao"))
        with strict.client("imaging", PLAIN) as imaging:
            stored = imaging.post(home, content=sent, headers={"Content-Type": "application/dicom"})
            assert stored.status_code == 200, stored.text
            listed = imaging.get(home, headers={"Accept": "application/dicom+json"})
            assert "771" not in listed.text
        assert his.get(f"/ImagingStudy?patient={key}&_total=accurate").json()["total"] == 1


class TestHours:
    def test_a_role_outside_its_hours_is_refused_with_a_code(self, strict: House) -> None:
        with strict.client("cashier", PLAIN) as cashier:
            answer = cashier.get("/Patient")
        assert answer.status_code == 403
        assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "outside-hours"


class TestBrokenGlass:
    def test_shows_one_patient_for_a_while_and_waits_for_its_review(
        self, strict: House, his: httpx.Client, doctor: httpx.Client
    ) -> None:
        key, other = person(his, treated=False), person(his, treated=False)
        secret = problem(his, key, "B20")
        assert [status(doctor, f"/{path}") for path in (f"Patient/{key}", f"Condition/{secret}")] == [404, 404]
        granted = asyncio.run(as_(strict, "doctor", lambda work: service.break_glass(work, BreakGlass(key, **WHY))))
        assert granted.until - granted.since <= timedelta(minutes=60)
        seen = [status(doctor, f"/{path}") for path in (f"Patient/{key}", f"Condition/{secret}", f"Patient/{other}")]
        assert seen == [200, 200, 404]
        waiting, _ = asyncio.run(as_(strict, "archivist", service.list_reviews, duties=frozenset({"privacy"})))
        assert granted.id in {each.id for each in waiting}
        asyncio.run(as_(strict, "doctor", lambda work: service.end_glass(work, granted.id)))
        assert status(doctor, f"/Patient/{key}") == 404
        with pytest.raises(NotFound):
            asyncio.run(
                as_(
                    strict, "doctor", lambda work: service.review_glass(work, granted.id, "justified", "tự xem xét lấy"),
                    duties=frozenset({"privacy"}),
                )
            )  # fmt: skip
        done = lambda work: service.review_glass(work, granted.id, "justified", "đúng là cấp cứu")  # noqa: E731
        asyncio.run(as_(strict, "archivist", done, duties=frozenset({"privacy"}), subject="officer"))
        waiting, reviewed = asyncio.run(as_(strict, "archivist", service.list_reviews, duties=frozenset({"privacy"})))
        assert granted.id not in {each.id for each in waiting}
        assert granted.id in {each.id for each in reviewed}

    def test_is_an_event_of_its_own_with_its_purpose(self, strict: House, his: httpx.Client) -> None:
        key = person(his, treated=False)
        asyncio.run(as_(strict, "doctor", lambda work: service.break_glass(work, BreakGlass(key, **WHY))))
        schema = strict.tenants[PLAIN].schema
        query = (
            "SELECT count(*) FROM (SELECT row FROM cell.audit_journal WHERE tenant = %s"
            f" UNION ALL SELECT row FROM {schema}.audit_events) AS rows"
            " WHERE row LIKE '%%care.glass-broken%%' AND row LIKE '%%\"BTG\"%%' AND row LIKE %s"
        )
        assert strict.sql(query, schema, f"%{key}%") == [(1,)]
        assert strict.sql(query, schema, f"%{WHY['words']}%") == [(0,)], "codes only"

    @pytest.mark.parametrize(
        ("more", "wanted", "refusal", "code"),
        [
            ({"authenticated_at": None}, WHY, Forbidden, "recent-sign-in-needed"),
            ({}, WHY | {"reason": "curious"}, Refusal, "reason-unknown"),
            ({}, WHY | {"words": "vội"}, Refusal, "reason-length"),
            ({}, WHY | {"patient": "nobody"}, NotFound, "not-found"),
            ({"role": "lab", **CLEAR}, WHY, Conflict, "glass-needless"),
            ({"role": "reception"}, WHY, Forbidden, "role-may-not"),
        ],
    )
    def test_is_refused(
        self, strict: House, his: httpx.Client, more: dict[str, object], wanted: dict[str, str],
        refusal: type[Refusal], code: str,
    ) -> None:  # fmt: skip
        asked = {"patient": person(his, treated=False)} | wanted
        with pytest.raises(refusal) as caught:
            asyncio.run(as_(strict, "doctor", lambda work: service.break_glass(work, BreakGlass(**asked)), **more))
        assert caught.value.code == code

    def test_finds_by_a_whole_number_or_a_whole_name_and_birth_date_alone(
        self, strict: House, his: httpx.Client
    ) -> None:
        name = [{"family": "Kiều", "given": ["Thị", "Khẩn"]}]
        key = person(his, treated=False, name=name, birthDate="1971-02-03", identifier=[{"value": "KC-77"}])
        for text, born, found in (
            ("KC-77", "", [key]),
            ("Kiều Thị Khẩn", "1971-02-03", [key]),
            ("kieu thi khan", "1971-02-03", [key]),
            ("Kiều Thị Khẩn", "", []),
            ("Kiều", "1971-02-03", []),
            ("Kiều Thị Khẩn", "1971-02-04", []),
        ):
            shown = asyncio.run(as_(strict, "doctor", lambda work: service.find_in_emergency(work, text, born)))  # noqa: B023
            assert [each.id for each in shown] == found, (text, born)
            assert all(each.born == "1971" for each in shown)


class TestSupport:
    """What a support grant opens where labels and relationships are kept (`emr.access.care`)."""

    def test_sees_everybody_but_nothing_that_bears_a_label(self, strict: House, his: httpx.Client) -> None:
        marked = {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "CEL"}]}
        key, known = person(his, treated=False), person(his, treated=False, meta=marked)
        plain, secret = problem(his, key, "I10"), problem(his, key, "B20")
        found = [seen(strict, kind, each) for kind, each in (
            ("Patient", key), ("Condition", plain), ("Condition", secret), ("Patient", known),
        )]  # fmt: skip
        assert found == [True, True, False, False]

    def test_of_one_patient_sees_nobody_else(self, strict: House, his: httpx.Client) -> None:
        key, other = person(his, treated=False), person(his, treated=False)
        assert [seen(strict, "Patient", each, patient=key) for each in (key, other)] == [True, False]

    def test_of_the_house_sees_nobody(self, strict: House, his: httpx.Client) -> None:
        key = person(his, treated=True)
        asyncio.run(as_(strict, "doctor", lambda work: read(work, "Practitioner", DOCTOR), role="support", grant="g"))
        with pytest.raises(Forbidden):
            seen(strict, "Patient", key, role="support")


class TestAPass:
    def test_writes_down_what_was_stored_before_the_file_asked_for_it(
        self, strict: House, his: httpx.Client, doctor: httpx.Client
    ) -> None:
        key = person(his, treated=True)
        secret = problem(his, key, "X9", "urn:own")
        schema = strict.tenants[PLAIN].schema
        strict.sql(f"DELETE FROM {schema}.grants")
        strict.sql(f"UPDATE {schema}.resources SET labels = NULL")
        strict.sql(f"DELETE FROM {schema}.indexing WHERE name = 'sights'")
        assert status(doctor, f"/Patient/{key}") == 404

        async def passed(work: UnitOfWork) -> bool:
            return await advance_sights(work, 1_000)

        assert asyncio.run(as_(strict, "system", passed)) is False
        assert status(doctor, f"/Patient/{key}") == 200
        assert status(doctor, f"/Condition/{secret}") == 404
        said = strict.sql(f"SELECT state ->> 'mark' FROM {schema}.indexing WHERE name = 'sights'")
        assert said == [(mark_of(strict.tenants[PLAIN].access),)]


def provenance(target: str) -> dict[str, object]:
    return {
        "resourceType": "Provenance",
        "target": [{"reference": target}],
        "recorded": "2026-11-01T00:00:00Z",
        "agent": [{"who": {"reference": f"Practitioner/{DOCTOR}"}}],
    }


def seen(made: House, kind: str, key: str, **more: object) -> bool:
    """Whether somebody who was let in by a support grant reads it."""
    let_in = {"role": "support-chart", "grant": "g"} | more
    try:
        asyncio.run(as_(made, "doctor", lambda work: read(work, kind, key), **let_in))
    except NotFound:
        return False
    return True


def until(ask: object, wanted: int) -> int:
    """A changed membership counts within a moment."""
    found = 0
    for _ in range(60):
        found = ask()  # type: ignore[operator]
        if found == wanted:
            break
    return found


async def as_(made: House, account: str, act: object, **more: object) -> object:
    """Run one use case as somebody of the hospital who has just signed in."""
    tenant = made.tenants[PLAIN]
    parts: Runtime = runtime(made.settings)
    await parts.open()
    try:
        principal: Principal
        if account == "system":
            principal = system_principal("test", tenant_id=tenant.id)
        else:
            payload = made.token(account, PLAIN).split(".")[1]
            subject = json.loads(base64.urlsafe_b64decode(payload + "=="))["sub"]
            principal = Principal(subject, account, account, "person", tenant.id, authenticated_at=datetime.now(UTC))
            principal = replace(principal, **more)  # type: ignore[arg-type]
        async with unit_of_work(parts, tenant, principal) as work:
            return await act(work)  # type: ignore[operator]
    finally:
        await parts.close()
