"""The index rows of a resource: what `definitions` extracts, turned into keys, gathered for one statement."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from emr.definitions.extract import extract
from emr.definitions.own import NONE, Own
from emr.definitions.values import (
    Amount,
    Date,
    Identified,
    IndexValue,
    Link,
    Named,
    OfType,
    String,
    Together,
    Token,
    Uri,
    Words,
)
from emr.kernel.tenant import Tenant
from emr.kernel.text import fold, words
from emr.records.keys import (
    composite_key,
    held_text,
    identifier_path,
    key_of,
    of_type_path,
    path_key,
    system_number,
    token_value,
    url_path,
)
from emr.records.lexemes import Lexemes

FORMAT: Final = 2
"""Of the rows below. A hospital whose table `indexing` names another one for `record` has to be indexed again."""
WORDS: Final = "Patient.name:words"
"""Where each word of a Patient's names stands, for finding people in any word order."""
LONGEST: Final = 200
"""Characters of a string that the index holds."""


PUT_ROWS: Final = """
, put_tokens AS (
  INSERT INTO tokens (key, updated, pk, system) SELECT t.key, v.updated, v.pk, t.system
    FROM unnest($1::bigint[], $2::int[], $3::bigint[]) AS t (key, system, pk) JOIN versions v ON v.pk = t.pk)
, put_links AS (
  INSERT INTO links (path, target, updated, pk) SELECT t.path, t.target, v.updated, v.pk
    FROM unnest($4::bigint[], $5::bigint[], $6::bigint[]) AS t (path, target, pk) JOIN versions v ON v.pk = t.pk)
, put_strings AS (
  INSERT INTO strings (key, value, raw, pk)
  SELECT * FROM unnest($7::bigint[], $8::text[], $9::text[], $10::bigint[]))
, put_dates AS (
  INSERT INTO dates (key, low, high, pk)
  SELECT * FROM unnest($11::bigint[], $12::timestamptz[], $13::timestamptz[], $14::bigint[]))
, put_quantities AS (
  INSERT INTO quantities (key, low, high, pk)
  SELECT * FROM unnest($15::bigint[], $16::numeric[], $17::numeric[], $18::bigint[]))
, put_composites AS (
  INSERT INTO composites (key, low, high, value, pk)
  SELECT * FROM unnest($19::bigint[], $20::numeric[], $21::numeric[], $22::text[], $23::bigint[]))
, put_words AS (
  INSERT INTO words (pk, content)
  SELECT pk, content::tsvector FROM unnest($24::bigint[], $25::text[]) AS t (pk, content)
      ON CONFLICT (pk) DO UPDATE SET content = excluded.content WHERE words.content <> excluded.content)
, put_identifiers AS (
  INSERT INTO identifiers (type, system, value, pk)
  SELECT * FROM unnest($26::text[], $27::text[], $28::text[], $29::bigint[]))
, put_compartments AS (
  INSERT INTO compartments (patient, type, updated, pk) SELECT c.patient, v.type, v.updated, v.pk
    FROM unnest($30::bigint[], $31::bigint[]) AS c (patient, pk) JOIN versions v ON v.pk = c.pk
   ORDER BY c.patient, v.type, v.updated, v.pk)
"""
"""Of a statement with a CTE `versions (pk, type, updated, …)` and `IndexRows.columns()` as its first values.

Words that are what they were stay as they are: they cost as much as all other rows of a resource.
"""

DROP_ROWS: Final = """
, drop_tokens AS (DELETE FROM tokens WHERE pk = ANY ($32))
, drop_links AS (DELETE FROM links WHERE pk = ANY ($32))
, drop_strings AS (DELETE FROM strings WHERE pk = ANY ($32))
, drop_dates AS (DELETE FROM dates WHERE pk = ANY ($32))
, drop_quantities AS (DELETE FROM quantities WHERE pk = ANY ($32))
, drop_composites AS (DELETE FROM composites WHERE pk = ANY ($32))
, drop_words AS (DELETE FROM words WHERE pk = ANY ($32) AND NOT pk = ANY ($24))
, drop_identifiers AS (DELETE FROM identifiers WHERE pk = ANY ($32))
, drop_compartments AS (DELETE FROM compartments WHERE pk = ANY ($32))
"""
"""Takes away what was there of the resources whose pks are the value after those columns."""

DROP_ROWS_OF_ONE: Final = DROP_ROWS.replace("= ANY ($32)", "= $32")
"""Of one resource, whose pk is that value."""


@dataclass(slots=True)
class IndexRows:
    """Columns, ready for `unnest`: the index of one resource or of a whole Bundle.

    own: the search parameters that the hospital has beside those of R4.
    """

    own: Own = NONE
    token_keys: list[int] = field(default_factory=list)
    token_systems: list[int] = field(default_factory=list)
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
    amount_keys: list[int] = field(default_factory=list)
    amount_lows: list[Decimal] = field(default_factory=list)
    amount_highs: list[Decimal] = field(default_factory=list)
    amount_pks: list[int] = field(default_factory=list)
    composite_keys: list[int] = field(default_factory=list)
    composite_lows: list[Decimal | None] = field(default_factory=list)
    composite_highs: list[Decimal | None] = field(default_factory=list)
    composite_values: list[str | None] = field(default_factory=list)
    composite_pks: list[int] = field(default_factory=list)
    word_contents: list[str] = field(default_factory=list)
    word_pks: list[int] = field(default_factory=list)
    identifier_types: list[str] = field(default_factory=list)
    identifier_systems: list[str] = field(default_factory=list)
    identifier_values: list[str] = field(default_factory=list)
    identifier_pks: list[int] = field(default_factory=list)
    member_patients: list[int] = field(default_factory=list)
    member_pks: list[int] = field(default_factory=list)
    present: dict[int, str] = field(default_factory=dict)
    """Pk to the numbers of the search parameters that have a value, joined by commas."""
    _known: set[tuple[int, int, int]] = field(default_factory=set)
    _systems: dict[tuple[int, int], list[int]] = field(default_factory=dict)

    def add(self, tenant: Tenant, resource: dict[str, Any], pk: int, targets: Mapping[tuple[str, str], int]) -> None:
        """Add the rows of one resource. Dates without a time are days of the hospital's time zone.

        `targets`: the pk of every resource that is here and that this one refers to, itself among them.
        """
        resource_type = resource["resourceType"]
        found = extract(resource_type, resource, ZoneInfo(tenant.time_zone), self.own)
        lexemes = Lexemes(tenant.index_key)
        for value in found.values:
            self._add(tenant.index_key, value, pk, targets)
            lexemes.add(value)
        lexemes.add_texts(resource)
        if content := lexemes.content():
            self.word_contents.append(content)
            self.word_pks.append(pk)
        if resource_type == "Patient":
            self._add_words(tenant.index_key, resource, pk)
        self.present[pk] = ",".join(map(str, sorted(found.present)))

    def add_member(self, pk: int, patients: Iterable[int]) -> None:
        """Put a resource into the compartments of these Patients."""
        for patient in patients:
            self.member_patients.append(patient)
            self.member_pks.append(pk)

    def columns(self) -> list[list[Any]]:
        """The values of `PUT_ROWS`, in its order."""
        return [
            self.token_keys, self.token_systems, self.token_pks,
            self.link_paths, self.link_targets, self.link_pks,
            self.string_keys, self.string_values, self.string_raws, self.string_pks,
            self.date_keys, self.date_lows, self.date_highs, self.date_pks,
            self.amount_keys, self.amount_lows, self.amount_highs, self.amount_pks,
            self.composite_keys, self.composite_lows, self.composite_highs, self.composite_values, self.composite_pks,
            self.word_pks, self.word_contents,
            self.identifier_types, self.identifier_systems, self.identifier_values, self.identifier_pks,
            self.member_patients, self.member_pks,
        ]  # fmt: skip

    def drop_copied(self) -> None:
        """Take out the rows that are on their way by `copies`."""
        for column in (
            self.token_keys, self.token_systems, self.token_pks, self.link_paths, self.link_targets, self.link_pks,
            self.date_keys, self.date_lows, self.date_highs, self.date_pks, self.member_patients, self.member_pks,
            self.word_pks, self.word_contents,
        ):  # fmt: skip
            column.clear()

    def counts(self) -> dict[str, int]:
        """How many rows of each table."""
        return {
            "tokens": len(self.token_pks),
            "links": len(self.link_pks),
            "strings": len(self.string_pks),
            "dates": len(self.date_pks),
            "quantities": len(self.amount_pks),
            "composites": len(self.composite_pks),
            "words": len(self.word_pks),
            "identifiers": len(self.identifier_pks),
            "compartments": len(self.member_pks),
        }

    def _add(self, key: bytes, value: IndexValue, pk: int, targets: Mapping[tuple[str, str], int]) -> None:
        match value:
            case Token():
                self._token(*_coded(key, value.path, value.system, value.code), pk)
            case Link():
                self._link(key, value, pk, targets)
            case Date():
                self.date_keys.append(path_key(key, value.path))
                self.date_lows.append(value.low)
                self.date_highs.append(value.high)
                self.date_pks.append(pk)
            case String():
                self._string(path_key(key, value.path), value.value, value.raw, pk)
            case Words():
                pass
            case _:
                self._add_rare(key, value, pk)

    def _add_rare(self, key: bytes, value: Amount | Together | Identified | Uri | OfType | Named, pk: int) -> None:
        match value:
            case Amount():
                self.amount_keys.append(_measured(key, value.path, value.unit))
                self.amount_lows.append(value.low)
                self.amount_highs.append(value.high)
                self.amount_pks.append(pk)
            case Together():
                self.composite_keys.append(composite_key(key, value.path, value.parts, value.unit))
                self.composite_lows.append(value.low)
                self.composite_highs.append(value.high)
                self.composite_values.append(value.text and value.text[:LONGEST])
                self.composite_pks.append(pk)
            case Identified():
                self.identifier_types.append(value.path.partition(".")[0])
                self.identifier_systems.append(held_text(value.system or ""))
                self.identifier_values.append(held_text(value.value))
                self.identifier_pks.append(pk)
            case Uri():
                self._token(*_coded(key, value.path, None, value.url), pk)
            case OfType():
                whole = f"{token_value(value.system, value.code)}|{value.value}"
                self._token(*_coded(key, of_type_path(value.path), None, whole), pk)
            case Named():
                self._token(*_coded(key, identifier_path(value.path), value.system, value.value), pk)

    def _add_words(self, key: bytes, patient: dict[str, Any], pk: int) -> None:
        names = [name for name in patient.get("name", ()) if isinstance(name, dict)]
        parts = [text for name in names for text in (name.get("text"), name.get("family"), *name.get("given", ()))]
        for word in dict.fromkeys(word for part in parts if part for word in words(part)):
            self._string(path_key(key, WORDS), word, word, pk)

    def _token(self, key: int, system: int, pk: int) -> None:
        """A code may stand in several systems, and must still be found once: there the others are negative."""
        systems = self._systems.setdefault((key, pk), [])
        if system not in systems:
            self.token_keys.append(key)
            self.token_systems.append(-system if systems else system)
            self.token_pks.append(pk)
            systems.append(system)

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


@functools.lru_cache(maxsize=32_768)
def _coded(key: bytes, path: str, system: str | None, code: str) -> tuple[int, int]:
    """The same codes come again and again."""
    return key_of(key, path, code), system_number(key, system)


@functools.lru_cache(maxsize=8_192)
def _measured(key: bytes, path: str, unit: str) -> int:
    """And the same units."""
    return key_of(key, path, unit)


def folded(text: str) -> str:
    """A string as the index compares it."""
    return fold(text)[:LONGEST]
