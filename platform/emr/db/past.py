"""The side schema in which a hospital's past lies: who may read it, and that nobody may write it.

It has the tables of a hospital under another name, a role of its own and the views of limited sight. The role is none
of `emr_hospital`: it can neither send to the city nor write into the journal. Who may see what is decided as it is
today: the grants are the live hospital's, and what has been labelled since then is hidden in the past, too.
"""

from typing import Final, LiteralString

from sqlalchemy import Connection

from emr.db import roles, seen
from emr.db.owning import make_role, run, run_all

_TODAYS_RULES: Final[tuple[LiteralString, ...]] = (
    # Labels are the union of then and now; whom it concerns, where that is kept, is what is known now.
    """
    UPDATE {past}.resources p
       SET labels = CASE WHEN l.labels IS NULL THEN p.labels
                         ELSE ARRAY(SELECT DISTINCT unnest(coalesce(p.labels, '{{}}') || l.labels)) END,
           concerns = coalesce(l.concerns, p.concerns)
      FROM {live}.resources l
     WHERE l.pk = p.pk AND (l.labels IS NOT NULL AND l.labels IS DISTINCT FROM p.labels
                            OR l.concerns IS NOT NULL AND l.concerns IS DISTINCT FROM p.concerns)
    """,
    "DROP TABLE {past}.grants",
    "CREATE VIEW {past}.grants AS SELECT * FROM {live}.grants",
)
_RIGHTS: Final[tuple[LiteralString, ...]] = (
    "REVOKE ALL ON ALL TABLES IN SCHEMA {past}, {seen} FROM {past}, {seen}",
    "REVOKE ALL ON ALL SEQUENCES IN SCHEMA {past} FROM {past}, {seen}",
    "GRANT USAGE ON SCHEMA {past} TO {past}",
    "GRANT SELECT ON ALL TABLES IN SCHEMA {past} TO {past}",
    "GRANT SELECT ON ALL TABLES IN SCHEMA {seen} TO {seen}",
    "GRANT SELECT ON {past}.blobs, {past}.indexing TO {seen}",
    "REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA {past} FROM {owner}",
)
"""The owner's own rights to write go last: what writes there by mistake is refused whoever it is."""


def establish_past(connection: Connection, *, past: str, live: str) -> None:
    """Roles, views and rights of a past whose tables have just been loaded; every login of the hospital may read it."""
    owner = str(connection.exec_driver_sql("SELECT current_user").scalar_one())
    names = {"past": past, "live": live, "seen": seen.seen_of(past), "owner": owner}
    make_role(connection, past)
    for login in seen.logins_of(connection, live):
        run(connection, "GRANT {past} TO {login}", past=past, login=login)
    run_all(connection, [(statement, names) for statement in _TODAYS_RULES])
    seen.establish(connection, past)
    run_all(connection, [(statement, names) for statement in _RIGHTS])


def drop_past(connection: Connection, past: str) -> None:
    """Schema, views and roles of a past; nothing happens where they are not."""
    roles.drop_hospital(connection, past)
    roles.drop_hospital_roles(connection, past)
