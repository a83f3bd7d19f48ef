"""Put new versions into the hospital's tables: rows, index, history and outbox in one statement each way."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from emr.access.permissions import demand_change
from emr.access.pilot import demand_feature_of
from emr.access.scopes import limits_of
from emr.kernel.errors import Forbidden
from emr.records.current import CURRENT
from emr.records.draft import Draft
from emr.records.errors import IdHeld
from emr.records.index import DROP_ROWS, DROP_ROWS_OF_ONE, PUT_ROWS
from emr.records.indexed import index_again
from emr.records.keys import lock_number
from emr.records.own_parameters import MARK, TYPE, last_known, refuse_unusable, take_over
from emr.records.profiles import demand_profiles
from emr.records.references import Targets
from emr.records.rows import Rows, rows_of
from emr.records.sights import keep_sights
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork, as_whole, with_row
from emr.work.use_case import last_row

GUARDED: Final = frozenset({"Subscription"})
"""Types whose storing a room above the record has a say in (`Runtime.guards`); without that room they are refused."""
_RIGHTS: Final = {"create": "c", "update": "u", "delete": "d"}

_PREPARE: Final = """
WITH t AS NOT MATERIALIZED (
  SELECT type, id FROM unnest($2::text[], $3::text[]) AS named (type, id) LIMIT cardinality($2::text[]))
, patients AS (
  SELECT r.type, r.id, r.pk, r.deleted FROM t JOIN resources r ON r.type = 'Patient' AND r.id = t.id
   WHERE t.type = 'Patient'
     FOR KEY SHARE OF r)
SELECT '' AS type, '' AS id, nextval('resources_pk_seq') AS pk, false AS deleted FROM generate_series(1, $1)
UNION ALL
SELECT type, id, pk, deleted FROM patients
UNION ALL
SELECT r.type, r.id, r.pk, r.deleted FROM t JOIN resources r ON r.type = t.type AND r.id = t.id
 WHERE t.type <> 'Patient'
"""
"""Patients that are referred to stay until the transaction ends: only their deletion has to wait.

A limit that is no constant is taken to leave few rows. Without it PostgreSQL thinks of ten for an array that it does
not know, and of the one that is there once it knows it: so it would plan each time anew, which costs more than the
look-up.
"""

_OUTBOX: Final = """
, put_notices AS (
  INSERT INTO cell.notices (tenant, type, id, version, deleted)
  SELECT current_user, v.type, v.id, v.version, v.deleted FROM versions v WHERE EXISTS (
    SELECT 1 FROM cell.subscribers s WHERE s.tenant = current_user::text AND s.type = v.type))
, put_outbox AS (
  INSERT INTO cell.outbox (tenant, type, id, version) SELECT current_user, type, id, version FROM versions)
"""

_VERSIONS: Final = """
WITH versions AS (
  SELECT v.pk, v.type, v.id, v.version, v.updated, v.deleted, v.body, string_to_array(v.patients, ' ') AS patients,
         string_to_array(v.present, ',')::int[] AS present
    FROM unnest($32::bigint[], $33::text[], $34::text[], $35::int[], $36::timestamptz[], $37::bool[], $38::bytea[],
                $39::text[], $40::text[]) AS v (pk, type, id, version, updated, deleted, body, patients, present))
"""

_VERSION: Final = """
WITH versions AS (
  SELECT $32::bigint AS pk, $33::text AS type, $34::text AS id, $35::int AS version, $36::timestamptz AS updated,
         $37::bool AS deleted, $38::bytea AS body, string_to_array($39::text, ' ') AS patients,
         string_to_array($40::text, ',')::int[] AS present)
"""
"""The same of one version. An array that is not known yet counts as ten rows, so PostgreSQL would take a plan of the
values to be far cheaper than one for any, and make one for each update: as much work again as the update itself.
"""

_TOLD: Final = """
, told AS (
  INSERT INTO cell.audit_journal (tenant, at, row)
  SELECT current_user, t.at, t.row FROM (SELECT $41::timestamptz, $42::text) AS t (at, row) WHERE t.row IS NOT NULL)
"""
"""The audit row of a use case that does nothing else: an exchange less."""
_INDEX_COLUMNS: Final = 31
"""Values of `PUT_ROWS`, which stand before those of the versions."""

_PUT: Final = """
, put_resources AS (
  INSERT INTO resources (pk, type, id, version, updated, deleted, body, patients, present)
  SELECT pk, type, id, version, updated, deleted, body, patients, present FROM versions)
"""

_SUCCEED: Final = """
, kept AS (
  INSERT INTO resource_versions (pk, version, updated, xid, deleted, body)
  SELECT r.pk, r.version, r.updated, r.xid, r.deleted, r.body FROM resources r JOIN versions v ON v.pk = r.pk)
, replaced AS (
  UPDATE resources r SET version = v.version, updated = v.updated, deleted = v.deleted, body = v.body,
    patients = v.patients, present = v.present, xid = pg_current_xact_id(),
    concerns = CASE WHEN r.concerns IS NOT NULL OR NOT r.patients <@ v.patients THEN
      ARRAY(SELECT DISTINCT unnest(coalesce(r.concerns, r.patients) || v.patients)) END
    FROM versions v WHERE r.pk = v.pk)
"""

# Constants, and no formatting near SQL.
_CREATE: Final = "".join((_VERSIONS, _PUT, PUT_ROWS, _OUTBOX, MARK))  # noqa: FLY002
_COPIED: Final = "".join((_VERSIONS, PUT_ROWS, _OUTBOX, MARK))  # noqa: FLY002
"""What is left to do where versions and most of their index have been copied."""
_CREATE_ONE: Final = "".join((_VERSION, _PUT, PUT_ROWS, _OUTBOX, _TOLD, MARK))  # noqa: FLY002
_REPLACE: Final = "".join((_VERSIONS, _SUCCEED, DROP_ROWS, PUT_ROWS, _OUTBOX, MARK))  # noqa: FLY002
_REPLACE_ONE: Final = "".join((_VERSION, _SUCCEED, DROP_ROWS_OF_ONE, PUT_ROWS, _OUTBOX, _TOLD, MARK))  # noqa: FLY002
_AS_IF: Final = "".join((_VERSION, _PUT, PUT_ROWS, MARK))  # noqa: FLY002

_CURRENT_LOCKED: Final = CURRENT + " FOR NO KEY UPDATE"
_CURRENT_CLAIMED: Final = CURRENT + " FOR UPDATE"
_HELD: Final = """
SELECT EXISTS (SELECT 1 FROM unnest($1::text[], $2::text[]) AS t (type, id)
                 JOIN resources r ON r.type = t.type AND r.id = t.id)
"""
_SEEN: Final = "SELECT count(*) FROM resources WHERE pk = ANY ($1::bigint[])"
_HOLD_NAME: Final = "SELECT pg_advisory_xact_lock($1)"


_HELD_WITH: Final = """
WITH held AS (
  SELECT pk, id, version, updated, deleted, patients, body FROM resources WHERE type = $1 AND id = $2
     FOR NO KEY UPDATE)
, t AS NOT MATERIALIZED (
  SELECT type, id FROM unnest($3::text[], $4::text[]) AS named (type, id) LIMIT cardinality($3::text[]))
, patients AS (
  SELECT r.type, r.id, r.pk, r.deleted FROM t JOIN resources r ON r.type = 'Patient' AND r.id = t.id
   WHERE t.type = 'Patient'
     FOR KEY SHARE OF r)
SELECT '' AS type, id, pk, deleted, version, updated, patients, body FROM held
UNION ALL
SELECT type, id, pk, deleted, 0, NULL, NULL, NULL FROM patients
UNION ALL
SELECT r.type, r.id, r.pk, r.deleted, 0, NULL, NULL, NULL FROM t JOIN resources r ON r.type = t.type AND r.id = t.id
 WHERE t.type <> 'Patient'
"""


async def lock_with(
    work: UnitOfWork, name: tuple[str, str], references: Iterable[tuple[str, str]]
) -> tuple[Stored | None, Targets]:
    """`lock` for an update and `prepare` in one exchange; where there is nothing to lock, with a pk for what is new."""
    wanted = sorted(set(references))
    types, ids = [each[0] for each in wanted], [each[1] for each in wanted]
    rows = await work.db.fetch(_HELD_WITH, *name, types, ids, name="lock") if wanted else ()
    if not rows or rows[0]["type"]:
        before = await lock(work, *name)
        return before, await prepare(work, new=0 if before else 1, references=wanted)
    found = {(row["type"], row["id"]): row["pk"] for row in rows[1:] if not row["deleted"]}
    return Stored.of(name[0], rows[0]), Targets([], found)


async def prepare(work: UnitOfWork, *, new: int, references: Iterable[tuple[str, str]]) -> Targets:
    """Reserve `new` pks and look up what is referred to, in one exchange, or in none for nothing."""
    wanted = sorted(set(references))
    if not new and not wanted:
        return Targets([], {})
    rows = await work.db.fetch(
        _PREPARE, new, [each[0] for each in wanted], [each[1] for each in wanted], name="prepare"
    )
    found = {(row["type"], row["id"]): row["pk"] for row in rows[new:] if not row["deleted"]}
    return Targets([row["pk"] for row in rows[:new]], found)


async def store(
    work: UnitOfWork, drafts: Sequence[Draft], known: Mapping[tuple[str, str], int], *, last: bool = False
) -> None:
    """Store new versions. `known`: the pk of every resource that a draft refers to, as `prepare` has found it. last:
    the verb touches nothing after this, so that its audit row goes with it.

    Raises `Forbidden` when the role may not change a type, or when the hospital is read-only, `IdHeld`.
    """
    work.tenant.demand_writable()
    parameters = [draft for draft in drafts if draft.type == TYPE]
    await demand_profiles(work, [(draft.place, draft.value) for draft in drafts if not draft.deleted])
    refuse_unusable([(draft.place, draft.value) for draft in parameters if not draft.deleted])
    for draft in drafts:
        demand_change(work.principal, draft.type, _RIGHTS[draft.verb])
        demand_feature_of(work.tenant, work.principal, draft.type)
        if draft.type in GUARDED:
            await _guard(work, draft)
    targets = {**known, **{(draft.type, draft.id): draft.pk for draft in drafts}}
    for group in ([draft for draft in drafts if draft.version == 1], [draft for draft in drafts if draft.version > 1]):
        if group:
            rows = rows_of(work.tenant, group, last_known(work), targets)
            await store_rows(work, rows, last=last and len(drafts) == 1)
    if parameters:
        async with as_whole(work) as own:
            await take_over(own, [(each.place, each.id, None if each.deleted else each.value) for each in parameters])


async def store_rows(work: UnitOfWork, rows: Rows, *, last: bool = False) -> None:
    """Store versions whose rows were made before, all first versions or all later ones: rows, index, history, outbox.

    Indexed by the hospital's own parameters as whoever made them knew these; again if they are others by now. Raises
    `Forbidden` and `IdHeld` as `store`. Profiles, and what else is to say about the content, are the caller's to ask.
    """
    work.tenant.demand_writable()
    for resource_type, verb in {(each.type, each.verb) for each in rows.written}:
        demand_change(work.principal, resource_type, _RIGHTS[verb])
        demand_feature_of(work.tenant, work.principal, resource_type)
    first = rows.written[0].version == 1
    for each in rows.written:
        work.trail.write(each.verb, each.type, each.id, each.version)
        work.trail.concerns(*each.patients)
    async with as_whole(work) as own:
        if first and own is not work:
            await _refuse_held(own, rows)
        for copied in rows.copies:
            await own.db.copy(copied.table, copied.columns, copied.data, form=copied.form, name="store-copy")
        if len(rows.written) == 1:
            await _put_one(own, _CREATE_ONE if first else _REPLACE_ONE, rows, _told(work, last=last))
        else:
            create = _COPIED if rows.copies else _CREATE
            await _put(own, create if first else _REPLACE, rows.columns, rows)
        if work.tenant.access.kept:
            await keep_sights(own, [each.pk for each in rows.written])
    await _demand_within(work, rows)


async def _demand_within(work: UnitOfWork, rows: Rows) -> None:
    """Raise `Forbidden` for what the criteria of a token's scopes would hide from its writer."""
    limits = limits_of(work.principal)
    limited = {} if limits is None else limits.some
    pks = [
        each.pk for each in rows.written
        if each.verb != "delete" and _RIGHTS[each.verb] in limited.get(each.type, frozenset())
    ]  # fmt: skip
    if pks and await work.db.fetchval(_SEEN, pks, name="within-scopes") < len(pks):
        raise Forbidden("scope-may-not", "This does not fit the criteria of the token's scopes.")


async def put_as_if(work: UnitOfWork, draft: Draft, known: Mapping[tuple[str, str], int]) -> None:
    """Rows and index of a version without history, outbox or audit: for a savepoint that is about to be undone."""
    async with as_whole(work) as own:
        await _put_one(own, _AS_IF, rows_of(work.tenant, [draft], last_known(work), known))


async def _refuse_held(work: UnitOfWork, rows: Rows) -> None:
    """Raise `IdHeld` for a new resource under an id that is held by one which was hidden from the writer's `lock`."""
    names = [each.type for each in rows.written], [each.id for each in rows.written]
    if await work.db.fetchval(_HELD, *names, name="held"):
        raise IdHeld


async def _put_one(work: UnitOfWork, statement: str, rows: Rows, told: Sequence[object] = ()) -> None:
    """One version is bound as it is, several as a column each. told: the values of `_TOLD`, where it is a part."""
    versions = (column[0] for column in rows.columns[_INDEX_COLUMNS:])
    with with_row():
        await _put(work, statement, [*rows.columns[:_INDEX_COLUMNS], *versions, *told], rows)


def _told(work: UnitOfWork, *, last: bool) -> tuple[object, object]:
    row = last_row(work) if last else None
    return (None, None) if row is None else (row.at, row.canonical())


async def _put(work: UnitOfWork, statement: str, values: Sequence[object], rows: Rows) -> None:
    mark = await work.db.fetchval(statement, *values, name="store")
    if mark != rows.mark:
        await index_again(work, [each.pk for each in rows.written])


async def lock(work: UnitOfWork, resource_type: str, resource_id: str, *, to_delete: bool = False) -> Stored | None:
    """The current version, deleted or not, held until the transaction ends; None when there never was one.
    To delete it, also from those who refer to it.

    Then its name is held instead, so that two clients who bring the same new id stand in line.
    """
    statement = _CURRENT_CLAIMED if to_delete else _CURRENT_LOCKED
    row = await work.db.fetchrow(statement, resource_type, resource_id, name="lock")
    if row is None:
        await work.db.execute(_HOLD_NAME, lock_number(work.tenant.schema, resource_type, resource_id), name="hold")
        row = await work.db.fetchrow(statement, resource_type, resource_id, name="lock")
    return None if row is None else Stored.of(resource_type, row)


async def _guard(work: UnitOfWork, draft: Draft) -> None:
    guard = work.runtime.guards.get(draft.type)
    if guard is None:
        raise Forbidden("type-guarded", f"A {draft.type} cannot be stored this way.")
    await guard(work, draft)
