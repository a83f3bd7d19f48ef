"""Whose record a resource belongs to and what it links to.

Source: https://hl7.org/fhir/R4/compartmentdefinition-patient.html.
"""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

from emr.definitions import model
from emr.definitions.extract import follow
from emr.definitions.findings import Path, location
from emr.definitions.routes import Route
from emr.definitions.search import parameters
from emr.definitions.values import target_of

Json = dict[str, Any]


class Link(NamedTuple):
    """A text that may point to another resource; `holder[key] = …` rewrites it in place."""

    path: Path
    value: str
    holder: Any
    key: str | int

    @property
    def location(self) -> str:
        return location(self.path)


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


def references(resource: Json) -> Iterator[Link]:
    """Every `Reference.reference`, and every other text that is a `urn:uuid:` or `urn:oid:`, in any resource.

    A transaction replaces the latter too (https://hl7.org/fhir/R4/http.html#trules): uri, url, oid and uuid elements
    may hold the placeholder of an entry. Identifiers hold such texts as well; a caller replaces those that it knows.
    """
    name = resource.get("resourceType")
    yield from _links(resource, (None, name if type(name) is str else "Resource", None))


def _links(value: Json, path: Path) -> Iterator[Link]:
    for key, item in value.items():
        if type(item) is str:
            if key == "reference" or item.startswith(("urn:uuid:", "urn:oid:")):
                yield Link((path, key, None), item, value, key)
        elif type(item) is dict:
            yield from _links(item, (path, key, None))
        elif type(item) is list:
            for index, each in enumerate(item):
                if type(each) is dict:
                    yield from _links(each, (path, key, index))
                elif type(each) is str and each.startswith(("urn:uuid:", "urn:oid:")):
                    yield Link((path, key, index), each, item, index)
