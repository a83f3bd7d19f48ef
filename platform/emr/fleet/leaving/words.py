"""What a resource says in a few words, for sheets and for the reader: plain functions over FHIR R4 JSON."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

Json = dict[str, Any]
Column = Callable[[Json], str]

_DAY: Final = 10


def values(resource: Any, path: str) -> list[Any]:
    """Everything at the end of a dotted path, through lists."""
    found = [resource]
    for step in path.split("."):
        inner = [each.get(step) for each in found if isinstance(each, dict)]
        found = [one for each in inner if each is not None for one in (each if isinstance(each, list) else [each])]
    return found


def text(*paths: str) -> Column:
    """The first path that leads to something, as text; several values are parted by `; `."""

    def of(resource: Json) -> str:
        for path in paths:
            found = [str(each) for each in values(resource, path) if isinstance(each, str | int)]
            if found:
                return "; ".join(dict.fromkeys(found))
        return ""

    return of


def concept(path: str) -> Column:
    """The words of CodeableConcepts: their text, else a display, else a code."""

    def of(resource: Json) -> str:
        return "; ".join(dict.fromkeys(filter(None, (words_of(each) for each in values(resource, path)))))

    return of


def codes(path: str) -> Column:
    """The codes of CodeableConcepts."""
    return text(f"{path}.coding.code")


def words_of(value: Any) -> str:
    """A CodeableConcept in words."""
    if not isinstance(value, dict):
        return ""
    codings = [each for each in value.get("coding", ()) if isinstance(each, dict)]
    spoken = [value.get("text"), *(each.get("display") for each in codings), *(each.get("code") for each in codings)]
    return next((each for each in spoken if isinstance(each, str) and each), "")


def target(path: str) -> Column:
    """The id at the end of a reference, or the reference as it is when it leads elsewhere."""

    def of(resource: Json) -> str:
        found = [str(each) for each in values(resource, f"{path}.reference")]
        return "; ".join(each.rpartition("/")[2] if each.count("/") == 1 else each for each in found)

    return of


def names(path: str = "name") -> Column:
    """Names of people: the text as it was written, else family name and given names as Vietnamese puts them."""

    def of(resource: Json) -> str:
        return "; ".join(filter(None, (_name(each) for each in values(resource, path)[:1])))

    return of


def _name(name: Any) -> str:
    if not isinstance(name, dict):
        return ""
    written = name.get("text")
    parts = [name.get("family", ""), *(each for each in name.get("given", ()) if isinstance(each, str))]
    return str(written) if written else " ".join(str(each) for each in parts if each)


def identifiers(resource: Json) -> str:
    """Every identifier's value, with what kind it is where it says so."""
    found: list[str] = []
    for each in values(resource, "identifier"):
        kind, value = words_of(each.get("type")), each.get("value")
        if value:
            found.append(f"{kind}: {value}" if kind else str(value))
    return "; ".join(found)


def address(resource: Json) -> str:
    """The first address on one line."""
    for each in values(resource, "address")[:1]:
        parts = [*each.get("line", ()), each.get("district"), each.get("city"), each.get("state"), each.get("country")]
        return str(each.get("text") or ", ".join(str(part) for part in parts if part))
    return ""


def result(resource: Json) -> str:
    """What was found: a value of any kind, or those of the components."""
    own = _value(resource)
    if own:
        return own
    parts = [(words_of(each.get("code")), _value(each)) for each in values(resource, "component")]
    return "; ".join(f"{name}: {value}" if name else value for name, value in parts if value)


def _value(holder: Json) -> str:
    quantity = holder.get("valueQuantity")
    if isinstance(quantity, dict):
        told = (quantity.get("comparator"), quantity.get("value"), quantity.get("unit") or quantity.get("code"))
        return " ".join(str(each) for each in told if each is not None)
    plain: Sequence[str] = ("valueString", "valueInteger", "valueBoolean", "valueDateTime", "valueTime")
    found: Iterator[Any] = (holder[name] for name in plain if name in holder)
    return str(next(found, "")) or words_of(holder.get("valueCodeableConcept"))


def day(moment: str) -> str:
    """The day of a FHIR date or instant."""
    return moment[:_DAY]
