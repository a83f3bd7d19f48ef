"""Whose record a resource belongs to and what it links to.

Source: https://hl7.org/fhir/R4/compartmentdefinition-patient.html.
"""

import functools
from collections.abc import Iterator
from typing import Any, Final

from emr.definitions import model
from emr.definitions.findings import Path, location
from emr.definitions.routes import Route
from emr.definitions.search import parameters
from emr.definitions.values import target_of
from emr.definitions.walk import follow

Json = dict[str, Any]

_REFERENCE: Final = frozenset(
    {"reference", "type", "identifier", "display", "id", "extension", "_reference", "_type", "_display"}
)
"""What a Reference may have; the three other objects with a text called `reference` have more, or are `education`."""


def patients_of(type: str, resource: Json) -> list[str]:  # noqa: A002
    """Ids of the patients in whose compartment a valid resource is, each once; a Patient is in its own."""
    own = [resource["id"]] if type == "Patient" and "id" in resource else []
    linked = [
        target[1]
        for route in _routes(type)
        for reference in follow(resource, route.steps)
        if (target := target_of(reference)) and target[0] == "Patient"
    ]
    return list(dict.fromkeys(own + linked))


def in_patient_compartment(type: str) -> bool:  # noqa: A002
    """Whether resources of this type can be part of a patient's record at all."""
    return type == "Patient" or bool(_routes(type))


@functools.cache
def _routes(type_: str) -> tuple[Route, ...]:
    names = model.content("compartments")["Patient"].get(type_, ())
    known = parameters(type_)
    every = (route for name in names if name in known for route in known[name].routes if route.type == "Reference")
    return tuple({route.steps: route for route in every if not route.targets or "Patient" in route.targets}.values())


def references(resource: Json) -> Iterator[tuple[str, str]]:
    """FHIRPath and text of each of `referring`. The place is written out, which costs as much as finding it."""
    for path, holder in referring(resource):
        yield location(path), holder["reference"]


def referring(resource: Json) -> list[tuple[Path, Json]]:
    """Every Reference with a `reference` in a valid resource and the place of that, also in contained ones and
    extensions.

    Elements of type uri with the same name (`DetectedIssue.reference`, `Immunization.education.reference`) and those of
    expressions are left out.
    """
    name = resource.get("resourceType")
    found: list[tuple[Path, Json]] = []
    _gather(resource, (None, name if type(name) is str else "Resource", None), found)
    return found


def _gather(value: Json, path: Path, found: list[tuple[Path, Json]]) -> None:
    for key, item in value.items():
        if type(item) is dict:
            _gather(item, (path, key, None), found)
        elif type(item) is list:
            for index, each in enumerate(item):
                if type(each) is dict:
                    _gather(each, (path, key, index), found)
        elif key == "reference" and type(item) is str and value.keys() <= _REFERENCE and path[1] != "education":
            found.append(((path, key, None), value))
