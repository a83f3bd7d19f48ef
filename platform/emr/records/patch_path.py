"""FHIRPath Patch of a resource: operations in a Parameters resource (FHIR R4, fhirpatch.html)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from emr.definitions.model import type_of
from emr.kernel.errors import Invalid, Malformed, Refusal
from emr.records.element_path import Field, Spot, companion, field_of, one, spots
from emr.records.element_path import field as collection_at

Json = dict[str, Any]

OPERATIONS_MOST: Final = 1_000
_PARTS: Final = {
    "add": {"path", "name", "value"},
    "insert": {"path", "index", "value"},
    "delete": {"path"},
    "replace": {"path", "value"},
    "move": {"path", "source", "destination"},
}
"""The parts of each verb; all are needed."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value as a parameter brings it: its data type's suffix (`Quantity`), it, its companion; or the parts of an
    object whose type has no name that `value[x]` could say.
    """

    suffix: str
    value: Any = None
    extra: Any = None
    parts: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, read: the texts and numbers it has, and the value it brings."""

    verb: str
    path: str
    name: str = ""
    index: int = 0
    source: int = 0
    destination: int = 0
    value: Given = field(default_factory=lambda: Given(""))


def operations_of(parameters: Json) -> list[Operation]:
    """The operations of a valid Parameters resource. Raises `Malformed`, naming the parameter."""
    given = parameters.get("parameter", [])
    if not given or len(given) > OPERATIONS_MOST:
        raise Malformed(
            "patch-form", f"A patch has 1 to {OPERATIONS_MOST} operations.", location="Parameters.parameter"
        )
    return [_operation(each, f"Parameters.parameter[{number}]") for number, each in enumerate(given)]


def apply_path_patch(resource: Json, operations: list[Operation]) -> Json:
    """The resource after all operations; what was given is changed on the way.

    Raises `Malformed` for a path that is not understood (400), `Invalid` for one that does not fit the resource (422).
    """
    for number, operation in enumerate(operations):
        try:
            _DO[operation.verb](resource, operation)
        except Refusal as refusal:
            place = f"Parameters.parameter[{number}]"
            raise type(refusal)(refusal.code, f"{refusal.message} ({refusal.location})", location=place) from refusal
    return resource


def _operation(parameter: Json, place: str) -> Operation:
    parts: dict[str, Json] = {}
    for part in parameter.get("part", ()):
        if part["name"] in parts:
            raise Malformed("patch-form", f"The part {part['name'][:64]} stands twice.", location=place)
        parts[part["name"]] = part
    verb = parts.pop("type", {}).get("valueCode")
    if parameter["name"] != "operation" or verb not in _PARTS:
        rule = "A parameter is an operation of type add, insert, delete, replace or move."
        raise Malformed("patch-form", rule, location=place)
    needed = _PARTS[verb]
    if parts.keys() != needed:
        said = ", ".join(sorted(each[:64] for each in parts.keys() ^ needed))
        raise Malformed("patch-form", f"{verb} has the parts {', '.join(sorted(needed))}; see {said}.", location=place)
    return Operation(
        verb,
        path=_text(parts["path"], place),
        name=_text(parts["name"], place) if "name" in parts else "",
        index=_number(parts["index"], place) if "index" in parts else 0,
        source=_number(parts["source"], place) if "source" in parts else 0,
        destination=_number(parts["destination"], place) if "destination" in parts else 0,
        value=_given(parts["value"], place) if "value" in parts else Given(""),
    )


def _text(part: Json, place: str) -> str:
    value = part.get("valueString")
    if not isinstance(value, str):
        raise Malformed("patch-form", f"The part {part['name']} has a valueString.", location=place)
    return value


def _number(part: Json, place: str) -> int:
    value = part.get("valueInteger")
    if not isinstance(value, int) or value < 0:
        raise Malformed("patch-form", f"The part {part['name']} has a valueInteger, 0 or more.", location=place)
    return value


def _given(part: Json, place: str) -> Given:
    """`value[x]`, or an object put together from parts where no data type has a name (fhirpatch.html)."""
    members = [name for name in part if name.startswith("value")]
    beside = [name for name in part if name.startswith("_value")]
    if "part" in part and not members:
        return Given("", parts=tuple(part["part"]))
    if not members and not beside:
        raise Malformed("patch-form", "The value is a value[x] or has parts.", location=place)
    member = members[0] if members else beside[0][1:]
    return Given(member.removeprefix("value"), part.get(member), part.get(companion(member)))


def _shaped(given: Given, data_type: str) -> Given:
    """What parts say, put together as an object of this type (fhirpatch.html: "anonymous types")."""
    if not given.parts:
        return given
    made: Json = {}
    elements = type_of(data_type).elements
    for part in given.parts:
        element = elements.get(part["name"])
        if element is None:
            raise Invalid("patch-path", f"There is no element {part['name'][:64]} in it.", location=data_type)
        each = _given(part, data_type)
        member = _member(Field(made, element), each, data_type)
        each = _shaped(each, element.members()[member])
        if element.many:
            _insert_at(made, member, len(_row(made, member)), each)
        else:
            _set(made, member, each)
    return Given("", made)


def _add(resource: Json, operation: Operation) -> None:
    """Append to a list, or set what is not there yet."""
    place = field_of(one(resource, operation.path), operation.name, operation.path)
    element = place.element
    member = _member(place, operation.value, operation.path)
    given = _shaped(operation.value, element.members()[member])
    if element.many:
        _insert_at(place.holder, member, len(_row(place.holder, member)), given)
        return
    if any(name in place.holder or companion(name) in place.holder for name in element.members()):
        raise Invalid("patch-exists", f"There is a {element.name} already.", location=operation.path)
    _set(place.holder, member, given)


def _insert(resource: Json, operation: Operation) -> None:
    place = _list_at(resource, operation)
    member = _member(place, operation.value, operation.path)
    if operation.index > len(_row(place.holder, member)):
        raise Invalid("patch-index", "The index is beyond the end of the list.", location=operation.path)
    given = _shaped(operation.value, place.element.members()[member])
    _insert_at(place.holder, member, operation.index, given)


def _delete(resource: Json, operation: Operation) -> None:
    """One element, if it is there (fhirpatch.html: "delete (if found)")."""
    found = spots(resource, operation.path)
    if len(found) > 1:
        raise Invalid("patch-path", f"The path leads to {len(found)} elements.", location=operation.path)
    for spot in found:
        _refuse_whole(spot, operation)
        _remove(spot)


def _replace(resource: Json, operation: Operation) -> None:
    spot = one(resource, operation.path)
    _refuse_whole(spot, operation)
    given = _shaped(operation.value, spot.type)
    if spot.index is not None:
        _remove(spot)
        _insert_at(spot.holder, spot.member, spot.index, given)
        return
    stem = spot.member.removesuffix(spot.type[:1].upper() + spot.type[1:])
    member = stem + given.suffix if stem != spot.member and given.suffix else spot.member
    spot.holder.pop(companion(spot.member), None)
    if member != spot.member:
        del spot.holder[spot.member]
    _set(spot.holder, member, given)


def _move(resource: Json, operation: Operation) -> None:
    place = _list_at(resource, operation)
    member = place.element.name
    if max(operation.source, operation.destination) >= len(_row(place.holder, member)):
        raise Invalid("patch-index", "The list is shorter than that.", location=operation.path)
    for name in (member, companion(member)):
        row = place.holder.get(name)
        if row is not None:
            row.extend([None] * (max(operation.source, operation.destination) + 1 - len(row)))
            row.insert(operation.destination, row.pop(operation.source))
    _tidy(place.holder, member)


_DO: Final[dict[str, Callable[[Json, Operation], None]]] = {
    "add": _add,
    "insert": _insert,
    "delete": _delete,
    "replace": _replace,
    "move": _move,
}


def _list_at(resource: Json, operation: Operation) -> Field:
    place = collection_at(resource, operation.path)
    if not place.element.many:
        raise Invalid("patch-path", f"{place.element.name} is no list.", location=operation.path)
    return place


def _member(place: Field, given: Given, path: str) -> str:
    """The JSON member for a value: a choice's says the data type."""
    element = place.element
    member = element.name + given.suffix if element.choice else element.name
    if member not in element.members():
        raise Invalid("patch-type", f"{element.name} cannot be a {given.suffix or 'structure'}.", location=path)
    return member


def _refuse_whole(spot: Spot, operation: Operation) -> None:
    if not spot.member:
        raise Invalid("patch-path", "A patch changes what is in a resource, not the whole.", location=operation.path)


def _row(holder: Json, member: str) -> list[Any]:
    """The list as FHIR counts it: as long as the longer of values and companions."""
    values, beside = holder.get(member) or [], holder.get(companion(member)) or []
    return values if len(values) >= len(beside) else beside


def _set(holder: Json, member: str, given: Given) -> None:
    if given.value is not None:
        holder[member] = given.value
    if given.extra is not None:
        holder[companion(member)] = given.extra


def _insert_at(holder: Json, member: str, index: int, given: Given) -> None:
    length = len(_row(holder, member))
    for name, value in ((member, given.value), (companion(member), given.extra)):
        row = holder.setdefault(name, [])
        row.extend([None] * (length - len(row)))
        row.insert(index, value)
    _tidy(holder, member)


def _remove(spot: Spot) -> None:
    for name in (spot.member, companion(spot.member)):
        if spot.index is None:
            spot.holder.pop(name, None)
        elif spot.index < len(spot.holder.get(name) or []):
            del spot.holder[name][spot.index]
    if spot.index is not None:
        _tidy(spot.holder, spot.member)


def _tidy(holder: Json, member: str) -> None:
    """No list of nothing stays behind."""
    for name in (member, companion(member)):
        if not any(each is not None for each in holder.get(name) or ()):
            holder.pop(name, None)
