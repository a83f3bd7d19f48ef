"""Along a route to its values."""

from collections.abc import Iterator
from typing import Any

from emr.definitions import values
from emr.definitions.routes import Equal, First, Step, Target

Json = dict[str, Any]


def follow(resource: Json, steps: tuple[Step, ...]) -> Iterator[Any]:
    """The values at the end of one route; for callers that need a single parameter and no index."""
    found: list[Any] = [resource]
    for step in steps:
        if isinstance(step, str):
            held = [each[step] for each in found if type(each) is dict and step in each]
            found = [item for each in held for item in (each if type(each) is list else [each]) if item is not None]
        elif isinstance(step, First):
            found = found[:1]
        else:
            found = [each for each in found if type(each) is dict and holds(step, each)]
    yield from found


def holds(condition: Step, value: Json) -> bool:
    """Whether a value is one that a condition keeps."""
    if isinstance(condition, Equal):
        return bool(value.get(condition.key) == condition.value)
    return isinstance(condition, Target) and values.target_type(value) == condition.type
