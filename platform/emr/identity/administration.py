"""What the platform may do at the identity provider on behalf of a hospital's administrator: all of it, or nothing.

Keycloak is the one provider that it administers. Where no admin address is set, as with the demo's own provider, the
parts are None: memberships, roles and reviews are our own rows and work without them.
"""

from __future__ import annotations

from dataclasses import dataclass

from emr.identity.brokers import Brokers
from emr.identity.machines import Machines
from emr.identity.people import People
from emr.identity.realm import Realm
from emr.kernel.errors import Unavailable
from emr.settings import Identity


class NotAdministered(Unavailable):
    """This installation does not administer its identity provider."""

    def __init__(self) -> None:
        super().__init__(
            "identity-not-administered",
            "This installation does not administer its identity provider; do this at the provider itself.",
        )


@dataclass(frozen=True, slots=True)
class Administered:
    """The provider, as far as it can be administered from here."""

    _people: People | None = None
    _machines: Machines | None = None
    _brokers: Brokers | None = None

    @property
    def possible(self) -> bool:
        """Whether anything of it is."""
        return self._people is not None

    @property
    def people(self) -> People:
        """Raises NotAdministered."""
        if self._people is None:
            raise NotAdministered
        return self._people

    @property
    def machines(self) -> Machines:
        """Raises NotAdministered."""
        if self._machines is None:
            raise NotAdministered
        return self._machines

    @property
    def brokers(self) -> Brokers:
        """Raises NotAdministered."""
        if self._brokers is None:
            raise NotAdministered
        return self._brokers


def administered(settings: Identity) -> Administered:
    """The adapters for these settings; nothing connects before it is asked."""
    if not settings.admin_url:
        return Administered()
    realm = Realm(settings)
    return Administered(People(realm), Machines(realm), Brokers(realm, settings.issuer))
