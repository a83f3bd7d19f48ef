"""Search parameters of a hospital's own over HTTP (FHIR R4, searchparameter.html): refused, built, asked, told."""

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.fhir.samples import Json, made, mark, patient, put, refusal
from tests.fleet.world import emr
from tests.house import CAU_VONG, HOA_SEN, House

WARD = "https://hoasen.example/fhir/khoa"
EXPRESSION = f"Flag.extension.where(url = '{WARD}').value"


def parameter(code: str, **values: object) -> Json:
    return {
        "resourceType": "SearchParameter",
        "id": code,
        "url": f"{WARD}/{code}",
        "name": code,
        "status": "active",
        "description": "khoa",
        "code": code,
        "base": ["Flag"],
        "type": "token",
        "expression": EXPRESSION,
    } | values


def flag(client: httpx.Client, ward: str) -> str:
    person = made(client, patient(name=[{"family": mark()}]))["id"]
    extension = [{"url": WARD, "valueCoding": {"system": "urn:khoa", "code": ward}}]
    subject = {"reference": f"Patient/{person}"}
    body = {"resourceType": "Flag", "status": "active", "code": {"text": "?"}, "subject": subject}
    return str(made(client, body | {"extension": extension})["id"])


def told(live: House, slug: str = HOA_SEN) -> list[str]:
    statement = httpx.get(f"{live.fhir(slug)}/metadata", trust_env=False).json()
    claimed = next(each for each in statement["rest"][0]["resource"] if each["type"] == "Flag")
    return [each["name"] for each in claimed["searchParam"]]


@pytest.fixture
def code(doctor: httpx.Client, live: House) -> Iterator[str]:
    name = f"ward-{mark().lower()}"
    yield name
    doctor.delete(f"/SearchParameter/{name}")
    assert emr(live, "records", "reindex", HOA_SEN).returncode == 0


def found(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["resource"]["id"] for each in answer.json().get("entry", ())]


class TestOwnParameter:
    def test_from_its_activation_to_its_end(self, doctor: httpx.Client, live: House, code: str) -> None:
        before = flag(doctor, "noi")
        assert refusal(doctor.get(f"/Flag?{code}=noi")) == (400, "search-parameter-unknown", code)
        put(doctor, parameter(code))
        building = doctor.get(f"/Flag?{code}=noi")
        assert refusal(building) == (503, "index-being-built", code)
        assert int(building.headers["retry-after"]) > 0
        assert code not in told(live)
        after = flag(doctor, "noi")
        other = flag(doctor, "ngoai")
        done = emr(live, "records", "reindex", HOA_SEN, "--json")
        assert json.loads(done.stdout)["own"]["resources"] >= 3, done.stderr
        assert set(found(doctor.get(f"/Flag?{code}=urn:khoa|noi"))) >= {before, after}
        assert other not in found(doctor.get(f"/Flag?{code}=urn:khoa|noi"))
        assert found(doctor.get(f"/Flag?{code}=ngoai&_id={before}")) == []
        assert code in told(live)
        assert code not in told(live, CAU_VONG)
        put(doctor, parameter(code, status="retired"))
        assert refusal(doctor.get(f"/Flag?{code}=noi")) == (400, "search-parameter-unknown", code)
        assert code not in told(live)

    def test_what_it_cannot_be_is_refused_where_it_says_so(self, doctor: httpx.Client) -> None:
        wrong = parameter("wrong", expression="Flag.extension.exists()")
        answer = doctor.put("/SearchParameter/wrong", json=wrong)
        assert refusal(answer) == (422, "parameter-expression", "SearchParameter.expression")
        verdict = doctor.post("/SearchParameter/$validate?mode=update", json=wrong)
        assert verdict.json()["issue"][0]["expression"] == ["SearchParameter.expression"]
        entry = {"resource": wrong, "request": {"method": "PUT", "url": "SearchParameter/wrong"}}
        answer = doctor.post("/", json={"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
        assert refusal(answer) == (422, "parameter-expression", "Bundle.entry[0].resource.expression")

    def test_a_lenient_client_is_not_answered_without_it(self, doctor: httpx.Client, live: House, code: str) -> None:
        put(doctor, parameter(code))
        lenient = {"Prefer": "handling=lenient"}
        assert refusal(doctor.get(f"/Flag?{code}=noi", headers=lenient)) == (503, "index-being-built", code)
