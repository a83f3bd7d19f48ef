"""A hospital's state and its history, and proposals that wait for a second person; as `emr_directory`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from emr.db.connection import Connection, Row
from emr.fleet.transitions import EVENT, Standing, Step
from emr.kernel.errors import NotFound

_FIND: Final = """
SELECT id, state, state_reason, state_since, definition -> 'go_live' ->> 'state' AS first FROM directory.tenants
WHERE slug = $1
"""
_HOLD: Final = _FIND + " FOR UPDATE"
_STEPS: Final = """
SELECT at, actor, detail FROM directory.tenant_events WHERE tenant_id = $1 AND event = $2 ORDER BY number DESC
"""
_CHANGE: Final = """
UPDATE directory.tenants SET state = $2, state_reason = $3, state_since = now(), updated_at = now() WHERE id = $1
"""
_EVENT: Final = "INSERT INTO directory.tenant_events (tenant_id, actor, event, detail) VALUES ($1, $2, $3, $4)"
_PROPOSE: Final = """
INSERT INTO directory.proposals (id, tenant_id, before, wanted, reason, proposed_by, proposed_by_name, proposed_at,
  expires_at)
SELECT $1, id, $3, $4, $5, $6, $7, $8, $9 FROM directory.tenants WHERE slug = $2
"""
_LAPSE: Final = """
UPDATE directory.proposals SET outcome = 'lapsed', decided_at = expires_at
WHERE decided_at IS NULL AND expires_at <= $1
"""
_PROPOSALS: Final = """
SELECT p.id, t.slug, t.definition ->> 'name' AS hospital, p.before, p.wanted, p.reason, p.proposed_by,
  p.proposed_by_name, p.proposed_at, p.expires_at, p.decided_by_name, p.decided_at, p.outcome
FROM directory.proposals p JOIN directory.tenants t ON t.id = p.tenant_id
"""
_NEWEST: Final = _PROPOSALS + " ORDER BY p.decided_at IS NULL DESC, p.proposed_at DESC LIMIT $1"
_ONE: Final = _PROPOSALS + " WHERE p.id = $1 FOR UPDATE OF p"
_OPEN_OF: Final = _PROPOSALS + " WHERE t.slug = $1 AND p.decided_at IS NULL"
_DECIDE: Final = """
UPDATE directory.proposals SET outcome = $2, decided_by = $3, decided_by_name = $4, decided_at = $5 WHERE id = $1
"""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A step that waits for a second person, or what became of it: `approved`, `declined`, `withdrawn`, `lapsed`."""

    id: str
    slug: str
    hospital: str
    before: str
    wanted: str
    reason: str
    proposed_by: str
    proposed_by_name: str
    proposed_at: datetime
    expires_at: datetime
    decided_by_name: str | None = None
    decided_at: datetime | None = None
    outcome: str | None = None

    def open(self, now: datetime) -> bool:
        """Whether it can still be decided."""
        return self.outcome is None and now < self.expires_at


async def held(directory: Connection, slug: str) -> tuple[str, Standing]:
    """A hospital's id and its state, which nobody else changes until the transaction ends. Raises `NotFound`."""
    return await _standing(directory, slug, _HOLD)


async def standing(directory: Connection, slug: str) -> Standing:
    """A hospital's state. Raises `NotFound`."""
    return (await _standing(directory, slug, _FIND))[1]


async def _standing(directory: Connection, slug: str, statement: str) -> tuple[str, Standing]:
    row = await directory.fetchrow(statement, slug, name="console.state")
    if row is None:
        raise NotFound("hospital-unknown", "There is no such hospital.")
    rows = await directory.fetch(_STEPS, row["id"], EVENT, name="console.steps")
    steps = tuple(_step(slug, each) for each in rows)
    return row["id"], Standing(slug, row["state"], row["state_reason"], row["state_since"], steps, row["first"])


async def change(directory: Connection, tenant_id: str, step: Step) -> None:
    """Make a step, with its row of the hospital's history."""
    detail = json.dumps({"from": step.before, "to": step.after, "reason": step.reason}, ensure_ascii=False)
    await directory.execute(_CHANGE, tenant_id, step.after, step.reason, name="console.change")
    await directory.execute(_EVENT, tenant_id, step.by, EVENT, detail, name="console.event")


async def propose(directory: Connection, proposal: Proposal) -> None:
    """Keep a proposal."""
    await directory.execute(
        _PROPOSE, proposal.id, proposal.slug, proposal.before, proposal.wanted, proposal.reason, proposal.proposed_by,
        proposal.proposed_by_name, proposal.proposed_at, proposal.expires_at, name="console.propose",
    )  # fmt: skip


async def lapse(directory: Connection, now: datetime) -> None:
    """Close proposals that nobody decided in time."""
    await directory.execute(_LAPSE, now, name="console.lapse")


async def newest(directory: Connection, most: int) -> Sequence[Proposal]:
    """Proposals, the open ones first."""
    return [_proposal(row) for row in await directory.fetch(_NEWEST, most, name="console.proposals")]


async def open_of(directory: Connection, slug: str) -> Proposal | None:
    """The one that waits for a hospital, if one does."""
    row = await directory.fetchrow(_OPEN_OF, slug, name="console.proposal-of")
    return None if row is None else _proposal(row)


async def one(directory: Connection, key: str) -> Proposal:
    """A proposal, held until the transaction ends. Raises `NotFound`."""
    row = await directory.fetchrow(_ONE, key, name="console.proposal")
    if row is None:
        raise NotFound("proposal-unknown", "There is no such proposal.")
    return _proposal(row)


async def decide(directory: Connection, key: str, outcome: str, by: tuple[str, str, datetime]) -> None:
    """Close a proposal; by: subject, name, when."""
    await directory.execute(_DECIDE, key, outcome, *by, name="console.decide")


def _step(slug: str, row: Row) -> Step:
    said = json.loads(row["detail"])
    return Step(slug, said["from"], said["to"], said["reason"], row["actor"], row["at"])


def _proposal(row: Row) -> Proposal:
    return Proposal(**dict(row))
