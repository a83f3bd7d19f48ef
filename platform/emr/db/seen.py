"""What of a hospital somebody sees whose sight is limited: the policy, on one page.

Beside each hospital's schema stands a second one, `<schema>_seen`, with a view in place of each table that tells of
patients, under the table's own name. A transaction of somebody whose sight is limited runs as the NOLOGIN role
`<schema>_seen`, which finds these views first on its path and has no right on the tables behind them: any statement,
also one that is written tomorrow, meets only rows that may be seen. `resources` is where it is decided; every other
view asks it. Whoever sees everything never meets a view, and pays nothing.

The views are plain: PostgreSQL may try an index of a table before it asks whether the row may be seen, which row
security does only for operators that it knows to be leakproof. What could leak so (a function that tells what it was
given) no statement of ours has, and the role can make none.

They are made anew after each migration, as the rights of the roles are, since a view would hold a table's columns fast.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString

from sqlalchemy import Connection

from emr.db.owning import driver, make_role, run, run_all
from emr.kernel.tenant import SCHEMA

_NOBODYS: Final[LiteralString] = """
  Organization,OrganizationAffiliation,Practitioner,PractitionerRole,Location,HealthcareService,Endpoint,Schedule,Slot,
  Device,DeviceDefinition,DeviceMetric,Medication,MedicationKnowledge,Substance,CodeSystem,ValueSet,ConceptMap,
  NamingSystem,StructureDefinition,StructureMap,SearchParameter,OperationDefinition,CapabilityStatement,
  CompartmentDefinition,ImplementationGuide,TerminologyCapabilities,GraphDefinition,MessageDefinition,Questionnaire,
  PlanDefinition,ActivityDefinition,Library,Measure,ChargeItemDefinition,ObservationDefinition,
  EventDefinition,InsurancePlan,ResearchStudy,ResearchDefinition,ResearchElementDefinition,Evidence,EvidenceVariable,
  EffectEvidenceSynthesis,RiskEvidenceSynthesis,SpecimenDefinition,ExampleScenario,TestScript,TestReport,Subscription"""
NOBODYS: Final = frozenset("".join(_NOBODYS.split()).split(","))
"""Types that are nobody's data when they name nobody. Others that name nobody (a Binary, a Provenance) may carry a
patient's data: they are seen by those who see everybody that they concern.
"""

_POLICY: Final[tuple[LiteralString, ...]] = (
    # What the transaction was told of who is looking, typed. What was not told is closed.
    """
    CREATE VIEW {seen}.looking AS
    SELECT nullif(current_setting('emr.now', true), '')::timestamptz AS now,
           coalesce(nullif(current_setting('emr.everybody', true), ''), 'f')::bool AS everybody,
           coalesce(nullif(current_setting('emr.unlabelled', true), ''), 'f')::bool AS unlabelled,
           coalesce(nullif(current_setting('emr.glass_only', true), ''), 'f')::bool AS glass_only,
           nullif(current_setting('emr.patient', true), '') AS patient,
           nullif(current_setting('emr.criteria', true), '')::jsonb AS criteria,
           coalesce(nullif(current_setting('emr.own', true), ''), '{{}}')::text[] AS own,
           coalesce(nullif(current_setting('emr.grantees', true), ''), '{{}}')::text[] AS grantees,
           coalesce(nullif(current_setting('emr.cleared', true), ''), '{{}}')::text[] AS cleared,
           coalesce(nullif(current_setting('emr.treating', true), ''), '{{}}')::text[] AS treating
    """,
    # Grants that count now, by patient.
    """
    CREATE VIEW {seen}.standing AS
    SELECT g.patient, g.basis FROM {schema}.grants g
     WHERE g.grantee = ANY ((SELECT grantees FROM {seen}.looking)::text[])
       AND g.since <= (SELECT now FROM {seen}.looking)
       AND (g.until IS NULL OR g.until > (SELECT now FROM {seen}.looking))
       AND (g.basis = 'break-glass' OR NOT (SELECT glass_only FROM {seen}.looking))
    """,
    # Those with whom a care relationship or a grant stands, and what is the looker's own.
    """
    CREATE VIEW {seen}.near AS
    SELECT (SELECT own FROM {seen}.looking) || ARRAY(SELECT patient FROM {seen}.standing) AS ids
    """,
    # Those whom the looker treats in person, whose labels of most kinds are no secret from the looker.
    """
    CREATE VIEW {seen}.treated AS
    SELECT ARRAY(SELECT patient FROM {seen}.standing WHERE basis IN ('encounter', 'appointment', 'referral')) AS ids
    """,
    # Those for whom the looker has broken the glass: no label holds then.
    """
    CREATE VIEW {seen}.glass AS
    SELECT ARRAY(SELECT patient FROM {seen}.standing WHERE basis = 'break-glass') AS ids
    """,
    # Patients who are hidden as a whole, for a label of their own.
    """
    CREATE VIEW {seen}.hidden AS
    SELECT CASE WHEN (SELECT unlabelled FROM {seen}.looking) THEN '{{}}' ELSE ARRAY(
      SELECT p.id FROM {schema}.resources p
       WHERE p.type = 'Patient' AND p.labels IS NOT NULL AND NOT p.labels <@ (SELECT cleared FROM {seen}.looking)
         AND NOT p.id = ANY ((SELECT ids FROM {seen}.glass)::text[])
         AND NOT (p.id = ANY ((SELECT ids FROM {seen}.treated)::text[])
                  AND p.labels <@ (SELECT treating || cleared FROM {seen}.looking))) END AS ids
    """,
    # What may be seen of the record, and so of everything that belongs to it.
    """
    CREATE VIEW {seen}.resources AS
    SELECT r.* FROM {schema}.resources r
     WHERE ((SELECT everybody OR '*' = ANY (near.ids) FROM {seen}.looking, {seen}.near)
            OR CASE WHEN r.concerns IS NOT NULL THEN r.concerns <@ (SELECT ids FROM {seen}.near)
                    WHEN r.patients = '{{}}' THEN r.type = ANY ('{{""" + _NOBODYS + """}}'::text[])
                    ELSE r.patients && (SELECT ids FROM {seen}.near) END)
       AND ((SELECT patient IS NULL FROM {seen}.looking)
            OR CASE WHEN r.concerns IS NOT NULL THEN r.concerns <@ (SELECT own || patient FROM {seen}.looking)
                    WHEN r.patients = '{{}}' THEN r.type = ANY ('{{""" + _NOBODYS + """}}'::text[])
                    ELSE r.patients <@ (SELECT ARRAY[patient] FROM {seen}.looking) END)
       AND ((SELECT unlabelled FROM {seen}.looking) OR r.labels IS NULL
            OR r.labels <@ (SELECT cleared FROM {seen}.looking)
            OR coalesce(r.concerns, r.patients) && (SELECT ids FROM {seen}.glass)
            OR (coalesce(r.concerns, r.patients) && (SELECT ids FROM {seen}.treated)
                AND r.labels <@ (SELECT treating || cleared FROM {seen}.looking)))
       AND NOT coalesce(r.concerns, r.patients) && (SELECT ids FROM {seen}.hidden)
       AND CASE WHEN (SELECT criteria IS NULL FROM {seen}.looking) THEN true
                WHEN NOT (SELECT criteria FROM {seen}.looking) ? r.type THEN true
                ELSE EXISTS (
                  SELECT 1 FROM jsonb_array_elements((SELECT criteria FROM {seen}.looking) -> r.type) AS scope (every)
                   WHERE NOT EXISTS (
                     SELECT 1 FROM jsonb_array_elements(scope.every) AS criterion (one)
                      WHERE NOT EXISTS (
                        SELECT 1 FROM {schema}.tokens t
                         WHERE t.pk = r.pk AND criterion.one ?| ARRAY[t.key::text, t.key || '|' || abs(t.system)])))
                END
    """,  # noqa: S608 - put together from constants
    """
    CREATE VIEW {seen}.dicom_series AS
    SELECT s.* FROM {schema}.dicom_series s WHERE EXISTS (
      SELECT 1 FROM {seen}.resources r WHERE r.type = 'ImagingStudy' AND r.id = s.study_id OFFSET 0)
    """,
    """
    CREATE VIEW {seen}.dicom_instances AS
    SELECT i.* FROM {schema}.dicom_instances i WHERE EXISTS (
      SELECT 1 FROM {seen}.dicom_series s WHERE s.series_uid = i.series_uid OFFSET 0)
    """,
)  # fmt: skip

OF_A_RESOURCE: Final = (
    *("resource_versions", "tokens", "links", "strings", "dates", "quantities", "composites", "words", "identifiers"),
    "compartments",
)
"""Tables whose rows are seen with the resource that they belong to, by its `pk`. `ctid`: `search.ordering` tells a
resource's rows apart by it. `OFFSET 0` has PostgreSQL ask for one row after the other, by index."""
_WITH_RESOURCE: Final[LiteralString] = """
CREATE VIEW {seen}.{table} AS
SELECT t.*, t.ctid FROM {schema}.{table} t
 WHERE EXISTS (SELECT 1 FROM {seen}.resources r WHERE r.pk = t.pk OFFSET 0)
"""
_VERSIONS: Final[LiteralString] = """
CREATE VIEW {seen}.{table} AS
SELECT t.*, t.ctid FROM {schema}.{table} t
 WHERE EXISTS (SELECT 1 FROM {seen}.resources r WHERE r.pk = t.pk AND (
   (SELECT criteria IS NULL FROM {seen}.looking) OR NOT (SELECT criteria FROM {seen}.looking) ? r.type) OFFSET 0)
"""
"""Earlier versions too; of what is limited by criteria of scopes, which are asked of the index, the newest alone."""
VIEWS: Final = ("resources", "dicom_series", "dicom_instances", *OF_A_RESOURCE)
_WRITTEN: Final[tuple[tuple[LiteralString, str], ...]] = (
    ("SELECT, INSERT, UPDATE, DELETE", "blobs"),
    ("SELECT, INSERT, UPDATE, DELETE", "idempotency_keys"),
    ("SELECT, INSERT, UPDATE, DELETE", "bulk_jobs"),
    ("SELECT", "indexing"),
    ("SELECT", "audit_events"),
    ("SELECT", "audit_seals"),
    ("SELECT", "audit_archives"),
)
"""What the role has as it is: what tells of no patient to who does not know a name in it already, and the trail, which
is read by those whose duty it is.
"""
HELD_BACK: Final = ("grants", "retention_holds")
"""Tables of which the role has nothing: what speaks of them does so as the hospital (`Connection.whole`)."""
_LOGINS: Final = """
SELECT m.rolname FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member JOIN pg_roles r ON r.oid = a.roleid
 WHERE r.rolname = %s AND m.rolcanlogin AND m.rolname <> current_user
"""
_SUFFIX: Final = "_seen"

SETTLE: Final = """
SELECT set_config('emr.now', $1, true), set_config('emr.everybody', $2, true), set_config('emr.unlabelled', $3, true),
       set_config('emr.patient', $4, true), set_config('emr.own', $5::text[]::text, true),
       set_config('emr.grantees', $6::text[]::text, true), set_config('emr.cleared', $7::text[]::text, true),
       set_config('emr.treating', $8::text[]::text, true), set_config('emr.glass_only', $9, true),
       set_config('emr.criteria', $10, true)
"""
_NO_LIST: Final[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True)
class Sight:
    """What one transaction is told of who is looking.

    everybody: no care relationship is asked for. unlabelled: labels do not matter. patient: the only one of whom
    anything is seen. own: names under which `concerns` lists what is the looker's own. grantees: under which `grants`
    knows the looker. cleared: labels that do not hide from the looker; treating: nor those of whom the looker treats.
    glass_only: nothing counts but a glass that the looker has broken. criteria: codes to which scopes of a token limit
    some types (JSON; `records.scope_criteria`).
    """

    now: datetime
    everybody: bool = False
    unlabelled: bool = False
    patient: str = ""
    own: tuple[str, ...] = _NO_LIST
    grantees: tuple[str, ...] = _NO_LIST
    cleared: tuple[str, ...] = _NO_LIST
    treating: tuple[str, ...] = _NO_LIST
    glass_only: bool = False
    criteria: str = ""

    def settings(self) -> tuple[object, ...]:
        """The values of `SETTLE`."""
        lists = [list(each) for each in (self.own, self.grantees, self.cleared, self.treating)]
        return (
            self.now.isoformat(),
            str(self.everybody),
            str(self.unlabelled),
            self.patient,
            *lists,
            str(self.glass_only),
            self.criteria,
        )


def seen_of(schema: str) -> str:
    """The name of a hospital's second schema and role."""
    if not SCHEMA.fullmatch(schema):
        raise ValueError(f"not a hospital schema name: {schema!r}")
    return schema + _SUFFIX


def remove(connection: Connection, schema: str) -> None:
    """Take the views away, so that a migration may change the tables behind them."""
    run(connection, "DROP SCHEMA IF EXISTS {seen} CASCADE", seen=seen_of(schema))


def establish(connection: Connection, schema: str) -> None:
    """The second role and schema of a hospital, its views and rights; every login of the hospital may become it."""
    names = {"schema": schema, "seen": seen_of(schema)}
    make_role(connection, names["seen"])
    for login in logins_of(connection, schema):
        run(connection, "GRANT {seen} TO {login}", seen=names["seen"], login=login)
    remove(connection, schema)
    statements: list[tuple[LiteralString, dict[str, str]]] = [("CREATE SCHEMA {seen}", names)]
    statements += [(statement, names) for statement in _POLICY]
    statements += [
        (_VERSIONS if table == "resource_versions" else _WITH_RESOURCE, names | {"table": table})
        for table in OF_A_RESOURCE
    ]
    run_all(connection, statements + _grants(names))


def logins_of(connection: Connection, role: str) -> list[str]:
    """The logins that may become this role, but for the owner."""
    return [str(login) for (login,) in driver(connection).execute(_LOGINS, (role,)).fetchall()]


def drop_role(connection: Connection, schema: str) -> None:
    """Remove the second role, when nothing is left that it has rights on."""
    run(connection, "DROP ROLE IF EXISTS {seen}", seen=seen_of(schema))


def _grants(names: dict[str, str]) -> list[tuple[LiteralString, dict[str, str]]]:
    statements: list[tuple[LiteralString, dict[str, str]]] = [
        ("GRANT USAGE ON SCHEMA {schema}, {seen} TO {seen}", names)
    ]
    statements += [("GRANT SELECT ON {seen}.{view} TO {seen}", names | {"view": view}) for view in VIEWS]
    # Whoever locks a row needs a right to change something of it; nothing changes it through the view.
    statements.append(("GRANT UPDATE (present) ON {seen}.resources TO {seen}", names))
    for rights, table in _WRITTEN:
        statements.append(("GRANT " + rights + " ON {schema}.{table} TO {seen}", names | {"table": table}))
    statements.append(("GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {seen}", names))
    return statements
