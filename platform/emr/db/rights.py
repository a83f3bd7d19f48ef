"""What hospitals' roles lack: looked up in PostgreSQL's own catalogue, for all hospitals at once."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, text

from emr.db.roles import hospital_rights
from emr.db.seen import VIEWS, seen_of

_SCHEMAS: Final = text("""
SELECT h.name FROM unnest(CAST(:names AS text[])) AS h (name)
WHERE NOT EXISTS (SELECT 1 FROM pg_namespace n WHERE n.nspname = h.name)
""")
_ROLES: Final = text("""
SELECT h.name, r.oid IS NULL AS role,
  NOT EXISTS (SELECT 1 FROM pg_auth_members m JOIN pg_roles l ON l.oid = m.member
    WHERE m.roleid = r.oid AND l.rolname = :login) AS login,
  h.hospital AND NOT EXISTS (SELECT 1 FROM pg_auth_members m JOIN pg_roles e ON e.oid = m.roleid
    WHERE m.member = r.oid AND e.rolname = 'emr_hospital') AS hospitals
FROM unnest(CAST(:names AS text[]), CAST(:hospitals AS bool[])) AS h (name, hospital)
LEFT JOIN pg_roles r ON r.rolname = h.name
""")
"""Not `pg_has_role`: it makes the list of all that a login may become anew for each question, and that is everybody."""
_SURPLUS: Final = text("""
SELECT DISTINCT h.schema, CAST(l.rolname AS text) AS login
FROM unnest(CAST(:names AS text[]), CAST(:schemas AS text[]), CAST(:logins AS text[])) AS h (name, schema, login)
JOIN pg_roles r ON r.rolname = h.name JOIN pg_auth_members m ON m.roleid = r.oid JOIN pg_roles l ON l.oid = m.member
WHERE l.rolcanlogin AND NOT l.rolsuper AND l.rolname <> current_user AND l.rolname <> h.login
ORDER BY 1, 2
""")
_TABLES: Final = text("""
SELECT h.name, w."table", w."right"
FROM unnest(CAST(:names AS text[])) AS h (name)
CROSS JOIN unnest(CAST(:tables AS text[]), CAST(:rights AS text[])) AS w ("table", "right")
EXCEPT
SELECT CAST(n.nspname AS text), CAST(c.relname AS text), a.privilege_type
FROM unnest(CAST(:names AS text[])) AS h (name)
JOIN pg_namespace n ON n.nspname = h.name
JOIN pg_roles g ON g.rolname = h.name
JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'v')
CROSS JOIN LATERAL aclexplode(c.relacl) AS a
WHERE a.grantee = g.oid
""")
"""Sets, and no search of one for each of the other: a thousand hospitals have 70,000 rights."""


def absent_schemas(connection: Connection, schemas: Sequence[str]) -> set[str]:
    """Those of these hospitals' schemas that are not there."""
    return {row.name for row in connection.execute(_SCHEMAS, {"names": list(schemas)})}


def surplus_logins(connection: Connection, logins: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
    """By schema, the logins that can become the hospital and are not its own; such a schema alone is in it.

    logins: by schema, the login that the hospital works with.
    """
    named = [(name, schema, login) for schema, login in logins.items() for name in (schema, seen_of(schema))]
    surplus: dict[str, list[str]] = defaultdict(list)
    if named:
        names, schemas, own = zip(*named, strict=True)
        asked = {"names": list(names), "schemas": list(schemas), "logins": list(own)}
        for row in connection.execute(_SURPLUS, asked):
            surplus[row.schema].append(row.login)
    return surplus


def missing_rights(connection: Connection, schemas: Sequence[str], login: str) -> Mapping[str, Sequence[str]]:
    """By schema, in words, what is missing of roles, memberships and rights; schemas that lack nothing are not in it.

    login: the role that the service signs in with, which must be able to become each hospital.
    """
    missing: dict[str, list[str]] = defaultdict(list)
    seen = {seen_of(schema): schema for schema in schemas}
    names = [*schemas, *seen]
    asked = {"names": names, "hospitals": [name not in seen for name in names], "login": login}
    for row in connection.execute(_ROLES, asked):
        told = {"role": row.role, f"membership of {login}": row.login, "membership in emr_hospital": row.hospitals}
        words = [f"{word} {'of those who see part' if row.name in seen else ''}".strip() for word in told if told[word]]
        missing[seen.get(row.name, row.name)] += words[:1] if row.role else words
    sight = [(view, "SELECT") for view in VIEWS]
    for wanted, where in ((hospital_rights(), list(schemas)), (sight, list(seen))):
        tables, rights = zip(*wanted, strict=True)
        for row in connection.execute(_TABLES, {"names": where, "tables": list(tables), "rights": list(rights)}):
            missing[seen.get(row.name, row.name)].append(f"{row.right} on {row.table}")
    return {schema: sorted(words) for schema, words in missing.items() if words}
