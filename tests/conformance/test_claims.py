"""Whatever the CapabilityStatement claims of a type is done with a resource of that type, and nothing is done beside it."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from emr.definitions import model
from emr.kernel import json
from tests.conformance.reference.minimal import minimal
from tests.fhir.samples import FHIR, Json, entry, made, mark, observation, patient
from tests.house import House

PATCH = {"Content-Type": "application/json-patch+json"}
EVERYWHERE = frozenset({"meta", "meta-add", "meta-delete", "validate"})
GENDER = "system=http://hl7.org/fhir/administrative-gender"
GENDERS = "url=http://hl7.org/fhir/ValueSet/administrative-gender"
ASYNC = {"Prefer": "respond-async"}
CALLS: dict[tuple[str, str], str] = {
    ("", "meta"): "GET /$meta",
    ("", "export"): "GET /$export?_type=Group",
    ("", "import"): "POST /$import",
    ("Patient", "everything"): "GET /Patient/target-patient/$everything",
    ("Patient", "export"): "GET /Patient/$export?_type=Group",
    ("Group", "export"): "GET /Group/target-group/$export",
    ("Encounter", "everything"): "GET /Encounter/target-encounter/$everything",
    ("Composition", "document"): "GET /Composition/target-composition/$document",
    ("Observation", "lastn"): "GET /Observation/$lastn?patient=target-patient&code=8867-4",
    ("Subscription", "events"): "GET /Subscription/target-subscription/$events",
    ("Subscription", "status"): "GET /Subscription/target-subscription/$status",
    ("ValueSet", "expand"): f"GET /ValueSet/$expand?{GENDERS}",
    ("ValueSet", "validate-code"): f"GET /ValueSet/$validate-code?{GENDERS}&{GENDER}&code=male",
    ("CodeSystem", "lookup"): f"GET /CodeSystem/$lookup?{GENDER}&code=male",
    ("CodeSystem", "subsumes"): f"GET /CodeSystem/$subsumes?{GENDER}&codeA=male&codeB=female",
    ("CodeSystem", "validate-code"): f"GET /CodeSystem/$validate-code?url={GENDER[7:]}&code=male",
    ("ConceptMap", "translate"): "POST /ConceptMap/$translate",
}
"""By place and name of an operation, a call that is answered."""
BODIES: dict[str, Json] = {
    "import": {"resourceType": "Patient", "id": "brought-by-claims"},
    "translate": {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "conceptMap", "resource": {
                "resourceType": "ConceptMap", "status": "active",
                "group": [{"source": "urn:a", "target": "urn:b", "element": [
                    {"code": "1", "target": [{"code": "2", "equivalence": "equal"}]}]}]}},
            {"name": "system", "valueUri": "urn:a"}, {"name": "code", "valueCode": "1"},
        ],
    },
}  # fmt: skip

OF_THEIR_OWN = (
    *("Binary", "Bundle", "CodeSystem", "Composition", "Encounter", "Observation", "Parameters", "Patient"),
    *("SearchParameter", "StructureDefinition", "Subscription", "ValueSet"),
)
WITH_THEM = frozenset({"conditionalRead=full-support", "versioning=versioned-update", "readHistory=True"})


@pytest.fixture(scope="module")
def statement(live: House) -> Json:
    found: Json = httpx.get(f"{live.fhir()}/metadata", trust_env=False).json()["rest"][0]
    return found


@pytest.fixture(scope="module")
def client(live: House) -> Iterator[httpx.Client]:
    """The hospital's own system, which may change every type."""
    with live.client("his", headers={"Accept": "application/fhir+json"}) as opened:
        targets = [minimal(each) | {"id": f"target-{each.lower()}"} for each in sorted(model.resource_types())]
        group = next(each for each in targets if each["resourceType"] == "Group")
        group["member"] = [{"entity": {"reference": "Patient/target-patient"}}]
        entries = [entry("PUT", f"{each['resourceType']}/{each['id']}", each) for each in targets]
        body = json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})
        answer = opened.post("", content=body, headers=FHIR)
        assert answer.status_code == 200, answer.text
        yield opened


@dataclass
class Trial:
    """A resource of one type, and the claims that were seen to hold."""

    client: httpx.Client
    type: str
    held: set[str] = field(default_factory=set)
    tag: str = field(default_factory=mark)

    def ask(self, claim: str, method: str, path: str, status: int, body: object = None, **headers: str) -> Json:
        """Send something below the type; a claim holds when the answer has the status."""
        content = json.dumps(body) if body is not None else None
        answer = self.client.request(method, f"/{self.type}{path}", content=content, headers=FHIR | headers)
        assert answer.status_code == status, (claim, answer.text)
        self.held.add(claim)
        return json.loads(answer.content) if answer.content else {}

    @functools.cached_property
    def body(self) -> Json:
        beside = {"data": "AAAA"} if self.type == "Binary" else {}
        return minimal(self.type) | beside | {"meta": {"tag": [{"system": "urn:claims", "code": self.tag}]}}

    @property
    def criteria(self) -> str:
        return f"_tag=urn:claims|{self.tag}"


def interactions(trial: Trial) -> None:
    """Each interaction of R4 with a resource that is made, changed and deleted (http.html)."""
    one = trial.ask("create", "POST", "", 201, trial.body)
    address = f"/{one['id']}"
    trial.ask("read", "GET", address, 200)
    trial.ask("conditionalRead=full-support", "GET", address, 304, **{"If-None-Match": 'W/"1"'})
    trial.ask("update", "PUT", address, 200, one | {"language": "vi"}, **{"If-Match": 'W/"1"'})
    stale = {"If-Match": 'W/"1"'}
    trial.ask("versioning=versioned-update", "PUT", address, 412, one | {"language": "en"}, **stale)
    patched = [{"op": "replace", "path": "/language", "value": "en"}]
    assert trial.ask("patch", "PATCH", address, 200, patched, **PATCH)["meta"]["versionId"] == "3"
    assert "language" not in trial.ask("vread", "GET", f"{address}/_history/1", 200)
    trial.held.add("readHistory=True")
    assert len(trial.ask("history-instance", "GET", f"{address}/_history", 200)["entry"]) == 3
    newest = trial.ask("history-type", "GET", "/_history?_count=1", 200)["entry"][0]["resource"]
    assert (newest["resourceType"], newest["id"]) == (trial.type, one["id"])
    found = trial.ask("search-type", "GET", f"?{trial.criteria}", 200)["entry"]
    assert [each["resource"]["id"] for each in found] == [one["id"]]
    trial.ask("delete", "DELETE", address, 204)
    trial.ask("delete", "GET", address, 410)


def conditions(trial: Trial) -> None:
    """The forms of create, update and delete that name what they are about by criteria."""
    trial.ask("updateCreate=True", "PUT", f"/{trial.tag}", 201, trial.body | {"id": trial.tag})
    again = {"If-None-Exist": trial.criteria}
    assert trial.ask("conditionalCreate=True", "POST", "", 200, trial.body, **again)["id"] == trial.tag
    changed = trial.body | {"language": "vi"}
    assert trial.ask("conditionalUpdate=True", "PUT", f"?{trial.criteria}", 200, changed)["language"] == "vi"
    trial.ask("operation=validate", "POST", f"/{trial.tag}/$validate", 200, trial.body | {"id": trial.tag})
    meta = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"tag": [{"code": "more"}]}}]}
    for change in ("meta-add", "meta-delete"):
        trial.ask(f"operation={change}", "POST", f"/{trial.tag}/${change}", 200, meta)
    for place in ("", f"/{trial.tag}", f"/{trial.tag}/_history/1"):
        trial.ask("operation=meta", "GET", f"{place}/$meta", 200)
    trial.ask("conditionalDelete=single", "DELETE", f"?{trial.criteria}", 204)


def claims(part: Json) -> set[str]:
    said = {each["code"] for each in part["interaction"]}
    said |= {f"operation={each['name']}" for each in part["operation"] if each["name"] in EVERYWHERE}
    flags = ("versioning", "readHistory", "updateCreate", "conditionalCreate", "conditionalRead", "conditionalUpdate")
    return said | {f"{name}={part[name]}" for name in (*flags, "conditionalDelete")}


class TestTypes:
    def test_all_claim_the_same(self, statement: Json) -> None:
        """So that what is claimed beside the interactions is tried with those types that have code of their own."""
        assert len({frozenset(claims(part)) for part in statement["resource"]}) == 1

    @pytest.mark.parametrize("resource_type", sorted(model.resource_types()))
    def test_every_interaction_is_there(self, client: httpx.Client, statement: Json, resource_type: str) -> None:
        part = next(each for each in statement["resource"] if each["type"] == resource_type)
        trial = Trial(client, resource_type)
        interactions(trial)
        assert trial.held == {each["code"] for each in part["interaction"]} | WITH_THEM

    @pytest.mark.parametrize("resource_type", OF_THEIR_OWN)
    def test_every_claim_holds(self, client: httpx.Client, statement: Json, resource_type: str) -> None:
        trial = Trial(client, resource_type)
        conditions(trial)
        part = next(each for each in statement["resource"] if each["type"] == resource_type)
        assert trial.held == claims(part) - {each["code"] for each in part["interaction"]} - WITH_THEM

    def test_references_are_as_claimed(self, client: httpx.Client, statement: Json) -> None:
        """literal, enforced, local (valueset-reference-handling-policy.html)."""
        assert {tuple(each["referencePolicy"]) for each in statement["resource"]} == {("literal", "enforced", "local")}
        person = made(client, patient())["id"]
        made(client, observation(person))
        lost = client.post("/Observation", content=json.dumps(observation("nobody")), headers=FHIR)
        assert lost.status_code == 422


class TestOperations:
    """Of each operation at each place that claims it, a call that succeeds."""

    def test_every_one_is_called(self, live: House, client: httpx.Client, statement: Json) -> None:
        places = [({"type": ""} | statement), *statement["resource"]]
        claimed = {
            (each["type"], operation["name"])
            for each in places
            for operation in each.get("operation", ())
            if not each["type"] or operation["name"] not in EVERYWHERE
        }
        assert claimed == CALLS.keys()
        with live.client("warehouse") as exporter:
            for (place, name), call in CALLS.items():
                method, _, address = call.partition(" ")
                sender = exporter if name == "export" else client
                kind = {"Content-Type": "application/fhir+ndjson"} if name == "import" else FHIR
                body = json.dumps(BODIES[name]) if name in BODIES else None
                answer = sender.request(method, address, content=body, headers=kind | ASYNC)
                assert answer.status_code in (200, 202), (place, name, answer.text)
                if answer.status_code == 202:
                    sender.delete(answer.headers["Content-Location"])
