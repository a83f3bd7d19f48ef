"""What an existing realm lacks of what the shipped realm file has and sign-in relies on, and how it gets it.

Keycloak imports a realm once and never looks at the file again: a realm that an older release imported lacks what was
added since. These are the mappers, which say what stands in a token, and the flow after a hospital's own provider.
Nothing else of a realm is touched: its times, its other flows and its people are the installation's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from keycloak import KeycloakAdmin
from keycloak.exceptions import KeycloakError

from emr.identity import realm_flows, realm_mappers
from emr.identity.realm import refusal
from emr.identity.realm_change import Change
from emr.kernel.errors import Unavailable
from emr.settings import Identity

_SECONDS: Final = 10
_FORBIDDEN: Final = 403


class RealmUpkeep:
    """Asks as the account that `emr realm` alone is given. Every call is safe to repeat.

    Each method raises `Unavailable` when Keycloak does not answer or the account lacks a right.
    """

    def __init__(self, settings: Identity) -> None:
        self._settings = settings

    def changes(self) -> list[Change]:
        """What the realm lacks, in a stable order. Raises `NotFound` where it is not a realm of the platform."""
        return self._asked(_lacking)

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
                rule = (
                    "The account lacks a right: to look it needs view-clients, view-realm and view-identity-providers, "
                    "to change manage-clients, manage-realm and manage-identity-providers."
                )
                raise Unavailable("identity-admin-rights", rule) from error
            raise refusal(error) from error


def _lacking(admin: KeycloakAdmin) -> list[Change]:
    return [*realm_mappers.lacking(admin), *realm_flows.lacking(admin)]


def _applied(admin: KeycloakAdmin) -> list[Change]:
    changes = _lacking(admin)
    for change in changes:
        change.make(admin)
    return changes
