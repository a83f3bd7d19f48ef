"""All rows of new versions, made from drafts: those of the index, and those of the versions themselves."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from emr.definitions.compartment import patients_of
from emr.definitions.own import Own
from emr.kernel.tenant import Tenant
from emr.records.codec import pack
from emr.records.copies import Copy, Version, copies
from emr.records.draft import Draft
from emr.records.index import IndexRows

MANY: Final = 100
"""New resources of which the greater part of the index is copied: a COPY costs two exchanges for each table."""


class Written(NamedTuple):
    """Which version rows belong to, and whose data it is: what a trail says."""

    verb: str
    type: str
    id: str
    version: int
    pk: int
    patients: tuple[str, ...]


class Rows(NamedTuple):
    """The values of the statement that stores versions. mark: of the own parameters that they are indexed by.

    copies: rows that are copied, those of the versions first. They are not among the values, which then say no more of
    a version than its name, for the outbox.
    """

    mark: str | None
    columns: list[list[Any]]
    written: list[Written]
    copies: list[Copy]


def rows_of(tenant: Tenant, drafts: Sequence[Draft], own: Own, targets: Mapping[tuple[str, str], int]) -> Rows:
    """The rows of some versions; tells each draft whose data it is.

    `targets`: the pk of every resource that is here and that one of them refers to, themselves among them.
    """
    index = IndexRows(own)
    for draft in drafts:
        draft.patients = () if draft.deleted else tuple(patients_of(draft.type, draft.value))
        if not draft.deleted:
            index.add(tenant, draft.value, draft.pk, targets)
            members = [targets[who] for each in draft.patients if (who := ("Patient", each)) in targets]
            index.add_member(draft.pk, members)
    written = _written(drafts)
    bodies = [pack(draft.body) for draft in drafts]
    present = [index.present.get(draft.pk, "") for draft in drafts]
    names = [draft.type for draft in drafts], [draft.id for draft in drafts], [draft.version for draft in drafts]
    deleted = [draft.deleted for draft in drafts]
    if len(drafts) >= MANY and all(draft.version == 1 for draft in drafts):
        versions = {
            draft.pk: Version(draft.type, draft.id, draft.updated, body, draft.patients, numbers)
            for draft, body, numbers in zip(drafts, bodies, present, strict=True)
        }
        copied = copies(index, versions)
        return Rows(own.mark, [*index.columns(), [], *names, [], deleted, [], [], []], written, copied)
    columns = [
        *index.columns(),
        [draft.pk for draft in drafts],
        *names,
        [draft.updated for draft in drafts],
        deleted,
        bodies,
        [" ".join(draft.patients) for draft in drafts],
        present,
    ]
    return Rows(own.mark, columns, written, [])


def _written(drafts: Sequence[Draft]) -> list[Written]:
    return [Written(each.verb, each.type, each.id, each.version, each.pk, each.patients) for each in drafts]
