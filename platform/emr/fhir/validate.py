"""`$validate` of a type and of one resource (FHIR R4, resource-operation-validate.html)."""

from typing import Any, Final

from fastapi import Request, Response

from emr.fhir.negotiate import MEDIA_TYPE, refuse_other_answers, resource_type_of
from emr.fhir.operation import Operation
from emr.fhir.parameters import Input, Inputs, inputs_of
from emr.kernel import json
from emr.kernel.errors import Invalid, Issue, Malformed
from emr.records.validating import MODES, Verdict, Wish, judge
from emr.web.body import body_of
from emr.web.errors import outcome_of
from emr.work.unit import UnitOfWork

_INPUTS: Final = (
    Input("resource", "Resource", unchecked=True),
    Input("mode", "code"),
    Input("profile", "uri", most=None),
)
_FINE: Final[dict[str, Any]] = {
    "severity": "information",
    "code": "informational",
    "diagnostics": "No errors and no warnings were found.",
}


async def validate(request: Request, work: UnitOfWork) -> Response:
    """200 with everything that was found, also when the resource is not valid; nothing is stored."""
    refuse_other_answers(request)
    name = resource_type_of(request)
    given = _given(request, name)
    resource, mode, resource_id = given.one("resource"), given.one("mode"), request.path_params.get("id")
    if mode is not None and mode not in MODES:
        raise Malformed("parameter-value", "mode is create, update, delete or profile.", location="mode")
    if resource is None and resource_id is None:
        raise Malformed(
            "parameter-required", "resource is required, unless the address names one.", location="resource"
        )
    if mode == "profile" and not given.all("profile"):
        raise Malformed("parameter-required", "The mode profile needs a profile.", location="profile")
    verdict = await judge(work, Wish(name, resource_id, resource, mode, given.all("profile")))
    return Response(json.dumps(_outcome(verdict)), 200, {"Cache-Control": "private, no-store"}, MEDIA_TYPE)


VALIDATE: Final = Operation(
    name="validate",
    definition="http://hl7.org/fhir/OperationDefinition/Resource-validate",
    endpoint=validate,
    levels=frozenset({"type", "instance"}),
)


def _given(request: Request, resource_type: str) -> Inputs:
    """A Parameters is what is validated where it has none of the inputs, at `Parameters/$validate`."""
    if resource_type == "Parameters" and request.method == "POST" and body_of(request):
        sent = json.loads(body_of(request))
        parts = sent.get("parameter")
        names = {each.get("name") for each in parts if isinstance(each, dict)} if isinstance(parts, list) else set()
        if not names & {each.name for each in _INPUTS}:
            asked = _from_address(request)
            return Inputs({**asked.values, "resource": (sent,)})
    return inputs_of(request, _INPUTS)


def _from_address(request: Request) -> Inputs:
    profiles = request.query_params.getlist("profile")
    values: dict[str, tuple[Any, ...]] = {"profile": tuple(profiles)} if profiles else {}
    if "mode" in request.query_params:
        values["mode"] = (request.query_params["mode"],)
    return Inputs(values)


def _outcome(verdict: Verdict) -> dict[str, Any]:
    issues = [*_issues(verdict.errors, "error"), *_issues(verdict.warnings, "warning")]
    return {"resourceType": "OperationOutcome", "issue": issues or [_FINE]}


def _issues(found: tuple[Issue, ...], severity: str) -> list[dict[str, Any]]:
    if not found:
        return []
    said: list[dict[str, Any]] = outcome_of(Invalid(found[0].code, found[0].message, issues=found))["issue"]
    for each in said:
        each["severity"] = severity
        if "expression" in each:
            each["location"] = each["expression"]
    return said
