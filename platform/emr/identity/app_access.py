"""What is kept of a hospital's apps, and who asks with a token that one of them was given."""

from __future__ import annotations

from emr.db.pools import RolePool
from emr.identity.app_grants import AppGrants, about_one_patient
from emr.identity.app_launches import AppLaunches
from emr.identity.apps import Apps
from emr.identity.client_assertion import SeenAssertions
from emr.identity.errors import NotAMember, TokenRefused
from emr.identity.principal import Principal, kind_of, stranger
from emr.identity.sealing import Sealed
from emr.kernel.clock import Clock
from emr.kernel.tenant import Tenant


class AppAccess:
    """Apps, launches, grants and assertions. `consents` seals what a page of consent is about."""

    def __init__(self, directory: RolePool, clock: Clock, signing: str) -> None:
        self.apps = Apps(directory)
        self.grants = AppGrants(directory, clock)
        self.launches = AppLaunches(directory, clock)
        self.assertions = SeenAssertions(directory, clock)
        self.consents = Sealed(signing, "consents")

    async def principal(self, token: str, tenant: Tenant) -> Principal:
        """Who asks with a token of our own; its beginning tells it from the provider's, which are signed.

        Raises TokenRefused, and NotAMember for one of another hospital or of somebody who is no member any more.
        """
        row = await self.grants.resolve(token)
        if row is None:
            raise TokenRefused("unknown, over or revoked")
        role = row["role"]
        if row["tenant_id"] != tenant.id or role is None:
            raise NotAMember(stranger(row["subject"], row["name"]))
        scopes = frozenset(row["scopes"])
        return Principal(
            subject=row["subject"],
            name=row["name"],
            role=role,
            kind=kind_of(role),
            tenant_id=tenant.id,
            scopes=scopes,
            duties=frozenset(row["duties"]),
            wards=frozenset(row["wards"]),
            clearances=frozenset(row["clearances"]),
            practitioner=row["practitioner"],
            patient=row["patient"] if about_one_patient(scopes) else None,
            app=row["app"],
        )
