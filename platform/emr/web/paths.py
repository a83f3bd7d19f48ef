"""Where a hospital's pages begin. The one place that knows it, so that a hospital can get a host of its own."""

from emr.kernel.tenant import Tenant


def home_of(tenant: Tenant) -> str:
    """The prefix of a hospital's paths, without a slash at its end: of the past that is looked at, or of today."""
    return today_of(tenant) if tenant.past is None else f"{today_of(tenant)}/past/{tenant.past.id}"


def today_of(tenant: Tenant) -> str:
    """The prefix of a hospital's paths as it is."""
    return f"/h/{tenant.slug}"


def patient_path(tenant: Tenant, patient_id: str) -> str:
    """A patient's chart."""
    return f"{home_of(tenant)}/patients/{patient_id}"
