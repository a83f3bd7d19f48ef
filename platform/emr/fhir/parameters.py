"""What an operation is given and what it answers (FHIR R4, operations.html#executing): named, typed, nothing ignored.

Inputs come from the query (primitive types only), from a `Parameters` resource, from a form, or, where an operation has
one input that is a resource, as that resource itself. A name that the operation does not have is refused by that name,
and so is a required one that is missing, one given too often and a value of another type.

    _INPUTS = (Input("start", "date"), Input("_type", "code", most=None), Input("resource", "Resource", least=1))

    given = inputs_of(request, _INPUTS)      # for GET, and for POST on a route that takes a body
    given.one("start")                       # "2026-01-01" or None
    given.all("_type")                       # ("Observation", "Condition"); () when absent
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import Request, Response

from emr.definitions import model
from emr.definitions.primitives import TESTS
from emr.definitions.validate import demand_valid
from emr.fhir.negotiate import MEDIA_TYPE, refuse_other_bodies
from emr.kernel import json
from emr.kernel.errors import Malformed
from emr.web.body import body_of

Json = dict[str, Any]

FORM: Final = "application/x-www-form-urlencoded"
_CONTROL: Final = frozenset({"_format", "_pretty"})
"""Said about the answer and not to the operation; `negotiate.refuse_other_answers` reads them."""
_FIELDS_MOST: Final = 1_000
_FAMILIES: Final = (
    frozenset({"string", "code", "id", "uri", "url", "canonical", "oid", "uuid", "markdown"}),
    frozenset({"integer", "positiveInt", "unsignedInt"}),
    frozenset({"date", "dateTime", "instant"}),
)
"""Clients write `valueString` where an operation asks for a code: the same JSON, held to the rule of what is asked."""
_WHOLE: Final = _FAMILIES[1]
_BOOLEANS: Final = {"true": True, "false": False}
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})(?:\.[0-9]{1,18})?(?:[eE][-+]?[0-9]{1,3})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Input:
    """One input of an operation, as its OperationDefinition states it.

    type: a data type, a resource type, `Resource` for any, or `` for one that has parts. most: None for any number.
    """

    name: str
    type: str
    least: int = 0
    most: int | None = 1
    parts: tuple["Input", ...] = ()
    unchecked: bool = False
    """A resource that is handed on as it came, for an operation whose very question is whether it is valid."""

    @property
    def primitive(self) -> bool:
        """Whether it may stand in an address."""
        return self.type in TESTS

    @property
    def resource(self) -> bool:
        """Whether it is a whole resource."""
        return self.type == "Resource" or self.type in model.resource_types()


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was given: primitives as `bool int Number str`, complex types and resources as dicts, parts as `Inputs`."""

    values: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def one(self, name: str) -> Any:
        """The value, or None when it was not given."""
        found = self.values.get(name, ())
        return found[0] if found else None

    def all(self, name: str) -> tuple[Any, ...]:
        """Every value in the order in which they were given."""
        return self.values.get(name, ())

    def __contains__(self, name: str) -> bool:
        return name in self.values


def inputs_of(request: Request, accepted: Sequence[Input]) -> Inputs:
    """The inputs of an operation from its address and, for POST, from the body that the route has read.

    Raises `Malformed` naming the input (codes `parameter-unknown parameter-required parameter-repeated parameter-type
    parameter-value parameter-complex`), `Invalid` for a `Parameters` resource that breaks rules, `UnsupportedMedia`.
    """
    given = _from_pairs(query_pairs(request.url.query), accepted)
    body = body_of(request) if request.method == "POST" else b""
    if body:
        given += _from_body(request, body, accepted)
    return _checked(given, accepted, "")


def query_pairs(query: str) -> list[tuple[str, str]]:
    """Decoded names and values of an address, without what is said about the answer. Raises `Malformed`."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MOST)
    except ValueError as error:
        raise Malformed("query-form", "The query cannot be read as UTF-8 names and values.") from error
    return [pair for pair in pairs if pair[0] not in _CONTROL]


def text_pairs(request: Request) -> list[tuple[str, str]]:
    """All inputs as texts, for an operation that takes search parameters: from the address, a form or `Parameters`.

    Raises `Malformed` for a value that is no primitive.
    """
    pairs = query_pairs(request.url.query)
    body = body_of(request) if request.method == "POST" else b""
    if not body:
        return pairs
    if _is_form(request):
        return pairs + query_pairs(_form(body))
    return pairs + [_text_pair(each) for each in _parameters(request, json.parse(body).value, ())]


def parameters(outputs: Iterable[tuple[str, str, Any]]) -> Json:
    """A `Parameters` resource of (name, type, value).

    A resource type or `Resource` takes a resource, `` a list of outputs as parts, every other type a value of it. An
    output whose value is None is left out.
    """
    said = [_output(*output) for output in outputs if output[2] is not None]
    return {"resourceType": "Parameters"} | ({"parameter": said} if said else {})


def answer_parameters(outputs: Iterable[tuple[str, str, Any]], headers: dict[str, str] | None = None) -> Response:
    """The same as an answer that nobody on the way keeps."""
    kept = {"Cache-Control": "private, no-store"} | (headers or {})
    return Response(json.dumps(parameters(outputs)), 200, kept, MEDIA_TYPE)


def unknown(name: str, accepted: Sequence[Input]) -> Malformed:
    """The refusal of a name that the operation does not have."""
    known = ", ".join(each.name for each in accepted) or "none"
    rule = f"There is no input {name[:64]} here; there are: {known}."
    return Malformed("parameter-unknown", rule, location=name[:64])


def _from_pairs(pairs: Iterable[tuple[str, str]], accepted: Sequence[Input]) -> list[tuple[str, Any]]:
    known = {each.name: each for each in accepted}
    given: list[tuple[str, Any]] = []
    for name, text in pairs:
        asked = known.get(name)
        if asked is None:
            raise unknown(name, accepted)
        if not asked.primitive:
            rule = f"{name} is no primitive; send it in a Parameters resource."
            raise Malformed("parameter-complex", rule, location=name)
        given.append((name, _tested(asked, _read(asked.type, text), asked.name)))
    return given


def _read(kind: str, text: str) -> Any:
    """The JSON value behind the text of an address; the text itself when it is none of its kind."""
    if kind == "boolean":
        return _BOOLEANS.get(text, text)
    if (kind in _WHOLE or kind == "decimal") and _NUMBER.fullmatch(text):
        return json.loads(b'{"value":' + text.encode() + b"}")["value"]
    return text


def _from_body(request: Request, body: bytes, accepted: Sequence[Input]) -> list[tuple[str, Any]]:
    if _is_form(request):
        return _from_pairs(query_pairs(_form(body)), accepted)
    refuse_other_bodies(request)
    value = json.parse(body).value
    whole = [each for each in accepted if each.resource]
    if value.get("resourceType") != "Parameters" and len(whole) == 1:
        return [(whole[0].name, _resource(whole[0], value, whole[0].name))]
    return _from_parts(_parameters(request, value, accepted), accepted, "")


def _parameters(request: Request, value: Json, accepted: Sequence[Input]) -> list[Json]:
    refuse_other_bodies(request)
    if value.get("resourceType") != "Parameters":
        raise Malformed("wrong-type", "The body is a Parameters resource.", location="resourceType")
    unchecked = {each.name for each in accepted if each.unchecked}
    sent = value.get("parameter")
    parts = [_without_content(each, unchecked) for each in sent] if type(sent) is list else sent
    demand_valid(value if parts is None else {**value, "parameter": parts}, expected_type="Parameters")
    return list(value.get("parameter", ()))


def _from_parts(sent: Iterable[Json], accepted: Sequence[Input], above: str) -> list[tuple[str, Any]]:
    known = {each.name: each for each in accepted}
    given: list[tuple[str, Any]] = []
    for each in sent:
        asked = known.get(each["name"])
        if asked is None:
            raise unknown(above + each["name"], accepted)
        given.append((asked.name, _value(asked, each, above + asked.name)))
    return given


def _without_content(part: Any, unchecked: set[str]) -> Any:
    """An empty Parameters is a valid resource, and stands for one that is not looked at yet."""
    if type(part) is dict and part.get("name") in unchecked and type(part.get("resource")) is dict:
        return {**part, "resource": {"resourceType": "Parameters"}}
    return part


def _value(asked: Input, sent: Json, place: str) -> Any:
    if asked.parts:
        return _checked(_from_parts(sent.get("part", ()), asked.parts, f"{place}."), asked.parts, f"{place}.")
    if asked.resource:
        return _resource(asked, sent.get("resource"), place)
    member = next((name for name in sent if name.startswith("value")), None)
    if member is None:
        raise Malformed("parameter-type", f"{place} has a value of type {asked.type}.", location=place)
    if _same_family(asked.type, member.removeprefix("value")):
        return _tested(asked, sent[member], place)
    raise Malformed("parameter-type", f"{place} is of type {asked.type}, not {member}.", location=place)


def _same_family(asked: str, sent: str) -> bool:
    if asked[0].upper() + asked[1:] == sent:
        return True
    lower = sent[0].lower() + sent[1:]
    return any(asked in family and lower in family for family in _FAMILIES)


def _resource(asked: Input, value: object, place: str) -> Json:
    kind = value.get("resourceType") if isinstance(value, dict) else None
    if not isinstance(value, dict) or (asked.type not in ("Resource", kind)):
        wanted = "a resource" if asked.type == "Resource" else f"a {asked.type}"
        raise Malformed("parameter-type", f"{place} is {wanted}.", location=place)
    return value


def _tested(asked: Input, value: Any, place: str) -> Any:
    if asked.type not in TESTS:
        return value
    test, rule = TESTS[asked.type]
    if not test(value):
        raise Malformed("parameter-value", f"{place} is {rule}.", location=place)
    return value


def _checked(given: Iterable[tuple[str, Any]], accepted: Sequence[Input], above: str) -> Inputs:
    found: dict[str, tuple[Any, ...]] = {}
    for name, value in given:
        found[name] = (*found.get(name, ()), value)
    for each in accepted:
        count, place = len(found.get(each.name, ())), above + each.name
        if count < each.least:
            raise Malformed("parameter-required", f"{place} is required.", location=place)
        if each.most is not None and count > each.most:
            raise Malformed("parameter-repeated", f"{place} is given at most {each.most} times.", location=place)
    return Inputs(found)


def _text_pair(sent: Json) -> tuple[str, str]:
    name: str = sent["name"]
    member = next((each for each in sent if each.startswith("value")), "")
    value = sent.get(member)
    if isinstance(value, bool):
        return name, "true" if value else "false"
    if isinstance(value, json.Number):
        return name, value.text
    if isinstance(value, str | int):
        return name, str(value)
    raise Malformed("parameter-type", f"{name[:64]} is a primitive value.", location=name[:64])


def _output(name: str, kind: str, value: Any) -> Json:
    if not kind:
        return {"name": name, "part": [_output(*part) for part in value if part[2] is not None]}
    if kind == "Resource" or kind in model.resource_types():
        return {"name": name, "resource": value}
    return {"name": name, f"value{kind[0].upper()}{kind[1:]}": value}


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").split(";")[0].strip().lower() == FORM


def _form(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("form-encoding", "The form is not UTF-8.") from error
