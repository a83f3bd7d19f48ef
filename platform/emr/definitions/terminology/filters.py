"""The filters of a value set (valueset-filter-operator.html) as tests of one concept."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

from emr.definitions.terminology.codes import CodeSystem, Concept, value_of
from emr.definitions.terminology.refusals import DefinitionUnusable

Json = dict[str, Any]
Test = Callable[[Concept], bool]

_PATTERN_LONGEST: Final = 1_000
_CODE: Final = frozenset({"concept", "code"})
_HIERARCHY: Final = frozenset({"is-a", "descendent-of", "is-not-a", "generalizes"})
_BUILT_IN: Final = frozenset(
    {"concept", "code", "display", "definition", "parent", "child", "inactive", "notSelectable"}
)


def test_of(system: CodeSystem, given: Json, location: str) -> Test:
    """A filter as a test of the system's concepts. Raises `DefinitionUnusable` for one that cannot be followed."""
    name, operator, value = given.get("property"), given.get("op"), given.get("value")
    if name is None or operator is None or value is None:
        raise DefinitionUnusable("filter-incomplete", "A filter has a property, an op and a value.", location=location)
    if operator in _HIERARCHY:
        return _hierarchy_test(system, given, location)
    if name not in _BUILT_IN and not _has_property(system, name):
        rule = f"The code system {system.url} has no property {name[:64]}."
        raise DefinitionUnusable("filter-property-unknown", rule, location=location)
    values = _values_of(system, name)
    match operator:
        case "=":
            return lambda concept: value in values(concept)
        case "in" | "not-in":
            listed = frozenset(each.strip() for each in value.split(","))
            inside = operator == "in"
            return lambda concept: bool(listed.intersection(values(concept))) == inside
        case "exists":
            wanted = value.strip().lower() == "true"
            return lambda concept: any(True for _ in values(concept)) == wanted
        case "regex":
            fits = _pattern(value, location)
            return lambda concept: any(fits(each) for each in values(concept))
        case _:
            raise DefinitionUnusable("filter-unknown", f"There is no filter {operator[:32]}.", location=location)


def subsumes_by_hierarchy(system: CodeSystem) -> bool:
    """Whether standing below another concept means being one of its kind; parts of a whole are not kinds of it."""
    return system.meaning != "part-of"


def _hierarchy_test(system: CodeSystem, given: Json, location: str) -> Test:
    name, operator, value = given["property"], given["op"], given["value"]
    if name not in _CODE or not subsumes_by_hierarchy(system):
        rule = f"{operator} by {name[:64]} has no meaning in {system.url}."
        raise DefinitionUnusable("filter-unsupported", rule, location=location)
    found = system.find(value)
    code = found.code if found else value
    if operator == "generalizes":
        codes = system.above(code) | {code}
    else:
        codes = system.below(code) | (frozenset() if operator == "descendent-of" else {code})
    if operator == "is-not-a":
        return lambda concept: concept.code not in codes
    return lambda concept: concept.code in codes


def _has_property(system: CodeSystem, name: str) -> bool:
    if name in system.declared:
        return True
    return any(each["code"] == name for concept in system.concepts.values() for each in concept.properties)


def _values_of(system: CodeSystem, name: str) -> Callable[[Concept], Iterable[str]]:
    """The values of a property as texts."""
    built_in: dict[str, Callable[[Concept], Iterable[str]]] = {
        "concept": lambda concept: (concept.code,),
        "code": lambda concept: (concept.code,),
        "display": lambda concept: (concept.display,) if concept.display else (),
        "definition": lambda concept: (concept.definition,) if concept.definition else (),
        "parent": lambda concept: concept.parents,
        "child": lambda concept: system.children(concept.code),
        "inactive": lambda concept: (_text(concept.inactive),),
        "notSelectable": lambda concept: (_text(concept.abstract),),
    }
    if name in built_in:
        return built_in[name]
    return lambda concept: [_text(value_of(each)) for each in concept.properties if each["code"] == name]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return str(value.get("code", ""))
    return str(value)


def _pattern(value: str, location: str) -> Callable[[str], bool]:
    """The whole text must fit. The engine runs in linear time and refuses what would be compiled too large."""
    if len(value) > _PATTERN_LONGEST:
        rule = f"A regex has at most {_PATTERN_LONGEST} characters."
        raise DefinitionUnusable("filter-regex", rule, location=location)
    try:
        SchemaValidator(core_schema.str_schema(pattern=value))
        validator = SchemaValidator(core_schema.str_schema(pattern=rf"\A(?:{value})\z"))
    except SchemaError as error:
        rule = "The regex cannot be used: regular expressions without look-around and back references are."
        raise DefinitionUnusable("filter-regex", rule, location=location) from error

    def fits(text: str) -> bool:
        try:
            validator.validate_python(text)
        except ValidationError:
            return False
        return True

    return fits
