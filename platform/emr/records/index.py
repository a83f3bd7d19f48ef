"""The index rows of a resource: what `definitions` extracts, turned into keys, gathered for one statement."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from emr.definitions.extract import extract
from emr.definitions.values import Date, IndexValue, Link, String, Token, Uri
from emr.kernel.tenant import Tenant
from emr.kernel.text import fold, words
from emr.records.keys import held_text, key_of, link_value, parameter_key, token_value

WORDS: Final = "_words"
"""The parameter under which each word of a Patient's names stands, for finding people in any word order."""
LONGEST: Final = 200
"""Characters of a string that the index holds."""


@dataclass(slots=True)
class IndexRows:
    """Columns, ready for `unnest`: the index of one resource or of a whole Bundle."""

    token_keys: list[int] = field(default_factory=list)
    token_pks: list[int] = field(default_factory=list)
    link_keys: list[int] = field(default_factory=list)
    link_pks: list[int] = field(default_factory=list)
    string_keys: list[int] = field(default_factory=list)
    string_values: list[str] = field(default_factory=list)
    string_raws: list[str] = field(default_factory=list)
    string_pks: list[int] = field(default_factory=list)
    date_keys: list[int] = field(default_factory=list)
    date_lows: list[datetime] = field(default_factory=list)
    date_highs: list[datetime] = field(default_factory=list)
    date_pks: list[int] = field(default_factory=list)
    identifier_types: list[str] = field(default_factory=list)
    identifier_systems: list[str] = field(default_factory=list)
    identifier_values: list[str] = field(default_factory=list)
    identifier_pks: list[int] = field(default_factory=list)
    _known: set[tuple[int, int]] = field(default_factory=set)

    def add(self, tenant: Tenant, resource_type: str, resource: dict[str, Any], pk: int) -> None:
        """Add the rows of one resource. Dates without a time are days of the hospital's time zone."""
        for value in extract(resource_type, resource, ZoneInfo(tenant.time_zone)):
            self._add(tenant.index_key, resource_type, value, pk)
        if resource_type == "Patient":
            self._add_words(tenant.index_key, resource, pk)

    def _add(self, key: bytes, resource_type: str, value: IndexValue, pk: int) -> None:
        match value:
            case Token(param="identifier"):
                self.identifier_types.append(resource_type)
                self.identifier_systems.append(held_text(value.system or ""))
                self.identifier_values.append(held_text(value.code))
                self.identifier_pks.append(pk)
            case Token():
                self._token(key_of(key, resource_type, value.param, value.code), pk)
                self._token(key_of(key, resource_type, value.param, token_value(value.system, value.code)), pk)
            case String():
                self._string(parameter_key(key, resource_type, value.param), value.value, value.raw, pk)
            case Date():
                self.date_keys.append(parameter_key(key, resource_type, value.param))
                self.date_lows.append(value.low)
                self.date_highs.append(value.high)
                self.date_pks.append(pk)
            case Uri():
                self._token(key_of(key, resource_type, value.param, value.url), pk)
            case Link():
                self._link(key_of(key, resource_type, value.param, link_target(value)), pk)

    def _add_words(self, key: bytes, patient: dict[str, Any], pk: int) -> None:
        names = [name for name in patient.get("name", ()) if isinstance(name, dict)]
        parts = [text for name in names for text in (name.get("text"), name.get("family"), *name.get("given", ()))]
        for word in dict.fromkeys(word for part in parts if part for word in words(part)):
            self._string(parameter_key(key, "Patient", WORDS), word, word, pk)

    def _token(self, key: int, pk: int) -> None:
        """A code may stand in several systems, and must still be found once."""
        if (key, pk) not in self._known:
            self._known.add((key, pk))
            self.token_keys.append(key)
            self.token_pks.append(pk)

    def _link(self, key: int, pk: int) -> None:
        if (key, pk) not in self._known:
            self._known.add((key, pk))
            self.link_keys.append(key)
            self.link_pks.append(pk)

    def _string(self, key: int, value: str, raw: str, pk: int) -> None:
        self.string_keys.append(key)
        self.string_values.append(value[:LONGEST])
        self.string_raws.append(raw[:LONGEST])
        self.string_pks.append(pk)


def link_target(value: Link) -> str:
    """What a link's key is made of: a local target, or the whole address of something elsewhere."""
    if value.target_type and value.target_id:
        return link_value(value.target_type, value.target_id)
    return value.url or ""


def folded(text: str) -> str:
    """A string as the index compares it."""
    return fold(text)[:LONGEST]
