"""What one unit of work has touched so far; becomes one audit row for each use case that the edge began."""

from dataclasses import dataclass, field
from typing import Any

from emr.audit.rows import AuditRow, Touched


@dataclass(slots=True)
class Trail:
    """Collects while a use case runs. Only `emr.work` turns it into rows."""

    touched: dict[Touched, None] = field(default_factory=dict)
    patients: dict[str, None] = field(default_factory=dict)
    detail: dict[str, Any] = field(default_factory=dict)
    rows: list[AuditRow] = field(default_factory=list)
    wrote: bool = False
    depth: int = 0
    event: str = ""
    """Of the outermost use case that is under way."""
    told: bool = False
    """Whether that one's row is on its way already, in the statement that stores what it is about."""

    def read(self, resource_type: str, resource_id: str, version: int | None = None) -> None:
        """A resource is about to be shown."""
        self.touched[Touched("read", resource_type, resource_id, version)] = None

    def write(self, verb: str, resource_type: str, resource_id: str, version: int) -> None:
        """A new version was stored: verb `create | update | delete`."""
        self.touched[Touched(verb, resource_type, resource_id, version)] = None
        self.wrote = True

    def concerns(self, *patient_ids: str) -> None:
        """Whose data it was."""
        self.patients.update(dict.fromkeys(patient_ids))

    def note(self, **detail: Any) -> None:
        """Figures and stable codes: never clinical content or what was searched for."""
        self.detail.update(detail)

    def take(self) -> tuple[tuple[Touched, ...], tuple[str, ...], dict[str, Any]]:
        """Everything since the last time, leaving the trail empty."""
        taken = tuple(self.touched), tuple(self.patients), self.detail
        self.touched, self.patients, self.detail = {}, {}, {}
        return taken
