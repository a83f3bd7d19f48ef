"""Where a hospital's pages begin. The one place that knows it, so that a hospital can get a host of its own."""

from emr.kernel.tenant import Tenant


def home_of(tenant: Tenant) -> str:
    """The prefix of a hospital's paths, without a slash at its end."""
    return f"/h/{tenant.slug}"


def patient_path(tenant: Tenant, patient_id: str) -> str:
    """A patient's chart."""
    return f"{home_of(tenant)}/patients/{patient_id}"
