"""The results of checks: signed when they are written, and believed only when the signature holds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from emr.audit.signing import Signer, holds
from emr.db.pools import RolePool
from emr.kernel.tenant import Tenant
from emr.light import repository

FORMAT: Final = 1
_KEPT_RED: Final = 200
_STALE: Final = timedelta(hours=36)
State = Literal["green", "red", "old", "never", "false"]


@dataclass(frozen=True, slots=True)
class Red:
    """A door that was not shut, to whom, and why (a stable code: `canary-seen`, `not-shut`, `not-sent-away`,
    `told-apart`, `failed`; `blind`: its own people see nothing behind it either).
    """

    door: str
    outsider: str
    why: str


@dataclass(slots=True)
class Findings:
    """What a check found. `probes`: outsider → how often a door was tried."""

    probes: dict[str, int] = field(default_factory=dict)
    red: list[Red] = field(default_factory=list)

    def note(self, outsider: str, door: str, why: str | None) -> None:
        """Count one probe, and keep what was wrong with it."""
        self.probes[outsider] = self.probes.get(outsider, 0) + 1
        if why is not None:
            self.red.append(Red(door, outsider, why))


@dataclass(frozen=True, slots=True)
class Result:
    """One check. probes: outsider → tries. red_count: of the findings, of which `red` keeps the first 200.

    build: what was tried. genuine: the signature is ours and covers exactly this.
    """

    hospital: str
    number: int
    began_at: datetime
    ended_at: datetime
    build: str
    probes: dict[str, int]
    red: tuple[Red, ...]
    red_count: int
    genuine: bool

    @property
    def green(self) -> bool:
        """Whether every door was shut and the result can be believed."""
        return self.genuine and self.red_count == 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How a hospital stands: when it was made, and its last result, None if it was never tried."""

    made_at: datetime
    last: Result | None

    @property
    def since(self) -> datetime:
        """From when on nobody has tried its doors."""
        return self.last.ended_at if self.last else self.made_at


def state_of(last: Result | None, now: datetime) -> State:
    """What the light shows. `old`: nobody tried the doors for a day and a half; `false`: the result was altered."""
    if last is None:
        return "never"
    if not last.green:
        return "red" if last.genuine else "false"
    return "old" if now - last.ended_at > _STALE else "green"


def signer_of(signing_key: bytes) -> Signer:
    """Who signs results: a key of its own, which follows from the platform's signing key."""
    return Signer.derived(signing_key, b"emr border light")


class Results:
    """Reads and writes results as `emr_directory`, which can add and read, and change nothing."""

    def __init__(self, directory: RolePool, signer: Signer) -> None:
        self._directory = directory
        self._signer = signer

    async def add(self, tenant: Tenant, findings: Findings, span: tuple[datetime, datetime], build: str) -> Result:
        """Sign and keep what was found between two moments."""
        async with self._directory.transaction() as connection:
            number = await repository.next_number(connection, tenant.id)
            text = _canonical(tenant, number, findings, span, build)
            signed = repository.Signed(number, text, self._signer.sign(text.encode()), self._signer.id)
            await repository.add(connection, tenant.id, signed, ended_at=span[1])
        return self._result(tenant.id, signed)

    async def newest(self, tenant: Tenant, most: int = 1) -> Sequence[Result]:
        """The last results, newest first."""
        async with self._directory.connection() as connection:
            rows = await repository.newest(connection, tenant.id, most)
        return [self._result(tenant.id, row) for row in rows]

    async def of_each(self) -> Mapping[str, Standing]:
        """How every hospital stands, by its id: what an operator looks at."""
        async with self._directory.connection() as connection:
            rows = await repository.newest_of_each(connection)
        return {
            tenant_id: Standing(made_at, None if row is None else self._result(tenant_id, row))
            for tenant_id, (made_at, row) in rows.items()
        }

    def _result(self, tenant_id: str, kept: repository.Signed) -> Result:
        said: dict[str, Any] = json.loads(kept.text)
        same = (said["format"], said["hospital"], said["number"]) == (FORMAT, tenant_id, kept.number)
        return Result(
            hospital=tenant_id,
            number=kept.number,
            began_at=datetime.fromisoformat(said["began_at"]),
            ended_at=datetime.fromisoformat(said["ended_at"]),
            build=said["build"],
            probes=said["probes"],
            red=tuple(Red(**each) for each in said["red"]),
            red_count=said["red_count"],
            genuine=same and holds(self._signer.public, kept.text.encode(), kept.signature),
        )


def _canonical(tenant: Tenant, number: int, findings: Findings, span: tuple[datetime, datetime], build: str) -> str:
    said = {
        "format": FORMAT,
        "hospital": tenant.id,
        "number": number,
        "began_at": span[0].isoformat(),
        "ended_at": span[1].isoformat(),
        "build": build,
        "probes": findings.probes,
        "red": [asdict(each) for each in findings.red[:_KEPT_RED]],
        "red_count": len(findings.red),
    }
    return json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
