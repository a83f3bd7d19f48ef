"""One audit row as a value and as the canonical text that is stored and sealed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]
from typing import Any, Final, Literal

from emr.identity.principal import Principal

FORMAT: Final = 1
_CANONICAL: Final = c_make_encoder(
    None, json.JSONEncoder().default, encode_basestring, None, ":", ",", True, False, True
)
"""`json.dumps(…, ensure_ascii=False, sort_keys=True, separators=(",", ":"))`, which makes an encoder for each row."""
_READ: Final = json.JSONDecoder().raw_decode
Outcome = Literal["success", "refused"]
Event = tuple[int, datetime, str, str, list[str], str]
"""A sealed row as it is stored: number, at, action, actor, patients, and its text."""


class Unreadable(ValueError):
    """A text that no row can have."""


@dataclass(frozen=True, slots=True)
class Touched:
    """A resource that was read or written: verb `read | create | update | delete`, and which version."""

    verb: str
    type: str
    id: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One fact for the journal of a hospital (`tenant` is its schema name) or, with None, of the directory.

    `action` is an event such as `note.signed`. `patients` are the ids of the Patients whose data was touched.
    `detail` holds figures and stable codes, never clinical content or search values.
    """

    tenant: str | None
    at: datetime
    action: str
    outcome: Outcome
    principal: Principal | None
    request_id: str
    touched: tuple[Touched, ...] = ()
    patients: tuple[str, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)

    def canonical(self) -> str:
        """JSON with sorted keys and no spaces; the UTF-8 bytes of this text are what a seal covers."""
        row = {
            "v": FORMAT,
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "action": self.action,
            "outcome": self.outcome,
            "actor": _actor(self.principal),
            "request": self.request_id,
            "touched": [[each.verb, each.type, each.id, each.version] for each in self.touched],
            "patients": list(self.patients),
            "detail": dict(self.detail),
        }
        return "".join(_CANONICAL(row, 0))


def _actor(principal: Principal | None) -> dict[str, str | None] | None:
    if principal is None:
        return None
    return {
        "subject": principal.subject,
        "name": principal.name,
        "role": principal.role,
        "kind": principal.kind,
        "session": principal.session_id,
    }


def event_of(number: int, text: str) -> Event:
    """A row's text with the columns beside it, derived from it, so that they can be derived again. `Unreadable`."""
    try:
        row, end = _READ(text)
        actor = row["actor"]
        at = datetime.fromisoformat(row["at"])
        event = number, at, row["action"], actor["subject"] if actor else "", row["patients"], text
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable("the text is no row") from error
    if end != len(text):
        raise Unreadable("something follows the row")
    return event
