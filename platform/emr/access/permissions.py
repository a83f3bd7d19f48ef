"""Roles and what they may do, on one page.

Documented in `platform/docs/access-and-audit.md`; a test keeps the two in step.
"""

from dataclasses import dataclass
from typing import Final

from emr.access.scopes import ANY_TYPE, demand_right, demand_verb, limits_of, may_verb
from emr.identity.principal import Principal
from emr.kernel.errors import Forbidden

EVERYTHING: Final = frozenset({"*"})

DESK: Final = frozenset(
    {
        *("Patient", "RelatedPerson", "Person", "Coverage", "Appointment", "AppointmentResponse", "Schedule", "Slot"),
        *("Organization", "Practitioner", "PractitionerRole", "Location", "HealthcareService", "Encounter"),
    }
)
"""What the desk works with: who came, and to whom. Nothing clinical."""
HOUSE: Final = frozenset({"Organization", "Practitioner", "PractitionerRole", "Location", "HealthcareService"})
LABORATORY: Final = frozenset(
    {"Observation", "DiagnosticReport", "Specimen", "ServiceRequest", "Task", "Bundle", "Binary", "Provenance"}
)
PICTURES: Final = frozenset(
    {"ImagingStudy", "DiagnosticReport", "Observation", "Endpoint", "Media", "DocumentReference", "Binary"}
)
MEDICINES: Final = frozenset(
    {"Medication", "MedicationRequest", "MedicationDispense", "MedicationStatement", "MedicationAdministration"}
)
MONEY: Final = frozenset({"Claim", "ClaimResponse", "Coverage", "Invoice", "ChargeItem", "Account", "PaymentNotice"})
HOOKS: Final = frozenset({"Subscription"})
"""What a machine asks to be told; each is its maker's own."""
CODES: Final = frozenset({"CodeSystem", "ValueSet", "ConceptMap"})
"""Code lists: nobody's data, and everybody's words."""
PAPERS: Final = frozenset({"DocumentReference", "DocumentManifest", "Binary", "Composition"})


@dataclass(frozen=True, slots=True)
class Grant:
    """What one role may do: verbs by permission, resource types to see and to change (`*`: all)."""

    verbs: frozenset[str]
    sees: frozenset[str]
    changes: frozenset[str]


_READ: Final = frozenset({"record:read", "record:search", "record:history", "record:validate", "terminology:read"})
_OWN: Final = frozenset({"session:own"})
_SUBSCRIBE: Final = frozenset({"subscription:write"})
_SHOW: Final = frozenset({"chart:read", "patient:find", "document:read", "imaging:read", "app:use"})
_CHANGE: Final = frozenset({"record:create", "record:update", "record:delete", "record:transaction"})
_LIGHT: Final = frozenset({"border:read"})
_CARE: Final = frozenset({"vitals:write", "note:write", "problem:write", "allergy:write", "document:write"})
_GLASS: Final = frozenset({"care:break-glass"})
_PAST: Final = frozenset({"past:read"})
"""To look into the record as it was, where somebody has opened a past: with one's own sight, and only to read."""
_ORDER: Final = frozenset({"past:order"})
"""To have what such a past holds brought back: what one sees, or with a second person all of it."""
_FLEET: Final = frozenset({"fleet:look"})

GRANTS: Final[dict[str, Grant]] = {
    "reception": Grant(_READ | _OWN | _LIGHT | _CHANGE | {"patient:find", "app:use"}, DESK | CODES, DESK),
    "nurse": Grant(
        _READ | _OWN | _LIGHT | _CHANGE | _SHOW | _GLASS | _PAST | _CARE - {"problem:write"}, EVERYTHING, EVERYTHING
    ),
    "doctor": Grant(_READ | _OWN | _LIGHT | _CHANGE | _SHOW | _GLASS | _PAST | _CARE, EVERYTHING, EVERYTHING),
    "lab": Grant(_READ | _OWN | _LIGHT | _CHANGE | _SHOW | _GLASS, EVERYTHING, LABORATORY),
    "imaging": Grant(
        _READ | _OWN | _LIGHT | _CHANGE | _SHOW | _GLASS | {"imaging:store", "document:write"}, EVERYTHING, PICTURES
    ),
    "pharmacist": Grant(_READ | _OWN | _LIGHT | _CHANGE | _SHOW | _GLASS, EVERYTHING, MEDICINES),
    "cashier": Grant(_READ | _OWN | _LIGHT | _CHANGE | {"patient:find", "app:use"}, DESK | MONEY | CODES, MONEY),
    "archivist": Grant(
        _READ | _OWN | _LIGHT | _CHANGE | _SHOW | _PAST | _ORDER | {"document:write"}, EVERYTHING, PAPERS
    ),
    "admin": Grant(
        _READ
        | _OWN
        | _LIGHT
        | _PAST
        | _ORDER
        | {"member:manage", "app:manage", "support:grant", "sandbox:reset", "golive:edit"}
        | {"package:request", "package:download"},
        HOUSE | CODES,
        HOUSE,
    ),
    "support": Grant(_READ | _OWN | _LIGHT, HOUSE | CODES, frozenset()),
    "support-chart": Grant(_READ | _OWN | _LIGHT | _SHOW - {"app:use"}, EVERYTHING, frozenset()),
    "ops": Grant(_FLEET | {"fleet:act", "fleet:announce", "fleet:golive", "fleet:onboard"}, frozenset(), frozenset()),
    "auditor": Grant(_FLEET, frozenset(), frozenset()),
    "lis": Grant(_READ | _CHANGE | _SUBSCRIBE, DESK | LABORATORY | HOOKS | CODES, LABORATORY | HOOKS),
    "his": Grant(_READ | _CHANGE | _SUBSCRIBE | {"record:import"}, EVERYTHING, EVERYTHING),
    "pacs": Grant(
        _READ | _CHANGE | _SUBSCRIBE | {"imaging:read", "imaging:store"},
        DESK | PICTURES | HOOKS | CODES | {"ServiceRequest"},
        PICTURES | HOOKS,
    ),
    "warehouse": Grant(_READ | {"bulk:export"}, EVERYTHING, frozenset()),
    "system": Grant(
        _READ
        | _CHANGE
        | _SHOW
        | _CARE
        | {"imaging:store", "record:import", "bulk:export", "profile:manage", "app:manage"}
        | _PAST
        | {"sandbox:fill"}
        | {"package:request", "hospital:export", "hospital:import", "hold:place", "audit:archive", "past:bring-back"},
        EVERYTHING,
        EVERYTHING,
    ),
}


CHANGES_THE_RECORD: Final = (_CHANGE | _CARE | _SUBSCRIBE | {"imaging:store"}) - {"record:transaction"}
"""What a hospital takes only in a state in which facts may be added. A Bundle may only read, and who imports may ask
how far it came: there the store itself refuses.
"""

IN_THE_PAST: Final = frozenset(
    {"past:read", "past:order", "chart:read", "patient:find", "document:read", "imaging:read"}
)
"""What pages offer of a record as it was."""

AT_ANY_HOUR: Final = frozenset({"care:break-glass"})
"""What a hospital's hours do not hold back."""

DUTIES: Final[dict[str, frozenset[str]]] = {"privacy": frozenset({"audit:read", "care:review", "support:oversee"})}
"""What a duty gives beside the role: verbs, and sight of nothing else."""


def demand(principal: Principal, permission: str) -> None:
    """Raise `Forbidden` unless role or duty give the permission and a token's scopes do not leave it out."""
    if not _has(principal, permission):
        raise Forbidden("role-may-not", f"The role {principal.role} may not do this ({permission}).")
    demand_verb(principal, permission)


def demand_change(principal: Principal, resource_type: str, rights: str = "cud") -> None:
    """Raise `Forbidden` unless the role may change resources of this type, by one of these rights of a scope."""
    if not _holds(GRANTS[principal.role].changes, resource_type):
        raise Forbidden("role-may-not-change", f"The role {principal.role} may not change {resource_type}.")
    demand_right(principal, resource_type, rights)


def demand_sight(principal: Principal, resource_type: str, rights: str = "rs") -> None:
    """Raise `Forbidden` unless the role may see resources of this type at all, by one of these rights of a scope."""
    if not _holds(GRANTS[principal.role].sees, resource_type):
        raise Forbidden("role-may-not-see", f"The role {principal.role} may not see {resource_type}.")
    demand_right(principal, resource_type, rights)


def may(principal: Principal, permission: str) -> bool:
    """Whether a page should offer the verb."""
    return _has(principal, permission) and may_verb(principal, permission)


def sight(principal: Principal, rights: str = "rs") -> list[str] | None:
    """The resource types that this principal sees, for a query's filter; None means all."""
    sees = GRANTS[principal.role].sees
    limits = limits_of(principal)
    if limits is None:
        return None if sees == EVERYTHING else sorted(sees)
    given = limits.types(rights)
    if ANY_TYPE in given:
        return None if sees == EVERYTHING else sorted(sees)
    return sorted(given if sees == EVERYTHING else given & sees)


def _has(principal: Principal, permission: str) -> bool:
    if permission in GRANTS[principal.role].verbs:
        return True
    return any(permission in DUTIES[duty] for duty in principal.duties)


def _holds(types: frozenset[str], resource_type: str) -> bool:
    return types == EVERYTHING or resource_type in types
