"""An OpenAPI description of the FHIR interface, made from its routes, its operations and its CapabilityStatement.

It is no part of the product: an OpenAPI document cannot say what FHIR says, and a CapabilityStatement is what FHIR clients
read. It says as much as is needed to ask everything and to hold each answer against what may be answered.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from emr.fhir import api
from emr.fhir.operation import Operation
from emr.fhir.operations import OPERATIONS

Json = dict[str, Any]

ASKED: Final = ("Patient", "Observation", "Encounter", "ValueSet")
"""Types whose search parameters are all described by name; the others are reached through `{type}`."""
KNOWN: Final = "known-by-all"
"""An id that each of these types has."""
FHIR: Final = "application/fhir+json"
_WRITING: Final = frozenset({"POST", "PUT", "PATCH"})
_SEVERITIES: Final = ("fatal", "error", "warning", "information")
_ISSUE_CODES: Final = (
    *("invalid", "structure", "required", "value", "invariant", "security", "login", "unknown", "expired", "forbidden"),
    *("suppressed", "processing", "not-supported", "duplicate", "multiple-matches", "not-found", "deleted", "too-long"),
    *("code-invalid", "extension", "too-costly", "business-rule", "conflict", "transient", "lock-error", "no-store"),
    *("exception", "timeout", "incomplete", "throttled", "informational"),
)
"""http://hl7.org/fhir/issue-type as of R4; every code that this server says is one of them."""
_OUTCOME: Final[Json] = {
    "type": "object",
    "required": ["resourceType", "issue"],
    "properties": {
        "resourceType": {"const": "OperationOutcome"},
        "issue": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["severity", "code", "diagnostics", "details"],
                "properties": {
                    "severity": {"enum": list(_SEVERITIES)},
                    "code": {"enum": list(_ISSUE_CODES)},
                    "diagnostics": {"type": "string", "minLength": 1},
                    "expression": {"type": "array", "items": {"type": "string", "minLength": 1}},
                },
            },
        },
    },
}
_RESOURCE: Final[Json] = {"type": "object", "required": ["resourceType"]}
_REFUSED: Final = (400, 401, 403, 404, 406, 409, 410, 412, 413, 415, 422)
_VALUES: Final = {
    "token": ("male", "http://loinc.org|8867-4", "|final", "a,b,c"),
    "string": ("nguyễn", "A\\,b", "%"),
    "date": ("2020", "ge2020-02-29", "ap2020-01-01T10:00:00+07:00"),
    "reference": (f"Patient/{KNOWN}", "urn:uuid:x", "https://example.org/Patient/1"),
    "uri": ("urn:x", "http://hl7.org/fhir/ValueSet/administrative-gender"),
    "number": ("7", "1e20", "ne-0.0"),
    "quantity": ("5.4|http://unitsofmeasure.org|mmol/L", "ge3||kg", "lt1e-9"),
    "special": ("a",),
}
_CONTROLS: Final = {
    "_count": ("0", "1", "1000000"),
    "_sort": ("-_lastUpdated", "_id"),
    "_summary": ("true", "count", "false"),
    "_total": ("accurate", "none"),
    "_format": ("json", "application/fhir+json"),
}
"""Values that can be read; schemathesis makes up those that cannot."""

_GENDER: Final = "http://hl7.org/fhir/administrative-gender"
_GENDERS: Final = "http://hl7.org/fhir/ValueSet/administrative-gender"
_INPUTS: Final[dict[str, Json]] = {
    "expand": {"url": _GENDERS, "filter": "f", "count": "1", "offset": "0"},
    "validate-code": {"url": _GENDERS, "system": _GENDER, "code": "male", "display": "Male"},
    "lookup": {"system": _GENDER, "code": "male"},
    "subsumes": {"system": _GENDER, "codeA": "male", "codeB": "female"},
    "translate": {"url": "urn:x", "system": _GENDER, "code": "male", "targetsystem": "urn:x"},
    "everything": {"_count": "1", "_type": "Patient,Observation", "start": "2020"},
    "lastn": {"max": "2", "patient": KNOWN, "code": "8867-4"},
    "document": {"persist": "false"},
    "validate": {"mode": "create"},
}


def description(statement: Json) -> Json:
    """The whole of it, with addresses below a hospital's FHIR base. `statement`: its CapabilityStatement."""
    paths: dict[str, Json] = {"/metadata": {"get": _operation([_query("mode", ("full", "x"))])}}
    for method, path, _ in (*api.ROUTES, ("POST", "/", None)):
        if "$" not in path and path:
            place = path.replace("{type}", "Patient").replace("{id}", KNOWN) if method in _WRITING else path
            paths.setdefault(place, {})[method.lower()] = _route(method, place)
    for resource in statement["rest"][0]["resource"]:
        if resource["type"] in ASKED:
            searched = _operation(_searched(resource["searchParam"]))
            paths[f"/{resource['type']}"] = paths.get(f"/{resource['type']}", {}) | {"get": searched}
    for operation in OPERATIONS:
        for path in _places(operation):
            methods = sorted(each.lower() for each in operation.methods)
            paths[path] = {each: _called(operation, path, each) for each in methods}
    return {"openapi": "3.1.0", "info": {"title": "FHIR", "version": "4.0.1"}, "paths": paths}


def _route(method: str, path: str) -> Json:
    parameters = _parts(path)
    if method == "GET":
        names = (
            ("_count", "_format") if "_history" in path else ("_summary", "_format") if "{id}" in path else _CONTROLS
        )
        parameters += [_query(name, _CONTROLS[name]) for name in names]
    if method in ("PUT", "DELETE", "PATCH") and path == "/Patient":
        parameters.append(_query("identifier", ("urn:x|y", "urn:x|z")))
    if method in ("PUT", "DELETE", "PATCH"):
        parameters.append(_header("If-Match", ('W/"1"', '"2"')))
    if method == "POST":
        parameters.append(_header("If-None-Exist", ("identifier=urn:x|y",)))
    parameters.append(_header("Prefer", ("return=minimal", "return=OperationOutcome", "handling=lenient")))
    return _operation(parameters, _body(method, path))


def _operation(parameters: Iterable[Json], body: Json | None = None) -> Json:
    answers: Json = {str(status): _answer(_OUTCOME) for status in _REFUSED}
    answers |= {str(status): _answer(_RESOURCE) for status in (200, 201)}
    answers |= {str(status): {"description": "nothing"} for status in (202, 204, 304)}
    return {"parameters": list(parameters), "responses": answers} | ({"requestBody": body} if body else {})


def _answer(schema: Json) -> Json:
    return {"description": "a resource", "content": {FHIR: {"schema": schema}}}


def _body(method: str, path: str) -> Json | None:
    if method not in ("POST", "PUT", "PATCH"):
        return None
    if path.endswith("_search"):
        form = {"type": "object", "properties": {name: {"enum": list(values)} for name, values in _CONTROLS.items()}}
        return {"content": {"application/x-www-form-urlencoded": {"schema": form}}}
    content: Json = {FHIR: {"schema": _bundles() if path == "/" else _resources()}}
    if method == "PATCH":
        content["application/json-patch+json"] = {"schema": _json_patch()}
    return {"content": content, "required": True}


def _resources() -> Json:
    """Patients, as they should be and not."""
    name = _closed(family=["Nguyễn", "x" * 300, " "], use=["usual", "x"], given=[["Văn"], [None], "x"])
    contained = {"type": "array", "maxItems": 1, "items": _closed(resourceType=["Patient", "x"], id=["a", "b"])}
    return {
        "type": "object",
        "required": ["resourceType"],
        "additionalProperties": False,
        "properties": {
            "resourceType": {"enum": ["Patient"]},
            "id": {"enum": [KNOWN]},
            "gender": {"enum": ["male", "other"]},
            "active": {"type": "boolean"},
            "name": {"type": "array", "items": name},
            "birthDate": {"enum": ["1980", "1980-02-29", "1980-02-30"]},
            "managingOrganization": _closed(reference=["#a", "Organization/x", "Organization?identifier=x"]),
            "contained": contained,
            "multipleBirthInteger": {"enum": [1, 2, "2", 1.5, 10**20]},
        },
    }


def _closed(**members: list[Any]) -> Json:
    """An object with some of these members, each with one of its values."""
    known = {name: {"enum": values} for name, values in members.items()}
    return {"type": "object", "additionalProperties": False, "properties": known}


def _bundles() -> Json:
    verbs = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "X"]
    urls = [
        "Patient",
        f"Patient/{KNOWN}",
        "Patient?name=x",
        "Patient/$everything",
        "",
        "/",
        "_history",
        "?_type=Patient",
    ]
    entry = {
        "type": "object",
        "required": ["request"],
        "additionalProperties": False,
        "properties": {
            "request": _closed(method=verbs, url=urls) | {"required": ["method", "url"]},
            "resource": _resources(),
            "fullUrl": {"enum": ["urn:uuid:x", "x", ""]},
        },
    }
    return {
        "type": "object",
        "required": ["resourceType", "type", "entry"],
        "additionalProperties": False,
        "properties": {
            "resourceType": {"enum": ["Bundle"]},
            "type": {"enum": ["transaction", "batch", "history"]},
            "entry": {"type": "array", "maxItems": 4, "items": entry},
        },
    }


def _json_patch() -> Json:
    verbs = ["add", "remove", "replace", "move", "copy", "test", "x"]
    paths = ["/name/0/family", "/active", "/", "", "/id", "/name/-", "/name/99999999999", "name"]
    step = {
        "type": "object",
        "required": ["op", "path"],
        "additionalProperties": False,
        "properties": {
            "op": {"enum": verbs},
            "path": {"enum": paths},
            "from": {"enum": paths},
            "value": {"enum": ["x", True, None, [], {}]},
        },
    }
    return {"type": "array", "maxItems": 4, "items": step}


def _places(operation: Operation) -> Iterator[str]:
    types = sorted(operation.types) if "*" not in operation.types else ["Patient"]
    stems = {
        "system": "",
        "type": "/{type}",
        "instance": f"/{{type}}/{KNOWN}",
        "version": f"/{{type}}/{KNOWN}/_history/1",
    }
    for level in sorted(operation.levels):
        for resource_type in types if level != "system" else ("",):
            yield f"{stems[level].format(type=resource_type)}/${operation.name}"


def _called(operation: Operation, path: str, method: str) -> Json:
    inputs = [_query(name, (value,)) for name, value in _INPUTS.get(operation.name, {}).items()]
    coding: list[Any] = [{"system": _GENDER, "code": "male"}, {"code": ""}]
    parameter = _closed(
        name=["resource", "url", "valueSet", "code", "coding", "meta", "x"],
        valueUri=[_GENDERS, "x y"],
        valueCode=["male", 1],
        valueCoding=coding,
        valueMeta=[{"tag": coding}, {"versionId": "9"}],
    )
    parameter["properties"]["resource"] = _resources()
    parameter["required"] = ["name"]
    body = {
        "type": "object",
        "required": ["resourceType"],
        "additionalProperties": False,
        "properties": {
            "resourceType": {"enum": ["Parameters"]},
            "parameter": {"type": "array", "maxItems": 3, "items": parameter},
        },
    }
    content = {"content": {FHIR: {"schema": body}}} if method == "post" else None
    return _operation([*_parts(path), *(inputs if method == "get" else ())], content)


def _searched(known: Iterable[Json]) -> Iterator[Json]:
    for each in known:
        if each["type"] in _VALUES:
            yield _query(each["name"], _VALUES[each["type"]])
    yield from _controls()


def _controls() -> Iterator[Json]:
    return (_query(name, values) for name, values in _CONTROLS.items())


def _parts(path: str) -> list[Json]:
    values = {
        "type": [*ASKED, "Medication", "Binary", "Unknown"],
        "id": [KNOWN, KNOWN, "nobody", "%00", "a" * 65],
        "version": ["1", "2", "0", "x", "99999999999999999999"],
        "member": [*ASKED, "*", "_history", "x"],
    }
    return [
        {"name": name, "in": "path", "required": True, "schema": {"enum": known}}
        for name, known in values.items()
        if f"{{{name}}}" in path
    ]


def _query(name: str, known: tuple[str, ...]) -> Json:
    return {"name": name, "in": "query", "schema": {"enum": list(known)}}


def _header(name: str, known: tuple[str, ...]) -> Json:
    return {"name": name, "in": "header", "schema": {"enum": list(known)}}
