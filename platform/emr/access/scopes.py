"""SMART scopes: what an app was allowed, on top of what the person or machine behind it may do.

The grammar is that of SMART App Launch 2.2, scopes-and-launch-context.html: `context/Type.cruds?criteria`, and the
older `.read`, `.write` and `.*`. Rights are the union of a token's scopes; what a role may not do, no scope gives.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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


Where = tuple[tuple[str, str], ...]
"""The search criteria of one scope: names and values, all of which must fit."""
Criteria = tuple[tuple[str, tuple[Where, ...]], ...]
"""By type the criteria of its scopes, of which one must fit."""


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
    where: Where = ()


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
    """What the scopes of one token give: by type the rights without a condition, and those that hold for what fits the
    criteria alone. A type's criteria are the same for all of the latter.
    """

    whole: Mapping[str, frozenset[str]]
    some: Mapping[str, frozenset[str]] = field(default_factory=dict)
    criteria: Criteria = ()

    def hold(self, rights: str, resource_type: str | None = None) -> bool:
        """Whether one of these rights is given for the type; with None, for any type."""
        if resource_type is None:
            return any(not given.isdisjoint(rights) for part in (self.whole, self.some) for given in part.values())
        nothing = frozenset[str]()
        given = self.whole.get(resource_type, nothing) | self.whole.get(ANY_TYPE, nothing)
        return not (given | self.some.get(resource_type, nothing)).isdisjoint(rights)

    def types(self, rights: str) -> frozenset[str]:
        """The types for which one of these rights is given, `*` among them for all."""
        parts = (self.whole, self.some)
        return frozenset(name for part in parts for name, given in part.items() if not given.isdisjoint(rights))


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


def demand_as_wide(now: Principal, then: Principal, resource_type: str) -> None:
    """Raise `Forbidden` where search criteria limit a type for whoever asks now, and did not limit it as much for
    whoever made what is asked for.
    """
    wanted, had = (dict(limits.criteria) if limits else {} for limits in (limits_of(now), limits_of(then)))
    allowed = wanted.get(resource_type)
    if allowed is not None and not set(had.get(resource_type, ((),))) <= set(allowed):
        raise Forbidden("scope-may-not", f"The token's scopes do not allow all of this with {resource_type}.")


def _gives(limits: Limits, permission: str) -> bool:
    need = VERBS.get(permission)
    return need is not None and limits.hold(need.rights, need.type)


@lru_cache(maxsize=4096)
def _limits(scopes: frozenset[str], kind: Kind, app: str | None, patient: str | None) -> Limits | None:
    if app is None and not any(each.startswith(_OF_RESOURCES) for each in scopes):
        return None
    contexts = _CONTEXTS[kind] if patient is not None else _CONTEXTS[kind] - {"patient"}
    return joined(scope for scope in _readable(scopes) if scope.context in contexts)


def joined(scopes: Iterable[Scope]) -> Limits:
    """What scopes give together. Of a type whose scopes with criteria are `ambiguous` these give nothing."""
    given = list(scopes)
    whole: dict[str, frozenset[str]] = {}
    for scope in given:
        if not scope.where:
            whole[scope.type] = whole.get(scope.type, frozenset()) | frozenset(scope.rights)
    some: dict[str, frozenset[str]] = {}
    criteria: dict[str, list[Where]] = {}
    for scope in given:
        rights = _beyond(whole, scope)
        if scope.where and rights and scope.type not in ambiguous(given):
            some[scope.type] = rights
            criteria.setdefault(scope.type, []).append(scope.where)
    return Limits(whole, some, tuple((name, tuple(sorted(set(wheres)))) for name, wheres in sorted(criteria.items())))


def ambiguous(scopes: Sequence[Scope]) -> frozenset[str]:
    """Types for which one right would hold for other resources than another does, which the store cannot tell apart.

    Criteria decide what of a type is there at all, whatever is done with it. So all scopes of a type that have
    criteria must give the same rights, and none of those that see what is there (`ruds`) may be given without.
    """
    whole: dict[str, frozenset[str]] = {}
    for scope in scopes:
        if not scope.where:
            whole[scope.type] = whole.get(scope.type, frozenset()) | frozenset(scope.rights)
    found: set[str] = set()
    first: dict[str, frozenset[str]] = {}
    for scope in scopes:
        rights = _beyond(whole, scope)
        if not scope.where or not rights:
            continue
        free = whole.get(scope.type, frozenset()) | whole.get(ANY_TYPE, frozenset())
        if scope.type == ANY_TYPE or first.setdefault(scope.type, rights) != rights or not free.isdisjoint("ruds"):
            found.add(scope.type)
    return frozenset(found)


def _beyond(whole: Mapping[str, frozenset[str]], scope: Scope) -> frozenset[str]:
    """The rights of a scope that the scopes without criteria do not give anyhow."""
    nothing = frozenset[str]()
    return frozenset(scope.rights) - whole.get(scope.type, nothing) - whole.get(ANY_TYPE, nothing)


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
