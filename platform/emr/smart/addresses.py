"""Where a hospital's authorization server is. Pure."""

from typing import Final

from emr.kernel.tenant import Tenant

AUTHORIZE: Final = "authorize"
TOKEN: Final = "token"  # noqa: S105 - the end of an address
INTROSPECT: Final = "introspect"
REVOKE: Final = "revoke"


def fhir_base(base_url: str, tenant: Tenant) -> str:
    """The `aud` and `iss` of every app: the hospital's FHIR endpoint, without a slash at its end."""
    return f"{base_url.rstrip('/')}/h/{tenant.slug}/fhir"


def endpoint(base_url: str, tenant: Tenant, name: str) -> str:
    """One endpoint of the authorization server."""
    return f"{base_url.rstrip('/')}/h/{tenant.slug}/smart/{name}"
