"""Media types, preferences, addresses that are nobody's."""

import json

import httpx
import pytest

from tests.fhir.samples import FHIR, made, patient, refusal
from tests.house import House

BODY = json.dumps(patient())


class TestWhatIsSent:
    @pytest.mark.parametrize(
        "kind",
        [
            "application/fhir+json", "application/json", "application/fhir+json; charset=utf-8",
            "application/fhir+json; fhirVersion=4.0; charset=UTF-8", "APPLICATION/FHIR+JSON", "text/json",
        ],
    )  # fmt: skip
    def test_json_is_taken(self, doctor: httpx.Client, kind: str) -> None:
        assert doctor.post("/Patient", content=BODY, headers={"Content-Type": kind}).status_code == 201

    @pytest.mark.parametrize(
        "kind",
        ["text/plain", "application/x-www-form-urlencoded", "application/fhir+xml", "application/json; charset=utf-16", ""],
    )  # fmt: skip
    def test_other_kinds_are_refused(self, doctor: httpx.Client, kind: str) -> None:
        answer = doctor.post("/Patient", content=BODY, headers={"Content-Type": kind})
        assert refusal(answer)[:2] == (415, "media-type")

    @pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "zstd", "x"])
    def test_a_compressed_body_is_refused(self, doctor: httpx.Client, coding: str) -> None:
        answer = doctor.post("/Patient", content=BODY, headers=FHIR | {"Content-Encoding": coding})
        assert refusal(answer)[:2] == (415, "body-compressed")


class TestWhatIsWanted:
    @pytest.mark.parametrize(
        "accept", ["application/fhir+json", "application/json", "*/*", "application/*;q=0.1", "text/html, */*;q=0.8"]
    )
    def test_json_is_given(self, doctor: httpx.Client, accept: str) -> None:
        answer = doctor.get("/Patient?_count=1", headers={"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/fhir+json")

    @pytest.mark.parametrize("accept", ["application/fhir+xml", "application/fhir+turtle", "text/html", "image/png"])
    def test_other_forms_are_refused(self, doctor: httpx.Client, accept: str) -> None:
        assert refusal(doctor.get("/Patient", headers={"Accept": accept}))[:2] == (406, "format-unknown")
        answer = doctor.post("/Patient", content=BODY, headers=FHIR | {"Accept": accept})
        assert refusal(answer)[:2] == (406, "format-unknown")

    def test_format_in_the_address_goes_before_the_header(self, doctor: httpx.Client) -> None:
        xml = {"Accept": "application/fhir+xml"}
        for form in ("json", "application/json", "application/fhir%2Bjson", "application/fhir+json"):
            assert doctor.get(f"/Patient?_count=1&_format={form}&_pretty=true", headers=xml).status_code == 200
        assert doctor.get("/Patient?_count=1&_format=xml").status_code == 406

    def test_prefer_says_how_much_of_a_write_comes_back(self, live: House, doctor: httpx.Client) -> None:
        minimal = doctor.post("/Patient", content=BODY, headers=FHIR | {"Prefer": "return=minimal"})
        assert (minimal.status_code, minimal.content) == (201, b"")
        assert minimal.headers["location"].startswith(f"{live.fhir()}/Patient/")
        outcome = doctor.post(
            "/Patient", content=BODY, headers=FHIR | {"Prefer": "respond-async; return=OperationOutcome"}
        )
        assert outcome.json()["resourceType"] == "OperationOutcome"
        for header in ("return=representation", "return=everything", "nonsense"):
            whole = doctor.post("/Patient", content=BODY, headers=FHIR | {"Prefer": header})
            assert whole.json()["resourceType"] == "Patient"

    def test_nothing_of_a_patient_is_kept_on_the_way(self, doctor: httpx.Client) -> None:
        person = made(doctor, patient())["id"]
        for address in (f"/Patient/{person}", f"/Patient?_id={person}"):
            answer = doctor.get(address)
            assert "private" in answer.headers["cache-control"]
            assert answer.headers["x-request-id"]


class TestAddresses:
    def test_a_type_that_r4_does_not_have(self, doctor: httpx.Client) -> None:
        assert refusal(doctor.get("/Pateint/x"))[:2] == (404, "type-unknown")
        assert doctor.post("/Pateint", content=BODY, headers=FHIR).status_code == 404

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/Patient/x"), ("PATCH", "/Patient/x/_history/1"), ("POST", "/Patient/x/_history/1"),
            ("GET", "/Patient/x/y/z"),
        ],
    )  # fmt: skip
    def test_an_interaction_that_is_not_here(self, live: House, doctor: httpx.Client, method: str, path: str) -> None:
        before = live.refusals()
        assert refusal(doctor.request(method, path))[:2] == (400, "interaction-unknown")
        assert live.refusals() == before + 1

    @pytest.mark.parametrize("path", ["/a/b/c/d/e", "/_nothing", "/%00", "/Patient/a%00b", "/Patient/é"])
    def test_one_that_is_nothing(self, doctor: httpx.Client, path: str) -> None:
        assert doctor.get(path).status_code == 404

    @pytest.mark.parametrize("path", ["/$nothing", "/Patient/$nothing", "/Patient/x/$nothing"])
    def test_an_operation_that_is_not_here(self, doctor: httpx.Client, path: str) -> None:
        assert refusal(doctor.get(path)) == (400, "operation-unknown", "$nothing")

    def test_a_parameter_that_a_read_does_not_have(self, doctor: httpx.Client) -> None:
        person = made(doctor, patient())["id"]
        assert refusal(doctor.get(f"/Patient/{person}?foo=1"))[:2] == (400, "parameter-unknown")
        assert doctor.get(f"/Patient/{person}?_format=json&_pretty=true").status_code == 200
