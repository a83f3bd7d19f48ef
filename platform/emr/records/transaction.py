"""Transactions: all entries of a Bundle or none (FHIR R4, http.html#transaction)."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from emr.access.permissions import demand_change, demand_sight
from emr.definitions.compartment import references, rewrite
from emr.kernel import json
from emr.kernel.errors import Issue, Malformed, TooLarge
from emr.kernel.ids import uuid7
from emr.records.condition import Condition, hold, match
from emr.records.delete import tombstone
from emr.records.draft import checked_id, draft_after, draft_of
from emr.records.errors import ReferenceBroken, ResourceInvalid
from emr.records.references import local_references, refuse_missing
from emr.records.store import Draft, Targets, lock, prepare, store
from emr.records.stored import Stored
from emr.records.update import refuse_moved
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

ENTRIES_MOST: Final = 5_000
_URL: Final = re.compile(r"([A-Z][A-Za-z]{1,63})(?:/([^/?]{1,200}))?(?:\?(.*))?", re.DOTALL)
_CONDITIONAL: Final = re.compile(r"([A-Z][A-Za-z]{1,63})\?(.+)", re.DOTALL)
_ETAG: Final = re.compile(r'W/"(\d{1,9})"')

Reader = Callable[[UnitOfWork, str], Awaitable[bytes]]
"""Answers the GET of an entry: its url below the base, to the JSON text of what is there."""


@dataclass(slots=True)
class Entry:
    """One entry on its way through: what is asked, and then what came of it."""

    number: int
    method: str
    type: str
    id: str
    query: str
    url: str
    full_url: str | None
    resource: dict[str, Any] = field(repr=False)
    if_none_exist: str | None
    if_match: int | None
    draft: Draft | None = None
    found: Stored | None = None
    twin: "Entry | None" = None
    """An earlier entry of the same Bundle that makes what this one's condition asks for."""
    answer: bytes | None = None

    @property
    def settled(self) -> bool:
        """Whether what this entry would make is there already, or is made by another entry."""
        return self.twin is not None or (self.method == "POST" and self.found is not None)

    def kept(self) -> Stored:
        """The resource that an entry without a draft of its own answers with."""
        if self.twin is not None and self.twin.draft is not None:
            return self.twin.draft.stored()
        assert self.found is not None
        return self.found

    @property
    def location(self) -> str:
        """Where a refusal says that it applies."""
        return f"Bundle.entry[{self.number}]"


@use_case("record:transaction", "record.transaction")
async def transaction(work: UnitOfWork, entries: Sequence[Entry], read: Reader) -> Sequence[Entry]:
    """Delete, create, update and then read, in this order, inside the unit of work's one transaction.

    Placeholders (`fullUrl`) are replaced wherever a resource names them, conditional references by what they find.
    Raises whatever the single verbs raise, with the entry's place; then nothing of it is stored.
    """
    refuse_twice(entries)
    for entry in entries:
        if entry.method in ("POST", "PUT", "DELETE"):
            demand_change(work.principal, entry.type)
    await _hold_all(work, entries)
    addresses: dict[str, str] = {}
    await _name(work, entries, addresses)
    await _resolve_conditional_references(work, entries, addresses)
    for entry in entries:
        if entry.method in ("POST", "PUT") and not entry.settled:
            rewrite(entry.resource, addresses)
    known = await _known(work, entries)
    drafts = await _drafts(work, entries, known)
    await store(work, drafts, known.found)
    for entry in entries:
        if entry.method in ("GET", "HEAD"):
            entry.answer = await read(work, entry.url)
    work.trail.note(entries=len(entries))
    return entries


def entries_of(bundle: dict[str, Any]) -> list[Entry]:
    """The entries of a valid batch or transaction. Raises `Malformed`, `TooLarge`."""
    given = bundle.get("entry", [])
    if len(given) > ENTRIES_MOST:
        raise TooLarge("too-many-entries", f"A Bundle has at most {ENTRIES_MOST} entries.", location="Bundle.entry")
    return [entry_of(number, entry) for number, entry in enumerate(given)]


def entry_of(number: int, given: dict[str, Any]) -> Entry:
    """One entry of a valid batch or transaction. Raises `Malformed`."""
    asked = given["request"]
    url = asked["url"].removeprefix("/")
    found = _URL.fullmatch(url)
    where = f"Bundle.entry[{number}].request.url"
    if found is None and asked["method"] not in ("GET", "HEAD"):
        raise Malformed("entry-url", "The url of an entry is Type, Type/id or Type?criteria.", location=where)
    etag = asked.get("ifMatch")
    matched = _ETAG.fullmatch(etag) if etag is not None else None
    if etag is not None and matched is None:
        raise Malformed("etag-form", 'ifMatch is W/"version".', location=f"Bundle.entry[{number}].request.ifMatch")
    return Entry(
        number=number,
        method=asked["method"],
        type=found[1] if found else "",
        id=(found[2] or "") if found else "",
        query=(found[3] or "") if found else "",
        url=url,
        full_url=given.get("fullUrl"),
        resource=given.get("resource", {}),
        if_none_exist=asked.get("ifNoneExist"),
        if_match=int(matched[1]) if matched else None,
    )


def refuse_twice(entries: Sequence[Entry]) -> None:
    """A transaction touches a resource once, names each entry once, and uses no verb that is unknown here."""
    seen: set[tuple[str, str]] = set()
    urls: set[str] = set()
    for entry in entries:
        if entry.method not in ("GET", "HEAD", "POST", "PUT", "DELETE"):
            raise Malformed("entry-method", f"{entry.method} is not supported here.", location=entry.location)
        if entry.method in ("PUT", "DELETE"):
            if not entry.id or entry.query:
                rule = "PUT and DELETE name one resource by its id."
                raise Malformed("entry-url", rule, location=f"{entry.location}.request.url")
            if (entry.type, entry.id) in seen:
                raise Malformed("entry-twice", "A transaction changes a resource once.", location=entry.location)
            seen.add((entry.type, entry.id))
        if entry.full_url in urls:
            raise Malformed("entry-full-url", "A fullUrl stands once.", location=f"{entry.location}.fullUrl")
        if entry.full_url:
            urls.add(entry.full_url)


async def _hold_all(work: UnitOfWork, entries: Sequence[Entry]) -> None:
    conditions = [Condition(entry.type, entry.if_none_exist) for entry in entries if entry.if_none_exist]
    if conditions:
        await hold(work, conditions)


async def _name(work: UnitOfWork, entries: Sequence[Entry], addresses: dict[str, str]) -> None:
    """Give every entry the address that it will have, so that others can refer to it."""
    conditional: list[tuple[Condition, Entry]] = []
    for entry in entries:
        if entry.method == "POST":
            if entry.id or entry.query:
                raise Malformed("entry-url", "POST names a type.", location=f"{entry.location}.request.url")
            if entry.if_none_exist:
                await _look(work, entry, conditional)
            entry.id = entry.twin.id if entry.twin else entry.found.id if entry.found else uuid7()
        elif entry.method == "PUT":
            checked_id(entry.id)
        else:
            continue
        if entry.full_url:
            addresses[entry.full_url] = f"{entry.type}/{entry.id}"


async def _look(work: UnitOfWork, entry: Entry, conditional: list[tuple[Condition, Entry]]) -> None:
    """Who asks for the same twice in one Bundle gets one: the first entry's."""
    condition = Condition(entry.type, entry.if_none_exist or "", f"{entry.location}.request.ifNoneExist")
    first = next((each for known, each in conditional if condition.same(known)), None)
    if first is not None and first.found is None:
        entry.twin = first
        return
    conditional.append((condition, entry))
    entry.found = await match(work, condition)


async def _resolve_conditional_references(
    work: UnitOfWork, entries: Sequence[Entry], addresses: dict[str, str]
) -> None:
    """`Practitioner?identifier=…` becomes the one resource that fits (http.html#trules)."""
    wanted: dict[str, str] = {}
    for entry in entries:
        if entry.method in ("POST", "PUT"):
            wanted.update({text: path for path, text in references(entry.resource) if _CONDITIONAL.fullmatch(text)})
    for text, path in wanted.items():
        found = _CONDITIONAL.fullmatch(text)
        assert found is not None
        demand_sight(work.principal, found[1])
        target = await match(work, Condition(found[1], found[2], path))
        if target is None:
            raise ReferenceBroken("a condition that fits nothing", path)
        addresses[text] = f"{target.type}/{target.id}"


async def _known(work: UnitOfWork, entries: Sequence[Entry]) -> Targets:
    """Targets of all references: those that are here already and those that this transaction makes."""
    own = {(entry.type, entry.id) for entry in entries if entry.method in ("POST", "PUT")}
    wanted: dict[tuple[str, str], str] = {}
    for entry in entries:
        if entry.method in ("POST", "PUT") and not entry.settled:
            for path, text in references(entry.resource):
                if text.startswith("urn:"):
                    raise ReferenceBroken("an entry that is not in this Bundle", f"{entry.location}.resource.{path}")
            wanted |= local_references(work, entry.resource)
    missing = {target: path for target, path in wanted.items() if target not in own}
    gone = {(entry.type, entry.id) for entry in entries if entry.method == "DELETE"}
    known = await prepare(work, new=len(own), references=missing)
    refuse_missing(missing, known)
    known.found.update({(entry.type, entry.id): entry.found.pk for entry in entries if entry.found is not None})
    for target, path in missing.items():
        if target in gone:
            raise ReferenceBroken("a resource that this transaction deletes", path)
    return known


async def _drafts(work: UnitOfWork, entries: Sequence[Entry], known: Targets) -> list[Draft]:
    pks = iter(known.pks)
    order = {"DELETE": 0, "POST": 1, "PUT": 2}
    writing = [entry for entry in entries if entry.method in order and not entry.settled]
    for entry in sorted(writing, key=lambda entry: (entry.type, entry.id)):
        if entry.method != "POST":
            entry.found = await lock(work, entry.type, entry.id, to_delete=entry.method == "DELETE")
    drafts: list[Draft] = []
    for entry in sorted(writing, key=lambda entry: order[entry.method]):
        draft = await _draft(work, entry)
        if draft is None:
            continue
        draft.pk = draft.pk or next(pks)
        draft.place = f"{entry.location}.resource"
        entry.draft = draft
        drafts.append(draft)
        known.found[entry.type, entry.id] = draft.pk
    return drafts


async def _draft(work: UnitOfWork, entry: Entry) -> Draft | None:
    before = entry.found
    if entry.method == "DELETE":
        if before is None or before.deleted:
            return None
        refuse_moved(before, entry.if_match)
        return await tombstone(work, before)
    document = json.compose(entry.resource)
    if entry.resource.get("resourceType") != entry.type:
        raise ResourceInvalid([Issue("wrong-type", f"A {entry.type} is expected here.", f"{entry.location}.resource")])
    if entry.method == "POST":
        return draft_of(work, document, resource_type=entry.type, resource_id=entry.id)
    if entry.resource.get("id") != entry.id:
        rule = "The resource must carry the id of the url."
        raise Malformed("id-mismatch", rule, location=f"{entry.location}.resource.id")
    refuse_moved(before, entry.if_match)
    if before is None:
        return draft_of(work, document, resource_type=entry.type, resource_id=entry.id)
    return draft_after(work, document, before)
