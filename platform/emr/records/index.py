"""The index rows of a resource: what `definitions` extracts, turned into keys, gathered for one statement."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from emr.definitions.extract import extract
from emr.definitions.values import Date, Identified, IndexValue, Link, Named, OfType, String, Token, Uri
from emr.kernel.tenant import Tenant
from emr.kernel.text import fold, words
from emr.records.keys import held_text, identifier_path, key_of, of_type_path, path_key, token_value, url_path

FORMAT: Final = 1
"""Of the rows below. A hospital whose table `indexing` names another one for `record` has to be indexed again."""
WORDS: Final = "Patient.name:words"
"""Where each word of a Patient's names stands, for finding people in any word order."""
LONGEST: Final = 200
"""Characters of a string that the index holds."""


@dataclass(slots=True)
class IndexRows:
    """Columns, ready for `unnest`: the index of one resource or of a whole Bundle."""

    token_keys: list[int] = field(default_factory=list)
    token_pks: list[int] = field(default_factory=list)
    link_paths: list[int] = field(default_factory=list)
    link_targets: list[int] = field(default_factory=list)
    link_pks: list[int] = field(default_factory=list)
    string_keys: list[int] = field(default_factory=list)
    string_values: list[str] = field(default_factory=list)
    string_raws: list[str | None] = field(default_factory=list)
    string_pks: list[int] = field(default_factory=list)
    date_keys: list[int] = field(default_factory=list)
    date_lows: list[datetime] = field(default_factory=list)
    date_highs: list[datetime] = field(default_factory=list)
    date_pks: list[int] = field(default_factory=list)
    identifier_types: list[str] = field(default_factory=list)
    identifier_systems: list[str] = field(default_factory=list)
    identifier_values: list[str] = field(default_factory=list)
    identifier_pks: list[int] = field(default_factory=list)
    present: dict[int, str] = field(default_factory=dict)
    """Pk to the numbers of the search parameters that have a value, joined by commas."""
    _known: set[tuple[int, ...]] = field(default_factory=set)

    def add(self, tenant: Tenant, resource: dict[str, Any], pk: int, targets: Mapping[tuple[str, str], int]) -> None:
        """Add the rows of one resource. Dates without a time are days of the hospital's time zone.

        `targets`: the pk of every resource that is here and that this one refers to, itself among them.
        """
        resource_type = resource["resourceType"]
        found = extract(resource_type, resource, ZoneInfo(tenant.time_zone))
        for value in found.values:
            self._add(tenant.index_key, value, pk, targets)
        if resource_type == "Patient":
            self._add_words(tenant.index_key, resource, pk)
        self.present[pk] = ",".join(map(str, sorted(found.present)))

    def _add(self, key: bytes, value: IndexValue, pk: int, targets: Mapping[tuple[str, str], int]) -> None:
        match value:
            case Token():
                self._token(key_of(key, value.path, value.code), pk)
                self._token(key_of(key, value.path, token_value(value.system, value.code)), pk)
            case Link():
                self._link(key, value, pk, targets)
            case Date():
                self.date_keys.append(path_key(key, value.path))
                self.date_lows.append(value.low)
                self.date_highs.append(value.high)
                self.date_pks.append(pk)
            case String():
                self._string(path_key(key, value.path), value.value, value.raw, pk)
            case Identified():
                self.identifier_types.append(value.path.partition(".")[0])
                self.identifier_systems.append(held_text(value.system or ""))
                self.identifier_values.append(held_text(value.value))
                self.identifier_pks.append(pk)
            case Uri():
                self._token(key_of(key, value.path, value.url), pk)
            case OfType():
                whole = f"{token_value(value.system, value.code)}|{value.value}"
                self._token(key_of(key, of_type_path(value.path), whole), pk)
            case Named():
                path = identifier_path(value.path)
                self._token(key_of(key, path, value.value), pk)
                self._token(key_of(key, path, token_value(value.system, value.value)), pk)

    def _add_words(self, key: bytes, patient: dict[str, Any], pk: int) -> None:
        names = [name for name in patient.get("name", ()) if isinstance(name, dict)]
        parts = [text for name in names for text in (name.get("text"), name.get("family"), *name.get("given", ()))]
        for word in dict.fromkeys(word for part in parts if part for word in words(part)):
            self._string(path_key(key, WORDS), word, word, pk)

    def _token(self, key: int, pk: int) -> None:
        """A code may stand in several systems, and must still be found once."""
        if (key, pk) not in self._known:
            self._known.add((key, pk))
            self.token_keys.append(key)
            self.token_pks.append(pk)

    def _link(self, key: bytes, value: Link, pk: int, targets: Mapping[tuple[str, str], int]) -> None:
        """What is here is known by its pk, what lies elsewhere by its address."""
        if value.target_type is not None and value.target_id is not None:
            path, target = path_key(key, value.path), targets[value.target_type, value.target_id]
        else:
            elsewhere = url_path(value.path)
            path, target = path_key(key, elsewhere), key_of(key, elsewhere, value.url or "")
        if (path, target, pk) not in self._known:
            self._known.add((path, target, pk))
            self.link_paths.append(path)
            self.link_targets.append(target)
            self.link_pks.append(pk)

    def _string(self, key: int, value: str, raw: str, pk: int) -> None:
        value, raw = value[:LONGEST], raw[:LONGEST]
        self.string_keys.append(key)
        self.string_values.append(value)
        self.string_raws.append(None if raw == value else raw)
        self.string_pks.append(pk)


def folded(text: str) -> str:
    """A string as the index compares it."""
    return fold(text)[:LONGEST]
