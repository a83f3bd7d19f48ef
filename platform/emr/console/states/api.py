"""A hospital's state and proposals as JSON; changes by bearer token."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from emr.console.answers import Office, parameters, read_json
from emr.console.states import service
from emr.console.states.repository import Proposal
from emr.fleet.transitions import Step

router = APIRouter(prefix="/ops/api", tags=["department"])
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["to", "reason"],
                    "properties": {"to": {"type": "string"}, "reason": {"type": "string", "maxLength": 500}},
                }
            }
        },
    }
}


@router.post("/hospitals/{slug}/state", openapi_extra=_BODY, responses={202: {"model": Proposal}})
async def change(request: Request, work: Office, response: Response, slug: str) -> Step | Proposal:
    """Bring a hospital into another state. What stops it becomes a proposal (202) that a second operator approves."""
    parameters(request, ())
    body = await read_json(request, work, ("to", "reason"))
    if body["to"] in service.DANGEROUS:
        response.status_code = 202
        return await service.propose_state(work, slug, body["to"], body["reason"])
    return await service.change_state(work, slug, body["to"], body["reason"])


@router.get("/proposals")
async def proposals(request: Request, work: Office) -> Sequence[Proposal]:
    """The newest, those that wait first."""
    parameters(request, ())
    return await service.proposals(work)


@router.post("/proposals/{proposal}/approve")
async def approve(request: Request, work: Office, proposal: str) -> Step:
    """Make the step that somebody else proposed."""
    parameters(request, ())
    await read_json(request, work, ())
    return await service.approve(work, proposal)


@router.post("/proposals/{proposal}/put-away")
async def put_away(request: Request, work: Office, proposal: str) -> dict[str, str]:
    """Close it without doing it: `withdrawn` by the proposer, `declined` by anybody else."""
    parameters(request, ())
    await read_json(request, work, ())
    return {"outcome": await service.put_away(work, proposal)}
