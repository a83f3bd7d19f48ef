"""What an export asks for, and whether a resource belongs to it."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from emr.definitions.compartment import in_patient_compartment, patients_of
from emr.kernel import json
from emr.records.bulk.as_of import Name, Window

EVERY: Final = "*"
"""Instead of patients' ids: whoever is a patient."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The wish of one export.

    types: in the order in which files are written. filters: `_typeFilter` by type, as queries without the type.
    patients: ids of those whose records are wanted, `*` for all patients' records, None for everything in the hospital.
    since: the client's; before: what the export showed that ended at this very moment, when there was one.
    """

    types: Sequence[str]
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    patients: Sequence[str] | None = None
    since: str | None = None
    before: str | None = None

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> "Scope":
        """As it was kept."""
        return cls(**asked)

    def kept(self) -> dict[str, Any]:
        """As a job keeps it."""
        return {
            "types": list(self.types),
            "filters": {name: list(queries) for name, queries in self.filters.items()},
            "patients": None if self.patients is None else list(self.patients),
            "since": self.since,
            "before": self.before,
        }

    def window(self, snapshot: str) -> Window:
        """Which versions it is about."""
        if self.before is not None:
            return Window(snapshot, before=self.before)
        return Window(snapshot, since=datetime.fromisoformat(self.since) if self.since else None)

    def whose(self) -> "Whose":
        """The question whether a resource is part of the wanted records."""
        if self.patients is None:
            return Whose(everything=True)
        return Whose(everyone=EVERY in self.patients, ids=frozenset(self.patients))


@dataclass(frozen=True, slots=True)
class Whose:
    """Tells what belongs to the wanted patients."""

    everything: bool = False
    everyone: bool = False
    ids: frozenset[str] = frozenset()

    def needs_body(self, resource_type: str, name: Name) -> bool:
        """Whether only the body of this version says whose it is: the row knows it for the newest version alone."""
        return not self.everything and (resource_type == "Binary" or not name.newest or name.deleted)

    def has(self, patients: Iterable[str]) -> bool:
        """Whether one of these patients is wanted."""
        if self.everyone:
            return any(True for _ in patients)
        return not self.ids.isdisjoint(patients)


def patients_in(resource_type: str, body: bytes) -> list[str]:
    """In whose records a version is; a Binary in that of the patient by whom its access is decided."""
    value = json.loads(body)
    if resource_type != "Binary":
        return patients_of(resource_type, value)
    kind, _, patient = str(value.get("securityContext", {}).get("reference", "")).partition("/")
    return [patient] if kind == "Patient" else []


@functools.cache
def of_patients(resource_type: str) -> bool:
    """Whether resources of this type can be part of a patient's record."""
    return resource_type == "Binary" or in_patient_compartment(resource_type)
