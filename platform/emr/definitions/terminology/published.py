"""The code systems, value sets and concept maps that come with FHIR R4, read from their archive one at a time.

Nothing is read before it is asked for, and what has been read is given up again when other parts are asked for more
often. LOINC, SNOMED CT, UCUM and ICD are not among them; R4 names those systems without holding their codes.
"""

import functools
import io
import json
import zipfile
from importlib import resources
from typing import Any, Final, Literal

from emr.definitions import model

Kind = Literal["CodeSystem", "ValueSet", "ConceptMap"]
Json = dict[str, Any]

KINDS: Final[tuple[Kind, ...]] = ("CodeSystem", "ValueSet", "ConceptMap")


def definition(kind: Kind, url: str, version: str | None = None) -> Json | None:
    """The definition of this canonical URL, or None; with a version, only that one. Not to be changed by callers."""
    index = _places()[kind]
    # R4 has a few code systems whose URL itself ends with a version: `…/v2-0006|2.4`.
    exact = index.get(f"{url}|{version}")
    place = exact or index.get(url)
    if place is None:
        return _implicit(url, version) if kind == "ValueSet" else None
    if version is not None and exact is None and version != place[2]:
        return None
    found: Json = json.loads(_part(place[0])[place[1]])
    return found


def urls(kind: Kind) -> frozenset[str]:
    """The canonical URLs of all definitions of a kind."""
    return frozenset(_places()[kind])


@functools.cache
def enforced(kind: Kind) -> frozenset[str]:
    """URLs that validation of every write goes by: required value sets and the systems that their codes are from.

    Nobody may say something else under these names: an answer about them would differ from what a write is held to.
    """
    compiled = model.content("codes")
    if kind == "CodeSystem":
        return frozenset(system for systems in compiled.values() for system in systems)
    return frozenset(compiled) if kind == "ValueSet" else frozenset()


def _implicit(url: str, version: str | None) -> Json | None:
    """The value set of all codes of a code system that names it so (`CodeSystem.valueSet`) without writing it down."""
    system_url = _index()["implicit"].get(url)
    system = definition("CodeSystem", system_url, version) if system_url else None
    if system is None:
        return None
    told = {name: system[name] for name in ("version", "name", "title", "status") if name in system}
    compose = {"include": [{"system": system["url"]}]}
    return {"resourceType": "ValueSet", "url": url} | told | {"compose": compose}


def _places() -> dict[str, dict[str, tuple[int, int, str | None]]]:
    places: dict[str, dict[str, tuple[int, int, str | None]]] = _index()["content"]
    return places


@functools.cache
def _index() -> Json:
    index: Json = json.loads(_member("index.json"))
    return index


@functools.lru_cache(maxsize=4)
def _part(number: int) -> list[str]:
    return _member(f"{number}.ndjson").decode("utf-8").split("\n")


def _member(name: str) -> bytes:
    archive = resources.files("emr.definitions").joinpath("data", "terminology.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return opened.read(name)
