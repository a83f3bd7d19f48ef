"""Every route of the application, asked for another hospital's things, by its members and by those of this one."""

import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from emr.app import ROUTERS
from emr.kernel.ids import uuid7
from tests.fhir.samples import FHIR, Json, mark, refusal
from tests.house import CAU_VONG, HOA_SEN, House
from tests.isolation.conftest import Planted

ACCEPTS = {"fhir": "application/fhir+json", "dicomweb": "*/*", "page": "text/html"}
FORM = {"when": "01/11/2026 08:00", "systolic": "120", "diastolic": "80", "text": "xx", "title": "x", "patient": "x"}
NEVER = "9" * 18
RANDOM = {"study": f"1.2.{NEVER}", "series": f"1.2.{NEVER}.1", "instance": f"1.2.{NEVER}.1.1"}


def routes() -> list[tuple[str, str]]:
    """Method and path of every route below a hospital."""

    def walk(router: Any) -> Iterator[tuple[str, str]]:
        for route in router.routes:
            if isinstance(route, Route):
                yield from ((method, route.path) for method in sorted(set(route.methods or ()) - {"HEAD"}))
            elif inner := getattr(route, "original_router", None):
                prefix = route.include_context.prefix
                yield from ((method, prefix + path) for method, path in walk(inner))

    every = dict.fromkeys(each for router in ROUTERS for each in walk(router))
    return [each for each in every if each[1].startswith("/h/{slug}/") and "/fhir/{rest" not in each[1]]


NOT_PLANTED = frozenset(
    {
        "/h/{slug}/imaging/studies/{study}/series/{series}/instances/{instance}/document",
        "/h/{slug}/imaging/studies/{study}",
        "/h/{slug}/dicomweb/studies/{study}/series/{series}/instances/{instance}/bulkdata/{tag}",
        "/h/{slug}/fhir/$export/{id}",
        "/h/{slug}/fhir/$export/{id}/{number}",
        "/h/{slug}/fhir/$import/{id}",
        "/h/{slug}/fhir/$import/{id}/{number}",
        "/h/{slug}/patients/{patient}/apps/{app}",
        "/h/{slug}/patients/{patient}/apps/grants/{grant}",
        "/h/{slug}/admin/members/{subject}",
        "/h/{slug}/admin/reviews/{review}",
        "/h/{slug}/admin/machines/{subject}",
        "/h/{slug}/admin/package/{job}/{name}",
        "/h/{slug}/admin/package/{job}/remove",
        "/h/{slug}/admin/golive/{code}",
        "/h/{slug}/admin/golive/{code}/evidence/{number}",
        "/h/{slug}/past/{past}/return",
        "/h/{slug}/past/orders/{order}",
    }
)
"""Addresses of a kind of thing that the neighbour does not have: a PDF inside DICOM, a study without a patient, bulk data,
apps and what was allowed them (tests/smart), jobs, which are nobody's but their maker's (tests/fhir/test_bulk.py),
what administrators alone are shown (tests/administration), and opened pasts (tests/fleet/rewind).
"""

ROUTES = routes()
NAMED = [each for each in ROUTES if set(re.findall(r"\{(\w+)", each[1])) - {"slug", "type"}]
assert len(NAMED) > 30, "routes are found"
PUBLIC = ("/fhir/metadata", "/fhir/.well-known/smart-configuration")
APPS_OWN = ("/smart/authorize", "/smart/token", "/smart/introspect", "/smart/revoke")
"""Where the app is looked at first: one that is not known is refused, whoever comes with it (tests/smart)."""
PRIVATE = [each for each in ROUTES if not each[1].endswith((*PUBLIC, *APPS_OWN))]


def filled(path: str, slug: str, ids: dict[str, str]) -> str:
    parts = {"slug": slug, "type": "Patient", "version": "1", "number": "1", "page": "1", "frame": "1", "tag": "7FE00010",
             "numbers": "1", "code": "8867-4", "subject": "nobody", "client": "nobody", "app": "nobody", "operation": "meta", "member": "Observation"} | ids  # fmt: skip
    return re.sub(r"\{(\w+)(?::path)?\}", lambda found: parts.get(found[1], "nobody"), path)


def ids_of(planted: Planted) -> dict[str, str]:
    return {
        "id": planted.patient, "patient": planted.patient, "document": planted.document, "binary": planted.binary,
        "study": planted.study, "series": planted.series, "instance": planted.instance,
        "encounter": planted.encounter, "note": planted.note,
    }  # fmt: skip


def nobodys(planted: Planted) -> dict[str, str]:
    """Ids of the same form that were never given."""
    fresh = {name: "0" + value[1:-1] + ("0" if value[-1] != "0" else "1") for name, value in ids_of(planted).items()}
    return fresh | RANDOM


def kind_of(path: str) -> str:
    return next((each for each in ("fhir", "dicomweb") if f"/{each}" in path), "page")


def ask(client: httpx.Client, house: House, method: str, path: str, **parts: Any) -> httpx.Response:
    """A request that is well formed for the route, so that only the id decides."""
    kind = kind_of(path)
    headers = {"Accept": ACCEPTS[kind]}
    options: Json = {}
    if method in ("POST", "PUT", "PATCH"):
        if kind == "fhir" and path.endswith("_search"):
            options["data"] = {"_count": "1"}
        elif kind == "fhir":
            resource_id = path.rsplit("/", 1)[1]
            body: Json = (
                {"resourceType": "Patient"}
                if not path.endswith("/fhir")
                else {"resourceType": "Bundle", "type": "batch"}
            )
            options["json"] = body | ({"id": resource_id} if method == "PUT" else {})
            headers |= FHIR | ({"If-Match": 'W/"1"'} if method == "PUT" else {})
        elif kind == "dicomweb":
            options["content"] = b"x"
            headers["Content-Type"] = "application/dicom"
        else:
            options["data"] = FORM | {"_key": uuid7()}
    return client.request(method, house.url + path, headers=headers | parts.pop("headers", {}), **options, **parts)


def told(answer: httpx.Response, *own: str) -> tuple[int, dict[str, str], str]:
    """What an answer gives away: status, headers, body, without request id, date, and the ids that were asked for."""
    request_id = answer.headers["x-request-id"]
    text = answer.text.replace(request_id, "REQUEST")
    for each in sorted(own, key=len, reverse=True):
        text = text.replace(each, "ID")
    headers = {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "date")}
    headers.pop("content-length", None)
    return answer.status_code, headers, text


class TestOutsiders:
    def test_nobody_without_signing_in(self, live: House, planted: Planted) -> None:
        before = live.counts(CAU_VONG), live.objects(CAU_VONG)
        with httpx.Client(trust_env=False) as client:
            answers = {each: ask(client, live, each[0], filled(each[1], CAU_VONG, ids_of(planted))) for each in PRIVATE}
        assert {
            each: answer.status_code for each, answer in answers.items() if answer.status_code not in (401, 303)
        } == {}
        assert not any(planted.canary in answer.text for answer in answers.values())
        assert (live.counts(CAU_VONG), live.objects(CAU_VONG)) == before

    def test_members_of_another_hospital_get_one_answer_for_everything(self, live: House, planted: Planted) -> None:
        before = live.counts(CAU_VONG), live.objects(CAU_VONG), live.refusals(CAU_VONG)
        with live.client("doctor", HOA_SEN) as client:
            answers = {each: ask(client, live, each[0], filled(each[1], CAU_VONG, ids_of(planted))) for each in PRIVATE}
        assert {answer.status_code for answer in answers.values()} == {403}
        seen = {(kind_of(path), repr(told(answer))) for (_, path), answer in answers.items()}
        assert len(seen) == 3, "one in FHIR, one in DICOMweb, one page"
        assert (live.counts(CAU_VONG), live.objects(CAU_VONG)) == before[:2]
        assert live.refusals(CAU_VONG) == before[2] + len(PRIVATE)

    @pytest.mark.parametrize("role", ["ops", "auditor"])
    def test_the_departments_own_people_enter_no_hospital(self, live: House, planted: Planted, role: str) -> None:
        with pytest.raises(Exception, match=role):
            live.token(role)


class TestMembersOfAnotherHospital:
    @pytest.mark.parametrize("role", ["doctor", "imaging"])
    def test_get_for_an_id_what_a_random_one_gets(self, live: House, planted: Planted, role: str) -> None:
        theirs, random = ids_of(planted), nobodys(planted)
        before = live.counts(), live.counts(CAU_VONG), live.objects(CAU_VONG)
        with live.client(role, HOA_SEN) as client:
            for method, path in NAMED:
                first = ask(client, live, method, filled(path, HOA_SEN, theirs))
                second = ask(client, live, method, filled(path, HOA_SEN, random))
                assert told(first, *theirs.values()) == told(second, *random.values()), (method, path)
                assert planted.canary not in first.text
                assert first.status_code < 500
        assert (live.counts(), live.counts(CAU_VONG), live.objects(CAU_VONG)) == before

    def test_find_nothing_of_it(self, live: House, planted: Planted) -> None:
        with live.client("doctor", HOA_SEN) as client:
            for query in (
                f"Patient?_id={planted.patient}", f"Patient?family={planted.canary}",
                f"Observation?patient={planted.patient}", f"Observation?subject=Patient/{planted.patient}",
                f"Observation?subject={live.fhir(CAU_VONG)}/Patient/{planted.patient}",
                f"DocumentReference?patient={planted.patient}",
            ):  # fmt: skip
                answer = client.get(f"/{query}&_total=accurate").json()
                assert (answer["total"], answer.get("entry")) == (0, None), query
        with live.client("imaging", HOA_SEN) as client:
            for level in ("studies", "series", "instances"):
                address = f"{live.url}/h/{HOA_SEN}/dicomweb/{level}?StudyInstanceUID={planted.study}"
                answer = client.get(address, headers={"Accept": "application/dicom+json"})
                assert answer.status_code in (200, 204)
                assert planted.study not in answer.text

    def test_cannot_follow_its_page_links(self, live: House, planted: Planted) -> None:
        with live.client("doctor", HOA_SEN) as client:
            assert refusal(client.get(f"/Patient?_cursor={planted.cursor}"))[:2] == (400, "cursor-not-ours")
        with live.client("doctor", CAU_VONG) as client:
            assert client.get(f"/Patient?_cursor={planted.cursor}").status_code == 200

    def test_cannot_refer_to_it(self, live: House, planted: Planted) -> None:
        note = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
        with live.client("doctor", HOA_SEN) as client:
            answers = [
                client.post("/Observation", json=note | {"subject": {"reference": text}}, headers=FHIR)
                for text in (f"Patient/{planted.patient}", "Patient/" + "0" * 36)
            ]
        first, second = (told(answer, planted.patient, "0" * 36) for answer in answers)
        assert first == second
        assert first[0] == 422


class TestHeaders:
    @pytest.mark.parametrize(
        "name",
        [
            "X-Tenant", "X-Tenant-Id", "Tenant", "X-Hospital", "X-Organization-Id", "X-Organisation", "X-Schema",
            "X-Facility", "x-emr-tenant", "Hospital-Id",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("place", ["/fhir/Patient", "/fhir/metadata", "/", "/dicomweb/studies"])
    def test_one_that_names_a_hospital_is_refused_and_written_down(self, live: House, name: str, place: str) -> None:
        before = live.refusals(None)
        with live.client() as client:
            answer = client.get(f"{live.url}/h/{HOA_SEN}{place}", headers={name: HOA_SEN})
        assert answer.status_code == 400
        assert live.refusals(None) == before + 1


class TestHospitals:
    def test_one_that_is_not_there(self, live: House) -> None:
        before = live.refusals(None)
        with live.client() as client:
            for path in ("/fhir/Patient", "/", "/dicomweb/studies", "/patients/x", "/documents/x"):
                assert client.get(f"{live.url}/h/nowhere{path}").status_code == 404
        assert live.refusals(None) == before + 5

    def test_one_that_is_closed_is_closed_alone(self, live: House) -> None:
        slug = f"closed-{mark()[:6]}"
        live.new_hospital(slug)
        live.sql("UPDATE directory.tenants SET state = 'suspended' WHERE slug = %s", slug)
        with live.client() as client:
            answers = _until(lambda: client.get(f"{live.url}/h/{slug}/fhir/metadata"), 503)
            assert answers.json()["issue"][0]["details"]["coding"][0]["code"] == "hospital-suspended"
            for path in ("/fhir/Patient", "/", "/dicomweb/studies"):
                assert client.get(f"{live.url}/h/{slug}{path}").status_code == 503
            assert client.get("/Patient?_count=1").status_code == 200

    def test_one_at_another_revision_is_closed_alone(self, live: House) -> None:
        slug = f"older-{mark()[:6]}"
        live.new_hospital(slug)
        live.sql("UPDATE directory.tenants SET revision = 'tenant_0000' WHERE slug = %s", slug)
        with live.client() as client:
            answer = _until(lambda: client.get(f"{live.url}/h/{slug}/fhir/metadata"), 503)
            assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "hospital-being-upgraded"
            assert client.get("/Patient?_count=1").status_code == 200

    def test_one_that_is_read_only_is_read(self, live: House) -> None:
        live.sql("UPDATE directory.tenants SET state = 'read-only' WHERE slug = %s", CAU_VONG)
        try:
            with live.client("doctor", CAU_VONG) as client:
                answer = _until(lambda: client.post("/Patient", json={"resourceType": "Patient"}, headers=FHIR), 403)
                assert refusal(answer)[1] == "hospital-read-only"
                assert client.get("/Patient?_count=1").status_code == 200
        finally:
            live.sql("UPDATE directory.tenants SET state = 'trial' WHERE slug = %s", CAU_VONG)
        with live.client("doctor", CAU_VONG) as client:
            _until(lambda: client.post("/Patient", json={"resourceType": "Patient"}, headers=FHIR), 201)


def _until(action: Any, status: int) -> httpx.Response:
    """The registry learns of a change within a second."""
    deadline = time.monotonic() + 30
    while (answer := action()).status_code != status:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.1)
    found: httpx.Response = answer
    return found


class TestTheNeighboursOwn:
    def test_what_is_planted_is_really_there(self, live: House, planted: Planted) -> None:
        """Without this the answers above could be the same because the address is wrong for everybody."""
        ids = ids_of(planted)
        shown: set[str] = set()
        for role in ("imaging", "doctor", "privacy"):
            with live.client(role, CAU_VONG) as client:
                shown |= {
                    path
                    for method, path in NAMED
                    if method == "GET" and ask(client, live, method, filled(path, CAU_VONG, ids)).status_code == 200
                }
        assert {path for method, path in NAMED if method == "GET"} - shown <= NOT_PLANTED
