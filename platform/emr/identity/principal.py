"""The person, machine or process on whose behalf a use case runs, and the closed lists of roles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

Kind = Literal["person", "machine", "system"]

HOSPITAL_ROLES: Final = (
    "reception",
    "nurse",
    "doctor",
    "lab",
    "imaging",
    "pharmacist",
    "cashier",
    "archivist",
    "admin",
)
"""Roles of people within one hospital."""

DEPARTMENT_ROLES: Final = ("ops", "auditor")
"""Roles of the department of health's people; they belong to no hospital and may read no patient."""

SUPPORT_ROLES: Final = ("support", "support-chart")
"""As what somebody looks in whom a hospital's support grant lets in: at the house, or at patients too."""

MACHINE_ROLES: Final = ("lis", "his", "pacs", "warehouse")
"""Roles of machine clients, each a member of the hospitals that it serves."""

SYSTEM_ROLE: Final = "system"
"""The role of the platform's own processes: imports, jobs, the demo's loader."""

DUTIES: Final = ("privacy",)
"""What someone may be charged with beside the role. `privacy`: the hospital's privacy officer."""

_WITH_SECOND_FACTOR: Final = frozenset({"admin", *DEPARTMENT_ROLES, *SUPPORT_ROLES})
_DUTIES_WITH_SECOND_FACTOR: Final = frozenset({"privacy"})

ROLES: Final = frozenset((*HOSPITAL_ROLES, *DEPARTMENT_ROLES, *SUPPORT_ROLES, *MACHINE_ROLES, SYSTEM_ROLE))


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, as one request knows it.

    `subject` is the provider's stable id of the person or client, `name` what a page shows. `tenant_id` is the hospital
    whose membership was just checked, None for the department's people. `session_id` is the row of a browser session,
    None for a bearer token. `scopes` are the token's OAuth scopes; a session has none.

    From the membership, as it stands at this request: `duties` (of `DUTIES`), `wards` (ids of Location resources),
    `clearances` (labels of sensitive records that this person may see), `practitioner` (the id that the person's
    Practitioner and PractitionerRole have). `strong`: a second factor was proved; `authenticated_at`: when the person
    was last asked who they are (None for whoever never is); `elsewhere`: the provider knows the person in another
    organization, too. `patient`: the one Patient that a SMART token was issued for, or a support grant given for, by
    id. `app`: the registered app that a token of our own was issued to. `grant`: the support grant without which the
    person would be a stranger here, until `until`.
    """

    subject: str
    name: str
    role: str
    kind: Kind
    tenant_id: str | None
    session_id: str | None = None
    scopes: frozenset[str] = frozenset()
    duties: frozenset[str] = frozenset()
    wards: frozenset[str] = frozenset()
    clearances: frozenset[str] = frozenset()
    practitioner: str | None = None
    strong: bool = False
    authenticated_at: datetime | None = None
    elsewhere: bool = False
    patient: str | None = None
    app: str | None = None
    grant: str | None = None
    until: datetime | None = None

    def marks(self) -> dict[str, str]:
        """What each row of the trail says of the way in: a token's app; a support grant, with the purpose of use
        "health system administration" (HL7 v3-ActReason).
        """
        app = {} if self.app is None else {"app": self.app}
        return app if self.grant is None else app | {"grant": self.grant, "purpose": "HSYSADMIN"}


def needs_second_factor(principal: Principal) -> bool:
    """Whether somebody with this role and these duties must have proved a second factor; machines have none."""
    return principal.kind == "person" and (
        principal.role in _WITH_SECOND_FACTOR or not _DUTIES_WITH_SECOND_FACTOR.isdisjoint(principal.duties)
    )


def kind_of(role: str) -> Kind:
    """The kind of principal that may hold a role."""
    if role == SYSTEM_ROLE:
        return "system"
    return "machine" if role in MACHINE_ROLES else "person"


def stranger(subject: str, name: str) -> Principal:
    """Somebody who is known and belongs to no hospital that was asked: has no role, and so may do nothing."""
    return Principal(subject=subject, name=name, role="", kind="person", tenant_id=None)


def system_principal(name: str, *, tenant_id: str | None = None) -> Principal:
    """The platform itself, for instance an import or a scheduled job named `name`."""
    return Principal(subject=f"system:{name}", name=name, role=SYSTEM_ROLE, kind="system", tenant_id=tenant_id)
