"""For whom a Subscription speaks, and as whom the platform changes it."""

from emr.identity.memberships import Memberships
from emr.identity.principal import Principal, system_principal
from emr.kernel.tenant import Tenant
from emr.subscriptions.terms import WORKER
from emr.work.runtime import Runtime


async def owner_of(parts: Runtime, tenant: Tenant, subject: str) -> Principal | None:
    """The owner with the role that it has at this moment; None when it is no member any more."""
    found = await Memberships(parts.databases.directory).find(tenant.id, subject)
    return None if found is None else found.principal()


def worker_of(tenant: Tenant) -> Principal:
    """The platform itself, where it looks and counts; nothing leaves in its name."""
    return system_principal(WORKER, tenant_id=tenant.id)


def base_of(parts: Runtime, tenant: Tenant) -> str:
    """The hospital's FHIR address, without a slash at its end."""
    return f"{parts.settings.http.base_url.rstrip('/')}/h/{tenant.slug}/fhir"
