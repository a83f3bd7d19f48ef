"""Which index values a search parameter takes from the values of a data type."""

import functools
from datetime import tzinfo
from typing import Final

from emr.definitions import amounts, emitting, model
from emr.definitions.routes import Route
from emr.definitions.search import SearchParameter
from emr.definitions.values import Emit

_AMOUNTS: Final[dict[str, Emit]] = {
    "Money": amounts.emit_money,
    "Range": amounts.emit_range,
    "SampledData": amounts.emit_sampled,
    "decimal": amounts.emit_number,
    "integer": amounts.emit_number,
    "positiveInt": amounts.emit_number,
    "unsignedInt": amounts.emit_number,
}
_TOKENS: Final[dict[str, Emit]] = {
    "CodeableConcept": emitting.emit_concept,
    "Coding": emitting.emit_coding,
    "ContactPoint": emitting.emit_contact,
    "Identifier": emitting.emit_identifier,
    "boolean": emitting.emit_boolean,
}


def emitter(parameter: SearchParameter, route: Route, zone: tzinfo) -> Emit:
    """The same function for the same work, so that parameters which share an element share its rows."""
    found: Emit
    match parameter.kind:
        case "token" if parameter.name == "identifier" and route.type == "Identifier":
            found = emitting.emit_identified
        case "token":
            found = _token(route.type, route.binding)
        case "string":
            found = _string(route.type)
        case "date":
            found = _date(route.type, zone)
        case "reference":
            found = emitting.emit_reference if route.type == "Reference" else emitting.emit_canonical
        case "number" | "quantity":
            found = _AMOUNTS.get(route.type, amounts.emit_quantity)
        case _:
            found = emitting.emit_uri
    return found


@functools.cache
def _token(type_: str, binding: str | None) -> Emit:
    if type_ == "code" and binding:
        return emitting.emit_code(model.codes(binding))
    return _TOKENS.get(type_, emitting.emit_plain)


@functools.cache
def _string(type_: str) -> Emit:
    return emitting.emit_parts(emitting.PARTS[type_]) if type_ in emitting.PARTS else emitting.emit_string


@functools.cache
def _date(type_: str, zone: tzinfo) -> Emit:
    if type_ == "Period":
        return emitting.emit_period(zone)
    return emitting.emit_timing(zone) if type_ == "Timing" else emitting.emit_date(zone)
