"""Transactions: all entries of a Bundle or none (FHIR R4, http.html#transaction)."""

from collections.abc import Sequence

from emr.access.permissions import demand_change
from emr.definitions.compartment import referring
from emr.definitions.findings import Path
from emr.definitions.placeholders import replace_placeholders
from emr.kernel import json
from emr.kernel.errors import Conflict, Malformed
from emr.records.current import refuse_deleted
from emr.records.delete import tombstone
from emr.records.draft import Draft, checked, draft_after, draft_of
from emr.records.entries import ORDER, Entry, inside, located, refuse_twice
from emr.records.errors import IdTaken, ReferenceBroken, ResourceNotFound
from emr.records.locking import lock_all
from emr.records.naming import conditional_references, hold_conditions, name, resolve_references
from emr.records.references import Targets, local_targets
from emr.records.store import prepare, store
from emr.records.update import refuse_moved
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case


@use_case("record:transaction", "record.transaction")
async def transaction(work: UnitOfWork, entries: Sequence[Entry]) -> Sequence[Entry]:
    """Delete, create, update and patch, in this order, inside the unit of work's one transaction.

    Placeholders (`fullUrl`) are replaced wherever a resource names them, conditional references by what they find. What
    only reads is left to the caller, for afterwards. Raises whatever the single verbs raise, with the entry's place;
    then nothing of it is stored.
    """
    refuse_twice(entries)
    writing = [entry for entry in entries if entry.writes]
    for entry in writing:
        with located(entry):
            demand_change(work.principal, entry.type)
    asked = conditional_references(writing)
    await hold_conditions(work, writing, asked)
    addresses = await name(work, writing)
    refuse_twice(writing)
    await _claim(work, writing)
    await resolve_references(work, writing, asked, addresses)
    for entry in writing:
        if entry.makes:
            replace_placeholders(entry.resource, addresses, entry.full_url)
    known = await _known(work, writing)
    drafts = await _drafts(work, writing, known)
    await store(work, drafts, known.found)
    work.trail.note(entries=len(entries))
    return entries


async def _claim(work: UnitOfWork, writing: Sequence[Entry]) -> None:
    """Hold everything that is there and will change, and look whether it is as the client supposes."""
    changing = [entry for entry in writing if entry.method != "POST" and entry.id]
    removes = any(entry.method == "DELETE" for entry in changing)
    held = await lock_all(work, [(entry.type, entry.id) for entry in changing], to_delete=removes)
    for entry in changing:
        before = held.get((entry.type, entry.id))
        with located(entry):
            if entry.found is not None and (before is None or before.version != entry.found.version):
                raise Conflict("lock-lost", "What the condition fits was being changed; try again.")
            if entry.condition is not None and entry.found is None and before is not None and not before.deleted:
                raise IdTaken
            if entry.method != "DELETE" or (before is not None and not before.deleted):
                refuse_moved(before, entry.if_match)
            entry.found = before
            if entry.patch is not None:
                _apply(entry)


def _apply(entry: Entry) -> None:
    """The resource as the patch makes it. Raises `ResourceNotFound`, `ResourceGone`, what the patch raises."""
    if entry.found is None:
        raise ResourceNotFound(entry.type, entry.id)
    assert entry.patch is not None
    entry.resource = entry.patch.applied(refuse_deleted(entry.found))
    checked(json.compose(entry.resource), entry.type)
    entry.referring = referring(entry.resource)


async def _known(work: UnitOfWork, writing: Sequence[Entry]) -> Targets:
    """Targets of all references: those that are here already and those that this transaction makes."""
    own = {(entry.type, entry.id) for entry in writing if entry.method != "DELETE"}
    wanted: dict[tuple[str, str], tuple[Entry, Path]] = {}
    for entry in writing:
        if entry.makes:
            with located(entry):
                for target, place in local_targets(work.request.base_url, entry.referring, in_bundle=True).items():
                    wanted[target] = entry, place
    missing = {target: named for target, named in wanted.items() if target not in own}
    gone = {(entry.type, entry.id) for entry in writing if entry.method == "DELETE"}
    known = await prepare(work, new=len(own), references=missing)
    for target, named in missing.items():
        if target not in known.found:
            raise ReferenceBroken("/".join(target), inside(*named))
    known.found.update({(entry.type, entry.id): entry.found.pk for entry in writing if entry.found is not None})
    for target, named in missing.items():
        if target in gone:
            raise ReferenceBroken("a resource that this transaction deletes", inside(*named))
    return known


async def _drafts(work: UnitOfWork, writing: Sequence[Entry], known: Targets) -> list[Draft]:
    pks = iter(known.pks)
    leaving = [entry.found.pk for entry in writing if entry.method == "DELETE" and entry.found is not None]
    drafts: list[Draft] = []
    for entry in sorted(writing, key=lambda entry: ORDER[entry.method]):
        if entry.settled:
            continue
        with located(entry):
            draft = await _draft(work, entry, leaving)
        if draft is None:
            continue
        draft.pk = draft.pk or next(pks)
        draft.place = f"{entry.location}.resource"
        entry.draft = draft
        drafts.append(draft)
        known.found[entry.type, entry.id] = draft.pk
    return drafts


async def _draft(work: UnitOfWork, entry: Entry, leaving: Sequence[int]) -> Draft | None:
    before = entry.found
    if entry.method == "DELETE":
        return None if before is None or before.deleted else await tombstone(work, before, beside=leaving)
    if entry.method == "PUT" and entry.condition is None and entry.resource.get("id") != entry.id:
        rule = "The resource must carry the id of the url."
        raise Malformed("id-mismatch", rule, location=f"{entry.location}.resource.id")
    document = json.compose(entry.resource)
    if before is None:
        return draft_of(work.clock(), document, resource_type=entry.type, resource_id=entry.id)
    return draft_after(work.clock(), document, before)
