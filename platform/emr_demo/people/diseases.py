"""Diseases of the made-up patients, read from `diseases.toml`."""

import functools
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Disease:
    """A diagnosis with what the patient says, what the doctor finds and does."""

    code: str
    title: str
    complaints: tuple[str, ...]
    findings: tuple[str, ...]
    plan: str
    medicines: tuple[str, ...] = ()
    child_medicines: tuple[str, ...] = ()
    panels: tuple[str, ...] = ()
    fever: float = 0.0
    bed_days: tuple[int, ...] = (3, 6)

    def medicines_for(self, age: int) -> tuple[str, ...]:
        """Keys of `medicines.MEDICINES`; children under twelve get their own, or nothing."""
        return self.medicines if age >= 12 else self.child_medicines


def disease(code: str) -> Disease:
    """The disease with an ICD-10 code."""
    return _catalogue()[code]


@functools.cache
def _catalogue() -> dict[str, Disease]:
    text = files("emr_demo.people").joinpath("diseases.toml").read_text("utf-8")
    return {code: Disease(code=code, **_frozen(entry)) for code, entry in tomllib.loads(text).items()}


def _frozen(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
