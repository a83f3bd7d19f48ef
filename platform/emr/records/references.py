"""Local references: `Type/id` must exist, our own absolute address is refused, what lies elsewhere is left alone."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from emr.definitions.compartment import referring
from emr.definitions.findings import Path, location
from emr.kernel.errors import Issue
from emr.records.errors import ReferenceBroken, ResourceInvalid

_LOCAL: Final = re.compile(r"([A-Z][A-Za-z]{1,63})/([A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?")
_SCHEME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")


@dataclass(frozen=True, slots=True)
class Targets:
    """What `prepare` found: unused pks, and the pk of each referenced resource that is here and not deleted."""

    pks: list[int]
    found: dict[tuple[str, str], int]


def local_references(base_url: str, resource: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Every local target of a resource with the path that names it. Raises as `local_targets`.

    base_url: where this hospital's resources are; empty for none.
    """
    return {target: location(place) for target, place in local_targets(base_url, referring(resource)).items()}


def local_targets(
    base_url: str, held: Iterable[tuple[Path, dict[str, Any]]], *, in_bundle: bool = False
) -> dict[tuple[str, str], Path]:
    """Every local target of the References of a resource (`compartment.referring`) with the place that names it.

    Raises `ResourceInvalid` for a reference that is neither local, nor inside the resource, nor an absolute address
    elsewhere; `in_bundle`, when all placeholders have been replaced, `ReferenceBroken` for one that is left.
    """
    targets: dict[tuple[str, str], Path] = {}
    for path, holder in held:
        reference = holder["reference"]
        if reference.startswith("#"):
            continue
        if in_bundle and reference.startswith("urn:"):
            raise ReferenceBroken("an entry that is not in this Bundle", location(path))
        if _SCHEME.match(reference):
            _refuse_own_address(base_url, path, reference)
            continue
        found = _LOCAL.fullmatch(reference)
        if found is None:
            rule = "A reference is Type/id, #id or an absolute address."
            raise ResourceInvalid([Issue("reference-form", rule, location(path))])
        targets.setdefault((found[1], found[2]), path)
    return targets


def refuse_missing(targets: dict[tuple[str, str], str], known: Targets) -> None:
    """Raise `ReferenceBroken` for the first local target that is not here."""
    for (resource_type, resource_id), path in targets.items():
        if (resource_type, resource_id) not in known.found:
            raise ReferenceBroken(f"{resource_type}/{resource_id}", path)


def _refuse_own_address(base_url: str, path: Path, reference: str) -> None:
    if base_url and reference.startswith(base_url + "/"):
        raise ResourceInvalid([Issue("reference-own-address", "Refer to what is here as Type/id.", location(path))])
