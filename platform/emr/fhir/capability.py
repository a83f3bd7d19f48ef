"""`GET [base]/metadata`: the CapabilityStatement, made from what the code can do (FHIR R4, http.html#capabilities)."""

from functools import lru_cache
from typing import Any, Final

from fastapi import Request, Response

from emr.definitions.model import FHIR_VERSION, resource_types
from emr.definitions.search import parameters
from emr.fhir.negotiate import MEDIA_TYPE, refuse_other_answers
from emr.fhir.operations import operations_of
from emr.fhir.patching import JSON_PATCH
from emr.kernel import json
from emr.records.search.question import SEARCHABLE
from emr.web.sign_in import runtime_of
from emr.web.work import hospital_of

_INTERACTIONS: Final = (
    *("read", "vread", "update", "patch", "delete", "history-instance", "history-type", "create", "search-type"),
)
_SYSTEM: Final = ("transaction", "batch", "history-system")
_SPECIAL: Final = (("_id", "token"), ("_lastUpdated", "date"))
_PUBLISHED: Final = "2026-11-22"


async def metadata(request: Request) -> Response:
    """Public: what this server can do, the same for everybody."""
    refuse_other_answers(request)
    tenant = await hospital_of(request)
    settings = runtime_of(request).settings
    base = f"{settings.http.base_url.rstrip('/')}/h/{tenant.slug}/fhir"
    issuer = settings.identity.issuer
    return Response(_statement(base, tenant.name, issuer), 200, {"Cache-Control": "max-age=300"}, MEDIA_TYPE)


@lru_cache(maxsize=500)
def _statement(base: str, name: str, issuer: str) -> bytes:
    statement: dict[str, Any] = {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": _PUBLISHED,
        "kind": "instance",
        "software": {"name": "EMR"},
        "implementation": {"description": name, "url": base},
        "fhirVersion": FHIR_VERSION,
        "format": ["application/fhir+json", "json"],
        "patchFormat": [JSON_PATCH, MEDIA_TYPE],
        "rest": [
            {
                "mode": "server",
                "security": {
                    "cors": False,
                    "service": [
                        {
                            "coding": [
                                {
                                    "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                                    "code": "OAuth",
                                }
                            ]
                        }
                    ],
                    "description": f"OpenID Connect; bearer tokens of {issuer}" if issuer else "OpenID Connect",
                },
                "resource": [_resource(resource_type) for resource_type in sorted(resource_types())],
                "interaction": [{"code": code} for code in _SYSTEM],
            }
            | _operations(None)
        ],
    }
    return json.dumps(statement)


def _resource(resource_type: str) -> dict[str, Any]:
    known = [each for each in parameters(resource_type).values() if each.kind in SEARCHABLE and not each.unsupported]
    kinds: dict[str, str] = {each.name: each.kind for each in known} | dict(_SPECIAL)
    searched = [{"name": name, "type": kinds[name]} for name in sorted(kinds)]
    followed = [f"{resource_type}:{each.name}" for each in known if each.kind == "reference"]
    said: dict[str, Any] = {
        "type": resource_type,
        "interaction": [{"code": code} for code in _INTERACTIONS],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": "single",
        "referencePolicy": ["literal", "enforced", "local"],
        "searchParam": searched,
    }
    return said | ({"searchInclude": sorted(followed)} if followed else {}) | _operations(resource_type)


def _operations(resource_type: str | None) -> dict[str, Any]:
    known = operations_of(resource_type)
    if not known:
        return {}
    return {"operation": [{"name": each.name, "definition": each.definition} for each in known]}
