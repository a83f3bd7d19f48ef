"""Alembic's environment for all three histories; which one, and where, arrives in the configuration's attributes."""

from alembic import context
from sqlalchemy import Connection, text

from emr.db.migrate import Target


def _run(target: Target, connection: Connection) -> None:
    family = target.history.metadata.schema
    if family is None:
        connection.dialect.default_schema_name = target.schema
    context.configure(
        connection=connection,
        target_metadata=target.history.metadata,
        version_table_schema=family,
        include_schemas=family is not None,
        include_name=lambda name, kind, _: kind != "schema" or name == family,
        transactional_ddl=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        connection.execute(text("SELECT set_config('search_path', :schema, true)"), {"schema": target.schema})
        context.run_migrations()


_run(context.config.attributes["target"], context.config.attributes["connection"])
