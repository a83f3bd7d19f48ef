"""Resources and requests that the tests of the FHIR interface share."""

import json
import secrets
from collections.abc import Sequence
from typing import Any

import httpx

FHIR = {"Content-Type": "application/fhir+json"}
Json = dict[str, Any]


def mark() -> str:
    """A text that stands nowhere else in the hospital, so that a test finds what it made itself."""
    return f"m{secrets.token_hex(6)}"


def patient(**more: Any) -> Json:
    return {"resourceType": "Patient", "name": [{"family": "Nguyễn", "given": ["Văn", "An"]}], "gender": "male"} | more


def observation(patient_id: str, **more: Any) -> Json:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": f"Patient/{patient_id}"},
    } | more


def identifier(value: str, system: str = "urn:test:number") -> list[Json]:
    return [{"system": system, "value": value}]


def post(client: httpx.Client, resource: Json, **headers: str) -> httpx.Response:
    return client.post(f"/{resource['resourceType']}", content=json.dumps(resource), headers=FHIR | headers)


def put(client: httpx.Client, resource: Json, **headers: str) -> httpx.Response:
    address = f"/{resource['resourceType']}/{resource['id']}"
    return client.put(address, content=json.dumps(resource), headers=FHIR | headers)


def made(client: httpx.Client, resource: Json) -> Json:
    answer = post(client, resource)
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


def entry(method: str, url: str, resource: Json | None = None, **more: Any) -> Json:
    """An entry of a transaction; `full_url` becomes `fullUrl`, the rest goes into the request."""
    full_url = more.pop("full_url", None)
    parts: Json = {"request": {"method": method, "url": url} | more}
    if resource is not None:
        parts["resource"] = resource
    return ({"fullUrl": full_url} if full_url else {}) | parts


def bundle(client: httpx.Client, kind: str, *entries: Json, **headers: str) -> httpx.Response:
    body = json.dumps({"resourceType": "Bundle", "type": kind, "entry": list(entries)})
    return client.post("", content=body, headers=FHIR | headers)


def found(client: httpx.Client, query: str) -> list[str]:
    """The ids of the matches of a search that must succeed."""
    answer = client.get(f"/{query}")
    assert answer.status_code == 200, answer.text
    return ids(answer.json())


def ids(searchset: Json, mode: str = "match") -> list[str]:
    return [each["resource"]["id"] for each in searchset.get("entry", ()) if each["search"]["mode"] == mode]


def next_link(searchset: Json) -> str | None:
    return next((link["url"] for link in searchset.get("link", ()) if link["relation"] == "next"), None)


def all_pages(client: httpx.Client, query: str, most: int = 50) -> list[list[str]]:
    """The ids of each page to the last one; fails when the pages do not end."""
    pages: list[list[str]] = []
    address: str | None = f"/{query}"
    while address is not None:
        assert len(pages) < most, "the pages do not end"
        answer = client.get(address)
        assert answer.status_code == 200, answer.text
        pages.append(ids(answer.json()))
        address = next_link(answer.json())
    return pages


def flat(pages: Sequence[Sequence[str]]) -> list[str]:
    return [each for page in pages for each in page]


def refusal(answer: httpx.Response) -> tuple[int, str, str | None]:
    """Status, our own code and the place of a refusal."""
    issue = answer.json()["issue"][0]
    assert answer.json()["resourceType"] == "OperationOutcome"
    return answer.status_code, issue["details"]["coding"][0]["code"], (issue.get("expression") or [None])[0]
