"""`GET [base]/metadata`: the CapabilityStatement, made from what the code can do (FHIR R4, http.html#capabilities)."""

from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from fastapi import Request, Response

from emr.definitions.model import FHIR_VERSION, resource_types
from emr.definitions.own import NONE, Own
from emr.definitions.search import SearchParameter, parameters
from emr.fhir import audit_events
from emr.fhir.negotiate import FORMATS, MEDIA_TYPE, refuse_other_answers, refuse_parameters
from emr.fhir.operations import OPERATIONS, operations_of
from emr.fhir.patching import JSON_PATCH
from emr.fhir.subscriptions import SUPPORTED
from emr.identity.principal import system_principal
from emr.kernel import json
from emr.kernel.errors import Malformed
from emr.kernel.tenant import Tenant
from emr.records.own_parameters import own_of
from emr.records.search.question import SEARCHABLE
from emr.web.sign_in import runtime_of
from emr.web.work import asked, hospital_of
from emr.work.unit import unit_of_work

_INTERACTIONS: Final = (
    *("read", "vread", "update", "patch", "delete", "history-instance", "history-type", "create", "search-type"),
)
_SYSTEM: Final = ("transaction", "batch", "history-system", "search-system")
_MODES: Final = ("full", "normative", "terminology")
"""Of what is normative a server may answer with the whole (http.html#capabilities)."""
_SERVICES: Final = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_OAUTH_URIS: Final = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_PUBLISHED: Final = "2026-11-22"


async def metadata(request: Request) -> Response:
    """Public: what this server can do, the same for everybody; `mode=terminology` for what it knows of codes."""
    refuse_other_answers(request)
    refuse_parameters(request, FORMATS | {"mode"})
    tenant = await hospital_of(request)
    settings = runtime_of(request).settings
    base = f"{settings.http.base_url.rstrip('/')}/h/{tenant.slug}/fhir"
    issuer = settings.identity.issuer
    mode = request.query_params.get("mode", "full")
    if mode not in _MODES:
        raise Malformed("mode-unknown", f"mode is {', '.join(_MODES)}.", location="mode")
    if mode == "terminology":
        body = _terminology(base, tenant.name)
    else:
        body = _statement(base, tenant.name, issuer, await _own(request, tenant))
    tag = f'W/"{sha256(body).hexdigest()[:16]}"'
    headers = {"Cache-Control": "no-cache", "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(None, 304, headers)
    return Response(body, 200, headers, MEDIA_TYPE)


async def _own(request: Request, tenant: Tenant) -> Own:
    """The hospital's own search parameters at this moment."""
    principal = system_principal("capability", tenant_id=tenant.id)
    async with unit_of_work(runtime_of(request), tenant, principal, asked(request, tenant)) as work:
        return await own_of(work)


def _statement(base: str, name: str, issuer: str, own: Own) -> bytes:
    """What is the same for every hospital without search parameters of its own is made once, and is most of it."""
    rest: dict[str, Any] = {
        "mode": "server",
        "security": {
            "extension": [_endpoints(base)],
            "cors": True,
            "service": [{"coding": [{"system": _SERVICES, "code": code}]} for code in ("SMART-on-FHIR", "OAuth")],
            "description": "SMART App Launch 2.2 for apps; " + (f"bearer tokens of {issuer}" if issuer else "OAuth"),
        },
    }
    statement = _head("CapabilityStatement", base, name) | {
        "fhirVersion": FHIR_VERSION,
        "format": ["application/fhir+json", "json"],
        "patchFormat": [JSON_PATCH, MEDIA_TYPE],
    }
    able = _shared(own if own.by_type else NONE)
    return json.dumps(statement)[:-1] + b',"rest":[' + json.dumps(rest)[:-1] + b"," + able + b"]}"


def _endpoints(base: str) -> dict[str, Any]:
    """Where apps get their tokens, for clients that do not know `.well-known` (SMART App Launch 1.0, conformance)."""
    own = f"{base.removesuffix('/fhir')}/smart"
    names = ("authorize", "token", "introspect", "revoke")
    return {"url": _OAUTH_URIS, "extension": [{"url": name, "valueUri": f"{own}/{name}"} for name in names]}


def _head(kind: str, base: str, name: str) -> dict[str, Any]:
    return {
        "resourceType": kind,
        "status": "active",
        "date": _PUBLISHED,
        "kind": "instance",
        "software": {"name": "EMR"},
        "implementation": {"description": name, "url": base},
    }


@lru_cache(maxsize=20)
def _shared(own: Own) -> bytes:
    """The members of `rest` that say what can be done, without the brace that opens them."""
    back = _followed_back(own)
    return json.dumps(
        {
            "resource": [_resource(resource_type, own, back) for resource_type in sorted(resource_types())],
            "interaction": [{"code": code} for code in _SYSTEM],
            "searchParam": _common(),
        }
        | _operations(None)
    )[1:]


def _terminology(base: str, name: str) -> bytes:
    """What is known of codes (FHIR R4, terminologycapabilities.html): the operations say the rest."""
    known = {each.name for each in OPERATIONS}
    statement = _head("TerminologyCapabilities", base, name)
    statement |= {"expansion": {"hierarchical": False, "paging": True}} if "expand" in known else {}
    statement |= {"validateCode": {"translations": False}} if "validate-code" in known else {}
    return json.dumps(statement)


def _resource(resource_type: str, own: Own, back: Mapping[str, list[str]]) -> dict[str, Any]:
    known = _searched(resource_type, own)
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
        "searchParam": [{"name": each.name, "type": each.kind} for each in known],
        "searchInclude": ["*", *sorted(followed)] if followed else [],
        "searchRevInclude": list(back.get(resource_type, ())),
    }
    said |= {"documentation": audit_events.SAID} if resource_type == "AuditEvent" else {}
    said |= SUPPORTED if resource_type == "Subscription" else {}
    return {name: value for name, value in said.items() if value != []} | _operations(resource_type)


def _searched(resource_type: str, own: Own) -> list[SearchParameter]:
    """What can be asked now: a parameter whose index is being built is left out."""
    every = (*parameters(resource_type).values(), *own.usable(resource_type))
    known = [each for each in every if each.kind in SEARCHABLE and not each.unsupported]
    return sorted(known, key=lambda each: each.name)


def _common() -> list[dict[str, str]]:
    """What every type can be searched by, and so several at once (search.html#all)."""
    every = [{each.name: each.kind for each in _searched(name, NONE)} for name in sorted(resource_types())]
    return [{"name": name, "type": kind} for name, kind in every[0].items() if all(name in others for others in every)]


def _followed_back(own: Own) -> dict[str, list[str]]:
    """By type, the references of others that may lead to it."""
    found: dict[str, list[str]] = {}
    for source in sorted(resource_types()):
        for each in _searched(source, own):
            if each.kind == "reference":
                for target in each.targets or resource_types():
                    found.setdefault(target, []).append(f"{source}:{each.name}")
    return found


def _operations(resource_type: str | None) -> dict[str, Any]:
    known = operations_of(resource_type)
    if not known:
        return {}
    return {"operation": [{"name": each.name, "definition": each.definition} for each in known]}
