"""What an app must be to be registered. Pure."""

import re
import secrets
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emr.access.scopes import Scope, scope_of
from emr.definitions.model import resource_types
from emr.identity.apps import App, AppKind, hashed, new_secret
from emr.identity.client_assertion import key_set
from emr.identity.errors import ClientRefused
from emr.kernel.errors import Invalid, Issue, Malformed
from emr.records.errors import SearchRefused
from emr.records.scope_criteria import demand_kept

LAUNCHES: Final = frozenset({"launch", "launch/patient"})
LASTING: Final = frozenset({"online_access", "offline_access"})
_PRINTABLE: Final = re.compile(r"[!-\[\]-~]{1,500}")
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
Text = Annotated[str, Field(min_length=1, max_length=500)]


class RegisterApp(BaseModel):
    """The wish to register an app, as an administrator writes it down. What is not here is refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")]
    kind: Literal["public", "confidential", "asymmetric", "service"]
    scopes: Annotated[list[Text], Field(min_length=1, max_length=100)]
    redirect_uris: Annotated[list[Text], Field(max_length=10)] = []
    launch_uri: Text | None = None
    jwks: dict[str, Any] | None = None
    jwks_uri: Text | None = None
    member: Text | None = None

    @classmethod
    def of(cls, given: object) -> Self:
        """From parsed JSON. Raises `Invalid` naming each field and rule."""
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            issues = tuple(
                Issue("app-invalid", str(each["msg"]), ".".join(str(part) for part in each["loc"]))
                for each in error.errors()
            )
            raise Invalid("app-invalid", "The app cannot be registered like this.", issues=issues) from error


def checked(wish: RegisterApp, tenant_id: str) -> tuple[App, str | None]:
    """The app, and its secret where it has one, to be shown once. Raises `Invalid` naming the field and the rule."""
    _check_addresses(wish)
    _check_keys(wish)
    if (wish.kind == "service") != (wish.member is not None):
        raise _wrong("member", "A service, and nothing else, names the machine member that it works as.")
    for text in wish.scopes:
        _check_scope(text, wish.kind)
    secret = new_secret() if wish.kind == "confidential" else None
    app = App(
        id=f"app-{secrets.token_hex(12)}",
        tenant_id=tenant_id,
        name=wish.name,
        kind=wish.kind,
        scopes=frozenset(wish.scopes),
        redirect_uris=tuple(dict.fromkeys(wish.redirect_uris)),
        launch_uri=wish.launch_uri,
        jwks=wish.jwks,
        jwks_uri=wish.jwks_uri,
        subject=wish.member,
        secret_hash=None if secret is None else hashed(secret),
    )
    return app, secret


def understood(text: str) -> Scope | None:
    """A scope about resources, with a type that R4 has and criteria that are kept here; None for another kind.

    Raises `Malformed`, naming a criterion that is not kept.
    """
    scope = scope_of(text)
    if scope is not None and scope.type != "*" and scope.type not in resource_types():
        raise Malformed("scope-form", "The scope names a type that R4 does not have.", location="scope")
    if scope is not None and scope.where:
        try:
            demand_kept(scope.type, scope.where)
        except SearchRefused as refusal:
            raise Malformed("scope-criterion", refusal.message, location="scope") from refusal
    return scope


def _check_scope(text: str, kind: AppKind) -> None:
    try:
        scope = understood(text)
    except Malformed as refusal:
        raise _wrong("scopes", refusal.message) from refusal
    if scope is None and (kind == "service" or text not in LAUNCHES | LASTING):
        raise _wrong("scopes", "There is no such scope here.")
    if scope is not None and (scope.context == "system") != (kind == "service"):
        raise _wrong("scopes", "A service has scopes of system/, every other app has none of them.")


def _check_addresses(wish: RegisterApp) -> None:
    if wish.kind == "service" and (wish.redirect_uris or wish.launch_uri):
        raise _wrong("redirect_uris", "Nobody is sent to a service.")
    if wish.kind != "service" and not wish.redirect_uris:
        raise _wrong("redirect_uris", "At least one address is needed.")
    for field, addresses in (("redirect_uris", wish.redirect_uris), ("launch_uri", _some(wish.launch_uri))):
        for address in addresses:
            if not _may_go_to(address):
                raise _wrong(field, "An address is https, or http of this machine, without user and fragment.")


def _may_go_to(address: str) -> bool:
    if not _PRINTABLE.fullmatch(address) or "#" in address:
        return False
    try:
        parts = urlsplit(address)
        here = parts.hostname in _LOOPBACK and parts.port != 0
    except ValueError:
        return False
    safe = parts.scheme == "https" or (parts.scheme == "http" and here)
    return safe and bool(parts.hostname) and "@" not in parts.netloc


def _check_keys(wish: RegisterApp) -> None:
    given = [each for each in (wish.jwks, wish.jwks_uri) if each is not None]
    if len(given) != (1 if wish.kind in ("asymmetric", "service") else 0):
        raise _wrong("jwks", "An app with keys has jwks or jwks_uri, every other app neither.")
    if wish.jwks is not None:
        try:
            key_set(wish.jwks)
        except ClientRefused as refusal:
            raise _wrong("jwks", f"The keys cannot be used: {refusal.reason}.") from refusal
    if wish.jwks_uri is not None and not _may_go_to(wish.jwks_uri):
        raise _wrong("jwks_uri", "The keys lie at an https address.")


def _some(address: str | None) -> Sequence[str]:
    return () if address is None else (address,)


def _wrong(field: str, rule: str) -> Invalid:
    return Invalid("app-invalid", rule, location=field)
