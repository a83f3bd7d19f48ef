"""The protocol mappers that the platform relies on: they say what stands in a token."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.resources import files
from typing import Any, Literal

from keycloak import KeycloakAdmin

from emr.identity.realm_change import Change
from emr.kernel.errors import NotFound

Mapper = Mapping[str, Any]
Kind = Literal["clients", "scopes"]
_Of = Literal["client", "scope"]


def demanded() -> dict[Kind, dict[str, list[Mapper]]]:
    """By kind and name of the owner the mappers that the platform relies on; a test holds them to the realm file."""
    text = files("emr.identity").joinpath("data", "realm_mappers.json").read_text("utf-8")
    found: dict[Kind, dict[str, list[Mapper]]] = json.loads(text)
    return found


def lacking(admin: KeycloakAdmin) -> Iterator[Change]:
    """Those that are missing or say something else. Raises NotFound where it is not a realm of the platform."""
    wanted = demanded()
    for client, mappers in wanted["clients"].items():
        client_id = admin.get_client_id(client)
        if client_id is None:
            raise NotFound(
                "client-missing", f"The realm has no client {client}: it was not made from the shipped file."
            )
        found = admin.get_mappers_from_client(client_id)
        yield from _differences(("client", client, client_id), mappers, found)
    scopes = {each["name"]: each for each in admin.get_client_scopes()}
    for name, mappers in wanted["scopes"].items():
        if name not in scopes:
            raise NotFound("scope-missing", f"The realm has no client scope {name}: make it, then run this again.")
        found = scopes[name].get("protocolMappers", [])
        yield from _differences(("scope", name, scopes[name]["id"]), mappers, found)


def _differences(owner: tuple[_Of, str, str], wanted: Sequence[Mapper], found: Sequence[Mapper]) -> Iterator[Change]:
    """A mapper that somebody has added by hand under another name and that does the same is as good."""
    of, name, owner_id = owner
    for mapper in wanted:
        if any(_does(each, mapper) for each in found):
            continue
        known = next((each["id"] for each in found if each["name"] == mapper["name"]), None)
        keep = _of_client if of == "client" else _of_scope
        make = partial(keep, owner_id=owner_id, known=known, body=dict(mapper))
        yield Change("change" if known else "add", of, name, f"mapper {mapper['name']}", make)


def _does(found: Mapper, wanted: Mapper) -> bool:
    same: bool = wanted["config"].items() <= found["config"].items()
    return same and bool(found["protocolMapper"] == wanted["protocolMapper"])


def _of_client(admin: KeycloakAdmin, owner_id: str, known: str | None, body: dict[str, Any]) -> None:
    if known is None:
        admin.add_mapper_to_client(owner_id, body)
    else:
        admin.update_client_mapper(owner_id, known, body | {"id": known})


def _of_scope(admin: KeycloakAdmin, owner_id: str, known: str | None, body: dict[str, Any]) -> None:
    if known is None:
        admin.add_mapper_to_client_scope(owner_id, body)
    else:
        admin.update_mapper_in_client_scope(owner_id, known, body | {"id": known})
