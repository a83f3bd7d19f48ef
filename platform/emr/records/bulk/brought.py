"""What came of lines: how many were stored or found, which were refused, and why."""

from dataclasses import dataclass, field
from typing import Any

from emr.kernel.errors import Issue

Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that was not stored, and why. `name`: of the resource that it would have brought, when it says one."""

    file: str
    number: int
    reasons: tuple[Issue, ...]
    name: Name | None = None

    def outcome(self) -> dict[str, Any]:
        """As an OperationOutcome that names file and line."""
        issues = []
        for issue in self.reasons[:20]:
            said: dict[str, Any] = {
                "severity": "error",
                "code": "processing",
                "details": {"coding": [{"system": "urn:emr:issue", "code": issue.code}], "text": issue.message},
                "diagnostics": f"{self.file}, line {self.number}: {issue.message}",
            }
            issues.append(said | ({"expression": [issue.location]} if issue.location else {}))
        return {"resourceType": "OperationOutcome", "issue": issues}


@dataclass(slots=True)
class Brought:
    """What a batch came to: resources stored, found unchanged, and lines refused."""

    file: str
    stored: int = 0
    found: int = 0
    refused: list[Refused] = field(default_factory=list)

    def refuse(self, number: int, reasons: tuple[Issue, ...], name: Name | None = None) -> None:
        """Count a line as refused."""
        self.refused.append(Refused(self.file, number, reasons, name))
