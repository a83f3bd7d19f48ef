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
SELECT h.name, r.oid IS NULL AS role, NOT coalesce(pg_has_role(CAST(:login AS name), r.oid, 'MEMBER'), false) AS login,
  h.hospital AND NOT coalesce(pg_has_role(r.oid, CAST('emr_hospital' AS name), 'MEMBER'), false) AS hospitals
FROM unnest(CAST(:names AS text[]), CAST(:hospitals AS bool[])) AS h (name, hospital)
LEFT JOIN pg_roles r ON r.rolname = h.name
""")
_TABLES: Final = text("""
WITH given AS (
  SELECT n.nspname AS schema, c.relname AS "table", a.privilege_type AS "right"
  FROM pg_namespace n
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'v')
  CROSS JOIN LATERAL aclexplode(c.relacl) AS a
  JOIN pg_roles g ON g.oid = a.grantee AND g.rolname = n.nspname
  WHERE n.nspname = ANY (CAST(:names AS text[]))
)
SELECT h.name, w."table", w."right"
FROM unnest(CAST(:names AS text[])) AS h (name)
CROSS JOIN unnest(CAST(:tables AS text[]), CAST(:rights AS text[])) AS w ("table", "right")
WHERE NOT EXISTS (
  SELECT 1 FROM given g WHERE g.schema = h.name AND g."table" = w."table" AND g."right" = w."right")
""")


def absent_schemas(connection: Connection, schemas: Sequence[str]) -> set[str]:
    """Those of these hospitals' schemas that are not there."""
    return {row.name for row in connection.execute(_SCHEMAS, {"names": list(schemas)})}


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
