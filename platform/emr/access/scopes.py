"""SMART scopes: what an app was allowed, on top of what the person or machine behind it may do.

The grammar is that of SMART App Launch 2.2, scopes-and-launch-context.html: `context/Type.cruds?criteria`, and the
older `.read`, `.write` and `.*`. Rights are the union of a token's scopes; what a role may not do, no scope gives.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl

from emr.identity.principal import Kind, Principal
from emr.kernel.errors import Forbidden, Malformed

RIGHTS: Final = "cruds"
"""Create; read, with earlier versions; update and patch; delete; search, with histories of a type or of all."""
ANY_TYPE: Final = "*"
_SCOPE: Final = re.compile(r"(patient|user|system)/(\*|[A-Z][A-Za-z]{1,63})\.(read|write|\*|c?r?u?d?s?)(?:\?(.+))?")
_OF_RESOURCES: Final = ("patient/", "user/", "system/")
_FIRST_VERSION: Final = {"read": "rs", "write": "cud", "*": RIGHTS}
_CONTEXTS: Final[Mapping[Kind, frozenset[str]]] = {
    "person": frozenset({"patient", "user"}),
    "machine": frozenset({"system"}),
    "system": frozenset(),
}


@dataclass(frozen=True, slots=True)
class Need:
    """The rights of which a verb needs one, of this type or, with None, of any."""

    rights: str
    type: str | None = None


VERBS: Final[Mapping[str, Need]] = {
    "record:read": Need("r"),
    "record:search": Need("s"),
    "record:history": Need("rs"),
    "record:create": Need("c"),
    "record:update": Need("cu"),
    "record:delete": Need("d"),
    "record:transaction": Need(RIGHTS),
    "record:validate": Need(RIGHTS),
    "terminology:read": Need("rs"),
    "bulk:export": Need("rs"),
    "audit:read": Need("rs", "AuditEvent"),
    "imaging:read": Need("rs", "ImagingStudy"),
    "imaging:store": Need("c", "ImagingStudy"),
}
"""The verbs that scopes can give. Every other one is for a session or a token of the identity provider alone."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope about resources. `type` is `*` for all; `rights` are letters of `cruds`; `where`: search criteria."""

    context: str
    type: str
    rights: str
    where: tuple[tuple[str, str], ...] = ()


def scope_of(text: str) -> Scope | None:
    """What a scope says about resources; None when it is about something else. Raises `Malformed`."""
    if not text.startswith(_OF_RESOURCES):
        return None
    found = _SCOPE.fullmatch(text)
    if found is None or not found[3]:
        raise _unreadable()
    rights = _FIRST_VERSION.get(found[3], found[3])
    if found[4] is None:
        return Scope(found[1], found[2], rights)
    try:
        where = parse_qsl(found[4], keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=10)
    except ValueError as error:
        raise _unreadable() from error
    return Scope(found[1], found[2], rights, tuple(where))


@dataclass(frozen=True, slots=True)
class Limits:
    """What the scopes of one token give: by type the rights without a condition."""

    whole: Mapping[str, frozenset[str]]

    def hold(self, rights: str, resource_type: str | None = None) -> bool:
        """Whether one of these rights is given for the type; with None, for any type."""
        if resource_type is None:
            return any(not given.isdisjoint(rights) for given in self.whole.values())
        given = self.whole.get(resource_type, frozenset()) | self.whole.get(ANY_TYPE, frozenset())
        return not given.isdisjoint(rights)

    def types(self, rights: str) -> frozenset[str]:
        """The types for which one of these rights is given, `*` among them for all."""
        return frozenset(name for name, given in self.whole.items() if not given.isdisjoint(rights))


def limits_of(principal: Principal) -> Limits | None:
    """What the principal's token allows; None when it says nothing about resources and so limits nothing.

    A token that was issued to a registered app is always limited, if it has no such scope, to nothing.
    """
    if principal.app is None and not principal.scopes:
        return None
    return _limits(principal.scopes, principal.kind, principal.app, principal.patient)


def demand_verb(principal: Principal, permission: str) -> None:
    """Raise `Forbidden` unless the scopes, if there are any, can give the verb."""
    limits = limits_of(principal)
    if limits is not None and not _gives(limits, permission):
        raise Forbidden("scope-may-not", f"The token's scopes do not allow this ({permission}).")


def may_verb(principal: Principal, permission: str) -> bool:
    """Whether the scopes, if there are any, can give the verb."""
    limits = limits_of(principal)
    return limits is None or _gives(limits, permission)


def demand_right(principal: Principal, resource_type: str, rights: str) -> None:
    """Raise `Forbidden` unless the scopes, if there are any, give one of these rights for the type."""
    limits = limits_of(principal)
    if limits is not None and not limits.hold(rights, resource_type):
        raise Forbidden("scope-may-not", f"The token's scopes do not allow this with {resource_type}.")


def _gives(limits: Limits, permission: str) -> bool:
    need = VERBS.get(permission)
    return need is not None and limits.hold(need.rights, need.type)


@lru_cache(maxsize=4096)
def _limits(scopes: frozenset[str], kind: Kind, app: str | None, patient: str | None) -> Limits | None:
    if app is None and not any(each.startswith(_OF_RESOURCES) for each in scopes):
        return None
    contexts = _CONTEXTS[kind] if patient is not None else _CONTEXTS[kind] - {"patient"}
    whole: dict[str, frozenset[str]] = {}
    for scope in _readable(scopes):
        # A condition that nothing here enforces gives nothing.
        if scope.context in contexts and not scope.where:
            whole[scope.type] = whole.get(scope.type, frozenset()) | frozenset(scope.rights)
    return Limits(whole)


def _readable(scopes: Iterable[str]) -> Iterable[Scope]:
    """Those about resources; what cannot be read gives nothing."""
    for text in scopes:
        try:
            scope = scope_of(text)
        except Malformed:
            continue
        if scope is not None:
            yield scope


def _unreadable() -> Malformed:
    rule = "A scope about resources is patient, user or system, a type or *, and letters of cruds: patient/Patient.rs."
    return Malformed("scope-form", rule, location="scope")
