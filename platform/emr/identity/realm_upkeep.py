"""What an existing realm lacks of the protocol mappers that the shipped realm file demands, and how it gets them.

Keycloak imports a realm once and never looks at the file again: a realm that an older release imported lacks what was
added since. Mappers say what stands in a token, and sign-in relies on them. Nothing else of a realm is touched: its
times, flows and people are the installation's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, Literal

from keycloak import KeycloakAdmin
from keycloak.exceptions import KeycloakError

from emr.identity.realm import refusal
from emr.kernel.errors import NotFound, Unavailable
from emr.settings import Identity

Mapper = Mapping[str, Any]
Kind = Literal["clients", "scopes"]

_SECONDS: Final = 10
_FORBIDDEN: Final = 403


@dataclass(frozen=True, slots=True)
class Change:
    """One mapper that is to be added, or whose settings are to be what the file says (`mapper_id`: Keycloak's own).

    owner: the client or client scope that has it; `owner_id` is Keycloak's own.
    """

    kind: Kind
    owner: str
    owner_id: str
    mapper: Mapper
    mapper_id: str | None = None

    @property
    def verb(self) -> str:
        """`add` or `change`."""
        return "add" if self.mapper_id is None else "change"


def demanded() -> dict[Kind, dict[str, list[Mapper]]]:
    """By kind and name of the owner the mappers that the platform relies on; a test holds them to the realm file."""
    text = files("emr.identity").joinpath("data", "realm_mappers.json").read_text("utf-8")
    found: dict[Kind, dict[str, list[Mapper]]] = json.loads(text)
    return found


class RealmUpkeep:
    """Asks as the account that `emr realm` alone is given. Every call is safe to repeat.

    Each method raises `Unavailable` when Keycloak does not answer or the account lacks a right.
    """

    def __init__(self, settings: Identity) -> None:
        self._settings = settings

    def changes(self) -> list[Change]:
        """What the realm lacks, in a stable order. Raises `NotFound` where it is not a realm of the platform."""
        return self._asked(lambda admin: list(_differing(admin)))

    def apply(self) -> list[Change]:
        """Make up for what it lacks; what was done."""
        return self._asked(_applied)

    def _asked(self, act: Callable[[KeycloakAdmin], list[Change]]) -> list[Change]:
        given = self._settings
        try:
            admin = KeycloakAdmin(
                server_url=given.admin_url,
                realm_name=given.admin_realm,
                user_realm_name=given.upkeep_realm or given.admin_realm,
                client_id=given.upkeep_client_id,
                client_secret_key=given.upkeep_client_secret.get_secret_value(),
                grant_type="client_credentials",
                timeout=_SECONDS,
                max_retries=0,
            )
            return act(admin)
        except KeycloakError as error:
            if error.response_code == _FORBIDDEN:
                rule = "The account lacks a right: to look it needs view-clients, to change manage-clients."
                raise Unavailable("identity-admin-rights", rule) from error
            raise refusal(error) from error


def _applied(admin: KeycloakAdmin) -> list[Change]:
    changes = list(_differing(admin))
    for change in changes:
        _make(admin, change)
    return changes


def _differing(admin: KeycloakAdmin) -> Iterator[Change]:
    wanted = demanded()
    for client, mappers in wanted["clients"].items():
        client_id = admin.get_client_id(client)
        if client_id is None:
            raise NotFound(
                "client-missing", f"The realm has no client {client}: it was not made from the shipped file."
            )
        yield from _differences(("clients", client, client_id), mappers, admin.get_mappers_from_client(client_id))
    scopes = {each["name"]: each for each in admin.get_client_scopes()}
    for name, mappers in wanted["scopes"].items():
        if name not in scopes:
            raise NotFound("scope-missing", f"The realm has no client scope {name}: make it, then run this again.")
        yield from _differences(("scopes", name, scopes[name]["id"]), mappers, scopes[name].get("protocolMappers", []))


def _differences(owner: tuple[Kind, str, str], wanted: list[Mapper], found: list[Mapper]) -> Iterator[Change]:
    """A mapper that somebody has added by hand under another name and that does the same is as good."""
    for mapper in wanted:
        if any(_does(each, mapper) for each in found):
            continue
        same_name = next((each["id"] for each in found if each["name"] == mapper["name"]), None)
        yield Change(*owner, mapper, same_name)


def _does(found: Mapper, wanted: Mapper) -> bool:
    same: bool = wanted["config"].items() <= found["config"].items()
    return same and bool(found["protocolMapper"] == wanted["protocolMapper"])


def _make(admin: KeycloakAdmin, change: Change) -> None:
    body = dict(change.mapper)
    known = change.mapper_id
    if change.kind == "clients":
        if known is None:
            admin.add_mapper_to_client(change.owner_id, body)
        else:
            admin.update_client_mapper(change.owner_id, known, body | {"id": known})
    elif known is None:
        admin.add_mapper_to_client_scope(change.owner_id, body)
    else:
        admin.update_mapper_in_client_scope(change.owner_id, known, body | {"id": known})
