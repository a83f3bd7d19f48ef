"""Which of the scopes that an app asks for it can get: what it was registered for, as far as it can be kept. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from emr.access.scopes import Scope, ambiguous
from emr.identity.app_grants import Lasting
from emr.identity.apps import App
from emr.identity.errors import ScopeInvalid
from emr.kernel.errors import Malformed
from emr.smart.registering import LASTING, LAUNCHES, understood

_LONGEST: Final = 2_000


def asked_scopes(text: str) -> frozenset[str]:
    """The scopes of a request. Raises `ScopeInvalid` for what is no list of scopes."""
    if len(text) > _LONGEST or not text.isascii() or not text.isprintable():
        raise ScopeInvalid("scope is a list of words, at most 2,000 letters.")
    return frozenset(text.split(" ")) - {""}


def granted_scopes(app: App, asked: Iterable[str]) -> frozenset[str]:
    """What of this the app may have. What it was not registered for is left out, as OAuth 2.0 allows (RFC 6749, 3.3).

    Raises `ScopeInvalid` for a scope about resources that cannot be read or kept, and when nothing is left of those.
    """
    own = [scope for text in app.scopes if (scope := understood(text)) is not None]
    found: set[str] = set()
    kept: list[Scope] = []
    about_resources = False
    for text in asked:
        scope = _read(text)
        if scope is None:
            if text in app.scopes and text in LAUNCHES | LASTING:
                found.add(text)
        elif rights := _covered(scope, own):
            about_resources = True
            kept.append(replace(scope, rights=rights))
            found.add(text if rights == scope.rights else _said(text, scope, rights))
    if unclear := ambiguous(kept):
        raise ScopeInvalid(f"Scopes of {min(unclear)} with criteria give other rights than those beside them.")
    if not about_resources:
        raise ScopeInvalid("The app may have none of these scopes about resources.")
    return frozenset(found)


def lasting_of(scopes: Iterable[str]) -> Lasting:
    """How long the app may renew its token."""
    asked = set(scopes)
    return "offline" if "offline_access" in asked else "online" if "online_access" in asked else "no"


def _read(text: str) -> Scope | None:
    try:
        scope = understood(text)
    except Malformed as refusal:
        raise ScopeInvalid(refusal.message) from refusal
    return scope


def _said(text: str, scope: Scope, rights: str) -> str:
    """The scope with fewer rights, and with its criteria."""
    _, mark, criteria = text.partition("?")
    return f"{scope.context}/{scope.type}.{rights}{mark}{criteria}"


def _covered(scope: Scope, own: Iterable[Scope]) -> str:
    """The letters of it that the app was registered for, without criteria or with all that stand in one of its own."""
    held = {
        right
        for each in own
        if each.context == scope.context and each.type in (scope.type, "*") and set(each.where) <= set(scope.where)
        for right in each.rights
    }
    return "".join(right for right in scope.rights if right in held)
