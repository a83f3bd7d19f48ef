"""What an import does with lines between the file and the database: read, check, and make into rows.

Nothing here waits for anything, so it can be done in this process or in one beside it (`beside`), and is the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from emr.access.permissions import demand_change
from emr.definitions.compartment import referring
from emr.definitions.model import resource_types
from emr.definitions.own import NONE, Own
from emr.definitions.validate import demand_valid
from emr.identity.principal import Principal
from emr.kernel import json
from emr.kernel.errors import Issue, Malformed, Refusal, TooLarge
from emr.kernel.tenant import Tenant
from emr.records.bulk.attachments import BytesOfLine, nothing
from emr.records.bulk.brought import Name
from emr.records.draft import Draft, checked_id, draft_after, draft_of
from emr.records.references import local_references, local_targets
from emr.records.rows import Rows, rows_of
from emr.records.stored import Stored
from emr.storage.ports import key_named

APART: Final = frozenset({"SearchParameter", "Subscription"})
"""Types that have a say in the record itself: they are stored one by one, as a client's own."""


@dataclass(frozen=True, slots=True)
class Terms:
    """For whom lines are read, and where. own: the hospital's search parameters, as last read."""

    tenant: Tenant
    principal: Principal
    base_url: str
    own: Own = NONE


class Sheet(NamedTuple):
    """A line to be read. `long`: it is the head of a Binary, whose bytes are longer than JSON may be."""

    text: bytes
    long: bool = False


class Read(NamedTuple):
    """What one line is: the name of its resource, if it says one, why it is refused (or nothing), what it refers to.

    profiled: it claims a profile. bytes_of: it carries the bytes of an object, which have been left out.
    """

    name: Name | None
    issues: tuple[Issue, ...] = ()
    targets: tuple[Name, ...] = ()
    profiled: bool = False
    bytes_of: bool = False


class Wish(NamedTuple):
    """A line, by its place among those read together, that is to be stored under a pk, after what is there now."""

    place: int
    pk: int
    before: Stored | None


class Made(NamedTuple):
    """Places of lines that say, byte for byte, what is here; rows of all first and of all later versions."""

    found: list[int]
    rows: list[Rows]


class Desk:
    """Holds the documents that were read until they are made into rows. `pile`: a number for lines read together."""

    def __init__(self) -> None:
        self._piles: dict[int, list[json.Document | None]] = {}
        self._own = NONE

    def read(self, pile: int, terms: Terms, sheets: Sequence[Sheet]) -> list[Read]:
        """Read and check lines, and lay them on the pile; each by itself, whatever it refers to."""
        documents = self._piles.setdefault(pile, [])
        found: list[Read] = []
        for sheet in sheets:
            document, read = _read(terms, sheet)
            documents.append(document)
            found.append(read)
        return found

    def where(self, pile: int, place: int, base_url: str, target: Name) -> str:
        """The FHIRPath in a line at which it refers to the target."""
        document = self._piles[pile][place]
        return local_references(base_url, document.value)[target] if document is not None else ""

    def make(self, pile: int, terms: Terms, wishes: Sequence[Wish], known: Mapping[Name, int], now: datetime) -> Made:
        """The rows of lines. `known`: the pk of whatever they refer to and of what they bring."""
        if terms.own.mark != self._own.mark:
            self._own = terms.own
        documents, found, drafts = self._piles[pile], list[int](), list[Draft]()
        for wish in wishes:
            document = documents[wish.place]
            assert document is not None
            draft = draft_for(now, document, wish)
            if draft is None:
                found.append(wish.place)
            else:
                drafts.append(draft)
        firsts, others = [each for each in drafts if each.version == 1], [each for each in drafts if each.version > 1]
        return Made(found, [rows_of(terms.tenant, group, self._own, known) for group in (firsts, others) if group])

    def clear(self, pile: int) -> None:
        """Forget lines that were read."""
        self._piles.pop(pile, None)


def parsed(text: bytes, *, long: bool = False) -> tuple[json.Document, bool]:
    """The resource in a line, and whether the bytes of a Binary have been left out. Raises `Malformed`, `TooLarge`."""
    bytes_of = None if long else BytesOfLine.cut(text, nothing())
    if bytes_of is None and not long:
        return json.parse(text), False
    document = json.parse(bytes_of.head if bytes_of else text)
    if key_named(str(document.value.get("id"))) is not None:
        return document, True
    if long:
        raise TooLarge("line-too-long", "A line has at most 16 MiB, but for a Binary with its data at the end.")
    return json.parse(text), False


def _read(terms: Terms, sheet: Sheet) -> tuple[json.Document | None, Read]:
    name = None
    try:
        document, bytes_of = parsed(sheet.text, long=sheet.long)
        value = document.value
        resource_type, resource_id = value.get("resourceType"), value.get("id")
        if not isinstance(resource_type, str) or not isinstance(resource_id, str):
            raise Malformed("ndjson-line", "A line of NDJSON is a resource with an id.")
        name = resource_type, resource_id
        _check(terms, name, document)
        targets = tuple(local_targets(terms.base_url, referring(value)))
    except Refusal as refusal:
        return None, Read(name, refusal.issues)
    meta = value.get("meta")
    return document, Read(name, (), targets, bool(meta and "profile" in meta), bytes_of)


def _check(terms: Terms, name: Name, document: json.Document) -> None:
    resource_type, resource_id = name
    if resource_type not in resource_types():
        raise Malformed("type-unknown", "There is no resource type of this name in R4.", location="resourceType")
    checked_id(resource_id)
    demand_change(terms.principal, resource_type)
    demand_valid(document.value, expected_type=resource_type)


def draft_for(now: datetime, document: json.Document, wish: Wish) -> Draft | None:
    """The version to be stored, or None when it says the same, byte for byte, as the one that is here."""
    before, value = wish.before, document.value
    resource_type, resource_id = value["resourceType"], value["id"]
    if before is None:
        draft = draft_of(now, document, resource_type=resource_type, resource_id=resource_id)
    else:
        if not before.deleted and before.body == json.splice(
            document, type=resource_type, id=resource_id, version=before.version, last_updated=before.last_updated
        ):
            return None
        draft = draft_after(now, document, before)
    draft.pk = wish.pk
    return draft
