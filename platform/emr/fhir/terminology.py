"""Operations on code lists (FHIR R4, terminology-service.html): what goes in and out of them, and no rule of theirs."""

from typing import Any, Final

from fastapi import Request, Response

from emr.definitions.terminology.composing import Versions
from emr.fhir.negotiate import MEDIA_TYPE, refuse_other_answers
from emr.fhir.operation import Level, Operation
from emr.fhir.parameters import Input, Inputs, answer_parameters, inputs_of
from emr.kernel import json
from emr.kernel.errors import Malformed
from emr.records.terminology import concepts, expand, translate, verdict
from emr.records.terminology.designations import Wording
from emr.records.terminology.which import Which
from emr.web.work import Endpoint, Work, WorkWithBody

Json = dict[str, Any]

_EXPAND: Final = (
    Input("url", "uri"),
    Input("valueSet", "ValueSet"),
    Input("valueSetVersion", "string"),
    Input("filter", "string"),
    Input("offset", "integer"),
    Input("count", "integer"),
    Input("includeDesignations", "boolean"),
    Input("designation", "string", most=None),
    Input("includeDefinition", "boolean"),
    Input("activeOnly", "boolean"),
    Input("excludeNested", "boolean"),
    Input("excludeNotForUI", "boolean"),
    Input("excludePostCoordinated", "boolean"),
    Input("displayLanguage", "code"),
    Input("exclude-system", "canonical", most=None),
    Input("system-version", "canonical", most=None),
    Input("check-system-version", "canonical", most=None),
    Input("force-system-version", "canonical", most=None),
)
_CODED: Final = (
    Input("code", "code"),
    Input("system", "uri"),
    Input("display", "string"),
    Input("coding", "Coding"),
    Input("codeableConcept", "CodeableConcept"),
)
_JUDGED: Final = (Input("abstract", "boolean"), Input("displayLanguage", "code"))
_VALIDATE_IN_SET: Final = (
    Input("url", "uri"),
    Input("valueSet", "ValueSet"),
    Input("valueSetVersion", "string"),
    *_CODED,
    Input("systemVersion", "string"),
    *_JUDGED,
)
_VALIDATE_IN_SYSTEM: Final = (
    Input("url", "uri"),
    Input("codeSystem", "CodeSystem"),
    Input("version", "string"),
    *(each for each in _CODED if each.name != "system"),
    *_JUDGED,
)
_LOOK_UP: Final = (
    Input("code", "code"),
    Input("system", "uri"),
    Input("version", "string"),
    Input("coding", "Coding"),
    Input("displayLanguage", "code"),
    Input("property", "code", most=None),
)
_SUBSUMES: Final = (
    Input("codeA", "code"),
    Input("codeB", "code"),
    Input("system", "uri"),
    Input("version", "string"),
    Input("codingA", "Coding"),
    Input("codingB", "Coding"),
)
_DEPENDENCY: Final = (Input("element", "uri", least=1), Input("concept", "CodeableConcept", least=1))
_TRANSLATE: Final = (
    Input("url", "uri"),
    Input("conceptMap", "ConceptMap"),
    Input("conceptMapVersion", "string"),
    Input("code", "code"),
    Input("system", "uri"),
    Input("version", "string"),
    Input("source", "uri"),
    Input("coding", "Coding"),
    Input("codeableConcept", "CodeableConcept"),
    Input("target", "uri"),
    Input("targetsystem", "uri"),
    Input("dependency", "", most=None, parts=_DEPENDENCY),
    Input("reverse", "boolean"),
)


async def expand_value_set(request: Request, work: Work | WorkWithBody) -> Response:
    """`ValueSet/$expand` and `ValueSet/[id]/$expand`."""
    refuse_other_answers(request)
    given = inputs_of(request, _EXPAND)
    which = _which(request, given, "valueSet", "valueSetVersion")
    answer = await expand.expand(work, which, _wish(given))
    return Response(json.dumps(answer), 200, {"Cache-Control": "private, no-store"}, MEDIA_TYPE)


async def validate_in_value_set(request: Request, work: Work | WorkWithBody) -> Response:
    """`ValueSet/$validate-code` and `ValueSet/[id]/$validate-code`."""
    refuse_other_answers(request)
    given = inputs_of(request, _VALIDATE_IN_SET)
    which = _which(request, given, "valueSet", "valueSetVersion")
    codings = _codings(given, "systemVersion")
    if "code" in given and "system" not in given:
        raise Malformed("system-missing", "A code is validated with its system.", location="system")
    return _verdict(await verdict.validate_in_value_set(work, which, codings, _terms(given)))


async def validate_in_code_system(request: Request, work: Work | WorkWithBody) -> Response:
    """`CodeSystem/$validate-code` and `CodeSystem/[id]/$validate-code`; a Coding names its own system."""
    refuse_other_answers(request)
    given = inputs_of(request, _VALIDATE_IN_SYSTEM)
    which = _which(request, given, "codeSystem", "version")
    codings = _codings(given, "version")
    if not which.stated and "coding" in given:
        which = Which(url=codings[0].system, version=codings[0].version)
    return _verdict(await verdict.validate_in_code_system(work, which, codings, _terms(given)))


async def look_up(request: Request, work: Work | WorkWithBody) -> Response:
    """`CodeSystem/$lookup`; below an instance, the system is that one."""
    refuse_other_answers(request)
    given = inputs_of(request, _LOOK_UP)
    which, code = _concept(request, given, "code", "coding")
    wish = concepts.LookUp(frozenset(given.all("property")), given.one("displayLanguage"))
    found = await concepts.look_up(work, which, code, wish)
    outputs: list[tuple[str, str, Any]] = [
        ("name", "string", found.name),
        ("version", "string", found.version),
        ("display", "string", found.display),
    ]
    outputs += [("designation", "", _designation(each)) for each in found.designations]
    if found.definition:
        outputs.append(("property", "", [("code", "code", "definition"), ("value", "string", found.definition)]))
    outputs += [("property", "", _property(each)) for each in found.properties]
    return answer_parameters(outputs)


async def subsumes(request: Request, work: Work | WorkWithBody) -> Response:
    """`CodeSystem/$subsumes`, by two codes of one system or two Codings."""
    refuse_other_answers(request)
    given = inputs_of(request, _SUBSUMES)
    which, one = _concept(request, given, "codeA", "codingA")
    other_which, other = _concept(request, given, "codeB", "codingB")
    if which != other_which:
        rule = "Both codes are of one code system."
        raise Malformed("systems-differ", rule, location="codingB")
    return answer_parameters([("outcome", "code", await concepts.subsumes(work, which, one, other))])


async def translate_concept(request: Request, work: Work | WorkWithBody) -> Response:
    """`ConceptMap/$translate` and `ConceptMap/[id]/$translate`."""
    refuse_other_answers(request)
    given = inputs_of(request, _TRANSLATE)
    which = _which(request, given, "conceptMap", "conceptMapVersion")
    known: dict[str, str] = {}
    for each in given.all("dependency"):
        concept = each.one("concept")
        known[each.one("element")] = next(
            (c["code"] for c in concept.get("coding", ()) if "code" in c), concept.get("text", "")
        )
    towards = translate.Towards(
        given.one("source"),
        given.one("target"),
        given.one("targetsystem"),
        known,
        reverse=bool(given.one("reverse")),
    )
    matches = await translate.translate(work, which, _codings(given, "version"), towards)
    done = translate.translated(matches)
    outputs: list[tuple[str, str, Any]] = [
        ("result", "boolean", done),
        ("message", "string", None if done else "There is no mapping of this code."),
    ]
    return answer_parameters([*outputs, *(("match", "", _match(each)) for each in matches)])


def _which(request: Request, given: Inputs, inline: str, version: str) -> Which:
    return Which(request.path_params.get("id"), given.one("url"), given.one(version), given.one(inline))


def _concept(request: Request, given: Inputs, plain: str, coding: str) -> tuple[Which, str]:
    """The system and the code of what is given as a code or as a Coding."""
    resource_id = request.path_params.get("id")
    if (plain in given) == (coding in given):
        raise Malformed("code-not-one", f"Give {plain} or {coding}.", location=plain)
    if coding in given:
        said = given.one(coding)
        system, version, code = said.get("system"), said.get("version"), said.get("code")
    else:
        system, version, code = given.one("system"), given.one("version"), given.one(plain)
    if code is None or (system is None and resource_id is None):
        raise Malformed("system-missing", "A code is asked about with its system.", location="system")
    return Which(resource_id, system, version), code


def _codings(given: Inputs, version: str) -> list[verdict.Coded]:
    """The codings of exactly one of `code`, `coding` and `codeableConcept`."""
    if sum(name in given for name in ("code", "coding", "codeableConcept")) != 1:
        raise Malformed("code-not-one", "Give one of code, coding and codeableConcept.", location="code")
    if "code" in given:
        return [verdict.Coded(given.one("code"), given.one("system"), given.one(version), given.one("display"))]
    codings = [given.one("coding")] if "coding" in given else given.one("codeableConcept").get("coding", ())
    return [
        verdict.Coded(each["code"], each.get("system"), each.get("version"), each.get("display"))
        for each in codings
        if "code" in each
    ]


def _terms(given: Inputs) -> verdict.Terms:
    return verdict.Terms(abstract=bool(given.one("abstract")), language=given.one("displayLanguage"))


def _wish(given: Inputs) -> expand.Wish:
    types = {each.name: each.type for each in _EXPAND}
    said = [(name, types[name], value) for name in given.values for value in given.all(name) if name != "valueSet"]
    return expand.Wish(
        filter=given.one("filter") or "",
        offset=given.one("offset") or 0,
        count=given.one("count"),
        wording=Wording(given.one("displayLanguage"), given.all("designation")),
        with_designations=bool(given.one("includeDesignations")),
        with_definition=bool(given.one("includeDefinition")),
        active_only=bool(given.one("activeOnly")),
        selectable_only=bool(given.one("excludeNotForUI")),
        nested=given.one("excludeNested") is False,
        versions=Versions(
            stated=_by_system(given, "system-version"),
            checked=_by_system(given, "check-system-version"),
            forced=_by_system(given, "force-system-version"),
            excluded=frozenset(given.all("exclude-system")),
        ),
        said=[each for each in said if each[0] not in ("url", "valueSetVersion")],
    )


def _by_system(given: Inputs, name: str) -> dict[str, str]:
    found = {}
    for canonical in given.all(name):
        system, bar, version = canonical.partition("|")
        if not (system and bar and version):
            raise Malformed("parameter-value", f"{name} is system|version.", location=name)
        found[system] = version
    return found


def _verdict(said: verdict.Verdict) -> Response:
    return answer_parameters(
        [("result", "boolean", said.result), ("message", "string", said.message), ("display", "string", said.display)]
    )


def _designation(given: Json) -> list[tuple[str, str, Any]]:
    return [
        ("language", "code", given.get("language")),
        ("use", "Coding", given.get("use")),
        ("value", "string", given["value"]),
    ]


def _property(given: concepts.Property) -> list[tuple[str, str, Any]]:
    return [
        ("code", "code", given.code),
        ("value", given.type, given.value),
        ("description", "string", given.description),
    ]


def _match(given: translate.Match) -> list[tuple[str, str, Any]]:
    products: list[tuple[str, str, Any]] = [
        ("product", "", [("element", "uri", element), ("concept", "Coding", concept)])
        for element, concept in given.products
    ]
    return [
        ("equivalence", "code", given.equivalence),
        ("concept", "Coding", given.concept),
        *products,
        ("source", "uri", given.source or None),
    ]


def _operation(kind: str, name: str, endpoint: Endpoint) -> Operation:
    """One of the operations that the specification defines for a terminology resource, of a type or of one of it."""
    definition = f"http://hl7.org/fhir/OperationDefinition/{kind}-{name}"
    levels: frozenset[Level] = frozenset({"type", "instance"})
    return Operation(name=name, definition=definition, endpoint=endpoint, levels=levels, types=frozenset({kind}))


TERMINOLOGY: Final = (
    _operation("ValueSet", "expand", expand_value_set),
    _operation("CodeSystem", "lookup", look_up),
    _operation("CodeSystem", "subsumes", subsumes),
    _operation("ConceptMap", "translate", translate_concept),
    _operation("ValueSet", "validate-code", validate_in_value_set),
    _operation("CodeSystem", "validate-code", validate_in_code_system),
)
