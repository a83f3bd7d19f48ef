"""`emr realm …`: an existing realm of Keycloak gets what the shipped realm file has had since it was imported."""

from collections.abc import Callable, Sequence
from typing import Any

import typer

from emr.fleet.printing import Json, or_exit, show_rows
from emr.identity.realm_change import Change
from emr.identity.realm_upkeep import RealmUpkeep
from emr.kernel.errors import Invalid
from emr.settings import Settings

_WHOLE = "The realm has what the platform relies on."

realm = typer.Typer(no_args_is_help=True, help="Whether Keycloak's realm has what the platform relies on.")


@realm.command("plan")
def plan(*, as_json: Json = False) -> None:
    """Show what the realm lacks: mappers, steps of the flow after a hospital's provider. Nothing is changed."""
    show_rows(_rows(RealmUpkeep.changes), as_json=as_json, empty=_WHOLE)


@realm.command("apply")
def apply(*, as_json: Json = False) -> None:
    """Add it. What the installation has of its own stays as it is; may be repeated."""
    show_rows(_rows(RealmUpkeep.apply), as_json=as_json, empty=_WHOLE)


def _rows(act: Callable[[RealmUpkeep], Sequence[Change]]) -> list[dict[str, Any]]:
    return [
        {"step": each.verb, "of": each.of, "name": each.name, "what": each.what}
        for each in or_exit(lambda: act(_upkeep()))
    ]


def _upkeep() -> RealmUpkeep:
    """Raises `Invalid` where this process was not told how to ask."""
    settings = Settings().identity
    for name in ("admin_url", "upkeep_client_secret"):
        if not str(getattr(settings, name)):
            variable = f"EMR_IDENTITY__{name.upper()}"
            raise Invalid("setting-missing", f"{variable} is needed to ask Keycloak.", location=variable)
    return RealmUpkeep(settings)
