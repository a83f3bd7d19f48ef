"""A hospital as an organization of the identity provider, made when the hospital is onboarded.

Speaks Keycloak's admin interface (26.x, Organizations) and is used only where `EMR_IDENTITY__ADMIN_URL` is set; what
signs people in does not know it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, ParamSpec, TypeVar

from keycloak import KeycloakAdmin
from keycloak.exceptions import (
    KeycloakAuthenticationError,
    KeycloakConnectionError,
    KeycloakError,
    KeycloakGetError,
)

from emr.identity.realm import connected, said
from emr.kernel.errors import Conflict, Unavailable
from emr.settings import Identity

P = ParamSpec("P")
R = TypeVar("R")

_SLUG: Final = "emr_slug"
_PAGE: Final = 100
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_BAD_REQUEST: Final = 400


@dataclass(frozen=True, slots=True)
class Organization:
    """What the provider is to know of a hospital. `alias` is the slug and never changes."""

    alias: str
    name: str
    domains: tuple[str, ...] = ()


class Organizations:
    """Makes organizations and brings them up to date. Every call is safe to repeat."""

    def __init__(self, settings: Identity) -> None:
        self._settings = settings
        self._admin: KeycloakAdmin | None = None

    @property
    def configured(self) -> bool:
        """Whether this installation makes organizations at all."""
        return bool(self._settings.admin_url)

    def changes(self, wanted: Organization, stored_id: str | None) -> tuple[str, ...]:
        """What `ensure` would do: ("create",), names of fields to change, or nothing. Raises as `ensure` does."""
        found = self._find(wanted, stored_id)
        return ("create",) if found is None else tuple(_differences(found, wanted))

    def ensure(self, wanted: Organization, stored_id: str | None) -> str:
        """The id of the hospital's organization, made or brought up to date.

        `stored_id` is the id that the directory holds (None: none yet). Raises Conflict when an organization that is
        not this hospital's has the alias or a domain, Unavailable when the provider does not answer.
        """
        found = self._find(wanted, stored_id)
        if found is None:
            return str(self._asked(self._administrator().create_organization, _body(wanted)))
        changed = _differences(found, wanted)
        if changed:
            self._asked(self._administrator().update_organization, found["id"], found | changed)
        return str(found["id"])

    def listed(self) -> Listing:
        """Every organization of the realm, in a few questions. Raises `Unavailable`."""
        found: dict[str, dict[str, Any]] = {}
        while True:
            query = {"first": len(found), "max": _PAGE, "briefRepresentation": "false"}
            page = self._asked(self._administrator().get_organizations, query)
            found |= {each["id"]: each for each in page}
            if len(page) < _PAGE:
                return Listing(found)

    def _find(self, wanted: Organization, stored_id: str | None) -> dict[str, Any] | None:
        """By the stored id, else by our own mark, which is there even if storing the id was cut short."""
        found: dict[str, Any] | None = None
        if stored_id is not None:
            found = self._get(stored_id)
        if found is None:
            query = {"q": f"{_SLUG}:{wanted.alias}", "briefRepresentation": "false"}
            marked = self._asked(self._administrator().get_organizations, query)
            found = next((each for each in marked if each["alias"] == wanted.alias), None)
        if found is not None and found["alias"] != wanted.alias:
            raise Conflict(
                "organization-renamed",
                f"The identity provider knows this hospital as {found['alias']!r}; an alias cannot change.",
                location="identity.organization",
            )
        return found

    def _get(self, organization_id: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._administrator().get_organization(organization_id)
        except KeycloakGetError as error:
            if error.response_code == _NOT_FOUND:
                return None
            raise _refusal(error) from error
        except KeycloakError as error:
            raise _refusal(error) from error
        return found

    def _administrator(self) -> KeycloakAdmin:
        if self._admin is None:
            self._admin = self._asked(connected, self._settings)
        return self._admin

    def _asked(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        except KeycloakError as error:
            raise _refusal(error) from error


@dataclass(frozen=True, slots=True)
class Listing:
    """The provider's organizations at one moment, by id."""

    by_id: Mapping[str, Mapping[str, Any]]

    def changes(self, wanted: Organization, stored_id: str | None) -> Mapping[str, tuple[Any, Any]]:
        """What `ensure` would change: field, and what stands and what is wanted. A missing one has the field `id`."""
        found = self.by_id.get(stored_id or "") or next(
            (each for each in self.by_id.values() if _marked(each) == wanted.alias), None
        )
        if found is None:
            return {"id": (stored_id, "to be made")}
        changed = {
            name: (_shown(found.get(name) or type(new)()), _shown(new))
            for name, new in _differences(found, wanted).items()
        }
        if stored_id != found["id"]:
            changed["id"] = stored_id, found["id"]
        return changed

    def strays(self, aliases: Collection[str]) -> list[str]:
        """Aliases of organizations that the platform made for hospitals which it does not know (any more)."""
        marked = {_marked(each): each["alias"] for each in self.by_id.values()}
        return sorted(alias for mark, alias in marked.items() if mark and mark not in aliases)


def _marked(found: Mapping[str, Any]) -> str | None:
    marks: list[str] = (found.get("attributes") or {}).get(_SLUG) or []
    return marks[0] if marks else None


def _shown(value: Any) -> Any:
    """Domains as their names."""
    return sorted(each["name"] for each in value) if isinstance(value, list) else value


def _body(wanted: Organization) -> dict[str, Any]:
    return {
        "name": wanted.name,
        "alias": wanted.alias,
        "enabled": True,
        "domains": [{"name": domain, "verified": False} for domain in wanted.domains],
        "attributes": {_SLUG: [wanted.alias]},
    }


def _differences(found: Mapping[str, Any], wanted: Organization) -> dict[str, Any]:
    """The fields of the organization that are not as wanted, with their new values. Suspending is another command's."""
    body = _body(wanted)
    attributes = found.get("attributes") or {}
    changed: dict[str, Any] = {}
    if found["name"] != body["name"]:
        changed["name"] = body["name"]
    if {domain["name"] for domain in found.get("domains") or ()} != set(wanted.domains):
        changed["domains"] = body["domains"]
    if attributes.get(_SLUG) != [wanted.alias]:
        changed["attributes"] = attributes | body["attributes"]
    return changed


def _refusal(error: KeycloakError) -> Conflict | Unavailable:
    # Keycloak answers 409 to a taken alias or name and 400 to a taken domain.
    if error.response_code in (_CONFLICT, _BAD_REQUEST):
        return Conflict(
            "organization-taken",
            f"The identity provider refuses this organization: {said(error)}",
            location="identity",
        )
    if isinstance(error, KeycloakAuthenticationError):
        return Unavailable("identity-admin-refused", "The identity provider refuses the onboarding account.")
    kind = "does not answer" if isinstance(error, KeycloakConnectionError) else f"answers {error.response_code}"
    return Unavailable("identity-admin-unavailable", f"The identity provider's admin interface {kind}.")
