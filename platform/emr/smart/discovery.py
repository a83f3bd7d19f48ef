"""`GET [base]/.well-known/smart-configuration`: what apps can rely on (SMART App Launch 2.2, conformance.html)."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from emr.identity.client_assertion import ALGORITHMS
from emr.kernel import json
from emr.kernel.tenant import Tenant
from emr.smart.addresses import AUTHORIZE, INTROSPECT, REVOKE, TOKEN, endpoint
from emr.web.direct import plain
from emr.web.sign_in import runtime_of
from emr.web.work import hospital_of

CAPABILITIES: Final = (
    *("launch-ehr", "launch-standalone"),
    *("client-public", "client-confidential-symmetric", "client-confidential-asymmetric"),
    *("context-banner", "context-ehr-patient", "context-standalone-patient"),
    *("permission-offline", "permission-online", "permission-patient", "permission-user"),
    *("permission-v1", "permission-v2"),
)
SCOPES: Final = (
    *("launch", "launch/patient", "online_access", "offline_access"),
    *("patient/*.cruds", "user/*.cruds", "system/*.cruds"),
)
GRANTS: Final = ("authorization_code", "refresh_token", "client_credentials")
METHODS: Final = ("none", "client_secret_basic", "private_key_jwt")

router = APIRouter(include_in_schema=False)


@plain
async def configuration(request: Request) -> Response:
    """Public, the same for everybody, and good for an hour."""
    tenant = await hospital_of(request)
    content = json.dumps(_configuration(runtime_of(request).settings.http.base_url, tenant))
    return Response(content, 200, {"Cache-Control": "public, max-age=3600"}, "application/json")


def _configuration(base_url: str, tenant: Tenant) -> dict[str, Any]:
    return {
        "authorization_endpoint": endpoint(base_url, tenant, AUTHORIZE),
        "token_endpoint": endpoint(base_url, tenant, TOKEN),
        "introspection_endpoint": endpoint(base_url, tenant, INTROSPECT),
        "revocation_endpoint": endpoint(base_url, tenant, REVOKE),
        "response_types_supported": ("code",),
        "code_challenge_methods_supported": ("S256",),
        "grant_types_supported": GRANTS,
        "token_endpoint_auth_methods_supported": METHODS,
        "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "scopes_supported": SCOPES,
        "capabilities": CAPABILITIES,
    }


router.add_route(
    "/h/{slug}/fhir/.well-known/smart-configuration", configuration, methods=["GET"], include_in_schema=False
)
