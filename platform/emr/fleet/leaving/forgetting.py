"""Everything that a platform keeps of one hospital, taken away: objects, tables, roles, keys, rows about it.

What the directory's own trail says of it stays, as do the anchors, which nobody can change.
"""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, text

from emr.db import roles
from emr.db.cells import owner_urls
from emr.db.migrate import owner_engine
from emr.db.past import drop_past
from emr.settings import Database
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
_IS_CELL: Final = text("SELECT to_regnamespace('cell') IS NOT NULL")
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
    text("DELETE FROM directory.moves WHERE tenant_id = :id"),
    text("DELETE FROM directory.tenant_events WHERE tenant_id = :id"),
    _KEYS,
    text("DELETE FROM directory.tenants WHERE id = :id"),
)  # fmt: skip


def destroy_keys(connection: Connection, tenant_id: str) -> int:
    """Take the wrapped data keys away, and say how many there were: from here on no object opens."""
    return connection.execute(_KEYS, {"id": tenant_id}).rowcount


def forget(
    settings: Database, tenant_id: str, schema: str, also: Callable[[Connection], None] = lambda _: None
) -> None:
    """Schema, roles and every row about a hospital, in every cell; nothing of it comes back. Who was cut off does it
    again. also: what is written down in the transaction that takes away the hospital's row in the directory.
    """
    urls = dict.fromkeys(owner_urls(settings).values())
    with owner_engine(settings.owner_url).connect() as connection:
        pasts = [row.schema for row in connection.execute(_PASTS, {"id": tenant_id})]
    for url in urls:
        with owner_engine(url).begin() as connection:
            if connection.scalar(_IS_CELL):
                for past in pasts:
                    drop_past(connection, past)
                drop_copy(connection, schema)
    # The roles when no database of their server has anything left that they have rights on.
    for url in urls:
        with owner_engine(url).begin() as connection:
            roles.drop_hospital_roles(connection, schema)
    with owner_engine(settings.owner_url).begin() as connection:
        for statement in _DIRECTORY:
            connection.execute(statement, {"id": tenant_id})
        also(connection)


def drop_copy(connection: Connection, schema: str) -> None:
    """What one cell has of a hospital: its tables, and its rows in those of the cell. Its roles stay."""
    for statement in _CELL:
        connection.execute(statement, {"schema": schema})
    roles.drop_hospital(connection, schema)


async def remove_objects(store: ObjectStore) -> tuple[int, int]:
    """Every object under the hospital's prefix: how many there were, and their sealed bytes."""
    count = size = 0
    async for found in store.list():
        await store.delete(found.key)
        count, size = count + 1, size + found.size
    return count, size
