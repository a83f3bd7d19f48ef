"""Everything that a platform keeps of one hospital, taken away: objects, tables, roles, keys, rows about it.

What the directory's own trail says of it stays, as do the anchors, which nobody can change.
"""

from typing import Final

from sqlalchemy import Connection, text

from emr.db import roles
from emr.db.past import drop_past
from emr.storage.ports import ObjectStore

_CELL: Final = (
    text("DELETE FROM cell.outbox WHERE tenant = :schema"),
    text("DELETE FROM cell.deliveries WHERE tenant = :schema"),
    text("DELETE FROM cell.audit_journal WHERE tenant = :schema"),
    text("DELETE FROM cell.subscribers WHERE tenant = :schema"),
    text("DELETE FROM cell.notices WHERE tenant = :schema"),
    text("DELETE FROM cell.events WHERE tenant = :schema"),
    text("DELETE FROM cell.jobs WHERE name LIKE '%:' || :schema"),
    text("DELETE FROM cell.migrations_status WHERE schema = :schema"),
)
_PASTS: Final = text("SELECT schema FROM directory.rewinds WHERE tenant_id = :id AND state <> 'dropped'")
_KEYS: Final = text("DELETE FROM directory.keys WHERE tenant_id = :id")
_DIRECTORY: Final = (
    text("DELETE FROM directory.app_tokens WHERE grant_id IN ("
         "SELECT id FROM directory.app_grants WHERE tenant_id = :id)"),
    text("DELETE FROM directory.app_grants WHERE tenant_id = :id"),
    text("DELETE FROM directory.app_launches WHERE tenant_id = :id"),
    text("DELETE FROM directory.app_assertions WHERE app IN (SELECT id FROM directory.apps WHERE tenant_id = :id)"),
    text("DELETE FROM directory.apps WHERE tenant_id = :id"),
    text("DELETE FROM directory.machine_clients WHERE tenant_id = :id"),
    text("DELETE FROM directory.access_review_lines WHERE review_id IN ("
         "SELECT id FROM directory.access_reviews WHERE tenant_id = :id)"),
    text("DELETE FROM directory.access_reviews WHERE tenant_id = :id"),
    text("DELETE FROM directory.border_checks WHERE tenant_id = :id"),
    text("DELETE FROM directory.rewinds WHERE tenant_id = :id"),
    text("DELETE FROM directory.rehearsals WHERE tenant_id = :id"),
    text("DELETE FROM directory.traffic WHERE tenant_id = :id"),
    text("DELETE FROM directory.usage WHERE tenant_id = :id"),
    text("DELETE FROM directory.proposals WHERE tenant_id = :id"),
    text("DELETE FROM directory.support_grants WHERE tenant_id = :id"),
    text("DELETE FROM directory.memberships WHERE tenant_id = :id"),
    text("UPDATE directory.accounts a SET made_for = m.tenant_id FROM directory.memberships m"
         " WHERE a.made_for = :id AND m.subject = a.subject"),
    text("DELETE FROM directory.accounts WHERE made_for = :id"),
    text("DELETE FROM directory.golive_items WHERE tenant_id = :id"),
    text("DELETE FROM directory.fleet_requests WHERE slug IN (SELECT slug FROM directory.tenants WHERE id = :id)"),
    text("DELETE FROM directory.tenant_events WHERE tenant_id = :id"),
    _KEYS,
    text("DELETE FROM directory.tenants WHERE id = :id"),
)  # fmt: skip


def destroy_keys(connection: Connection, tenant_id: str) -> int:
    """Take the wrapped data keys away, and say how many there were: from here on no object opens."""
    return connection.execute(_KEYS, {"id": tenant_id}).rowcount


def forget(connection: Connection, tenant_id: str, schema: str) -> None:
    """Schema, roles and every row about a hospital. In the caller's transaction; nothing of it comes back."""
    for statement in _CELL:
        connection.execute(statement, {"schema": schema})
    for row in connection.execute(_PASTS, {"id": tenant_id}).all():
        drop_past(connection, row.schema)
    roles.drop_hospital(connection, schema)
    for statement in _DIRECTORY:
        connection.execute(statement, {"id": tenant_id})


async def remove_objects(store: ObjectStore) -> tuple[int, int]:
    """Every object under the hospital's prefix: how many there were, and their sealed bytes."""
    count = size = 0
    async for found in store.list():
        await store.delete(found.key)
        count, size = count + 1, size + found.size
    return count, size
