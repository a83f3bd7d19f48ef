"""References that no search parameter asks for, so that whoever follows links from a resource follows all of them."""

from collections.abc import Iterator
from typing import Any, Final

from emr.definitions import model
from emr.definitions.values import IndexValue, Link, target_of

_NOT_FOLLOWED: Final = frozenset({"Reference", "Extension", "Meta", "Narrative"})


def reference_steps(type: str) -> Iterator[tuple[str, ...]]:  # noqa: A002
    """The members to follow to each element of type Reference, those in nested elements and data types among them.

    Elements that hold themselves, such as the items of a Questionnaire, are followed once.
    """
    yield from _below(type, (), frozenset({type}))


def unasked_path(type: str) -> str:  # noqa: A002
    """Under which the index holds the targets that no parameter asks for."""
    return f"{type}:reference"


def emit_here(value: Any, path: str, out: list[IndexValue]) -> None:
    """The link to what is in this record; what lies elsewhere is not followed."""
    target = target_of(value)
    if target is not None:
        out.append(Link(path, *target, None))


def _below(type_: str, steps: tuple[str, ...], above: frozenset[str]) -> Iterator[tuple[str, ...]]:
    for element in model.type_of(type_).elements.values():
        for member, kind in element.members().items():
            if kind == "Reference":
                yield (*steps, member)
            elif kind not in above | _NOT_FOLLOWED and _has_elements(kind):
                yield from _below(kind, (*steps, member), above | {kind})


def _has_elements(kind: str) -> bool:
    return model.types()[kind]["kind"] in ("complex-type", "backbone")
