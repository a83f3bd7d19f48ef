"""The way to going live as JSON; changes by bearer token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from emr.administration.answers import handed_out
from emr.administration.golive.evidence import LONGEST_TITLE
from emr.console.answers import FileByToken, Office, parameters, read_json
from emr.console.golive import service
from emr.console.golive.asking import PARAMETERS, asked_of, listed, stage_of
from emr.fleet.golive import OnItsWay
from emr.kernel.errors import Invalid
from emr.tenancy.golive import DEPARTMENT, HOSPITAL, Change, Item, Progress, is_offices

router = APIRouter(prefix="/ops/api/golive", tags=["department"])
_LISTED: Final = [{"name": name, "in": "query", "required": False, "schema": {"type": "string"}} for name in PARAMETERS]
_TEXT: Final = {"type": "string"}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["state"],
                    "properties": {
                        "state": {"enum": ["open", "doing", "done", "not-needed"]}, "owner": _TEXT, "note": _TEXT,
                        "due": {"type": "string", "format": "date"},
                    },
                }
            }
        },
    }
}  # fmt: skip
_FILE: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["title", "file"],
                    "properties": {
                        "title": {"type": "string", "minLength": 1, "maxLength": LONGEST_TITLE},
                        "file": {"type": "string", "format": "binary", "description": "PDF, PNG or JPEG; 10 MiB"},
                    },
                },
                "encoding": {"file": {"contentType": "application/pdf, image/png, image/jpeg"}},
            }
        },
    }
}


@dataclass(frozen=True, slots=True)
class MilestoneTold:
    """How far a milestone is: points settled, in all, overdue."""

    settled: int
    total: int
    late: int


@dataclass(frozen=True, slots=True)
class FileTold:
    """A file that shows that a point is done. of: whose it is, hospital or department; a hospital's is only told."""

    title: str
    type: str
    size: int
    by: str
    of: str


@dataclass(frozen=True, slots=True)
class PointTold:
    """A point of a checklist. by: whose task it is, hospital or department."""

    code: str
    milestone: str
    vi: str
    en: str
    basis: str
    by: str
    state: str
    owner: str
    due: date | None
    late: bool
    note: str
    evidence: Sequence[FileTold]
    changed_at: datetime | None
    changed_by: str


@dataclass(frozen=True, slots=True)
class WayTold:
    """A hospital on its way. stage: the first milestone that is not finished, "" when all are; late: what is overdue,
    the longest first.
    """

    slug: str
    name: str
    state: str
    settled: int
    total: int
    stage: str
    next_due: date | None
    milestones: Mapping[str, MilestoneTold]
    late: Sequence[PointTold]


@dataclass(frozen=True, slots=True)
class ChecklistTold:
    """One hospital's checklist."""

    slug: str
    name: str
    state: str
    milestones: Mapping[str, MilestoneTold]
    points: Sequence[PointTold]


@router.get("", openapi_extra={"parameters": _LISTED})
async def city(request: Request, work: Office) -> Sequence[WayTold]:
    """Every hospital that the filters leave, in the order that is asked for."""
    asked = asked_of(parameters(request, PARAMETERS))
    today = service.today(work)
    return [_way(each, today) for each in listed(await service.city(work), asked)]


@router.get("/{slug}")
async def checklist(request: Request, work: Office, slug: str) -> ChecklistTold:
    """One hospital's points."""
    parameters(request, ())
    found = await service.checklist(work, slug)
    points = [_point(item, found.today) for _, items in found.groups for item in items]
    hospital = found.hospital
    return ChecklistTold(hospital.slug, hospital.name, hospital.state, _milestones(found.progress), points)


@router.post("/{slug}/{code}", openapi_extra=_BODY)
async def write(request: Request, work: Office, slug: str, code: str) -> PointTold:
    """Change a point that is the department's task; what is left out is emptied."""
    parameters(request, ())
    body = await read_json(request, work, ("state",), ("owner", "due", "note"))
    by = work.principal.subject, work.principal.name
    due = _day(body["due"]) if body.get("due") else None
    change = Change(code, body["state"], body.get("owner", ""), due, body.get("note", ""), by)
    return _point(await service.write(work, slug, change), service.today(work))


@router.post("/{slug}/{code}/evidence", status_code=201, openapi_extra=_FILE)
async def add(request: Request, sent: FileByToken, work: Office, slug: str, code: str) -> PointTold:
    """Add a file to a point that is the department's task; the answer is the point with all its files."""
    parameters(request, ())
    added = await service.add(work, slug, code, sent.form.values["title"].strip(), sent.content)
    return _point(added, service.today(work))


@router.get("/{slug}/{code}/evidence/{number}")
async def evidence(request: Request, work: Office, slug: str, code: str, number: int) -> Response:
    """The bytes of a file that the department has kept."""
    parameters(request, ())
    return handed_out(await service.open_evidence(work, slug, code, number), code, number)


def _way(way: OnItsWay, today: date) -> WayTold:
    progress = way.progress
    return WayTold(
        slug=way.slug, name=way.name, state=way.state, settled=progress.settled, total=progress.total,
        stage=stage_of(way), next_due=progress.next_due, milestones=_milestones(progress),
        late=[_point(item, today) for item in way.late],
    )  # fmt: skip


def _milestones(progress: Progress) -> Mapping[str, MilestoneTold]:
    return {
        code: MilestoneTold(done, total, progress.late.get(code, 0))
        for code, (done, total) in progress.milestones.items()
    }


def _point(item: Item, today: date) -> PointTold:
    point = item.point
    return PointTold(
        code=point.code, milestone=point.group, vi=point.vi, en=point.en, basis=point.basis, by=point.by,
        state=item.state, owner=item.owner, due=item.due, late=item.overdue(today), note=item.note,
        evidence=[_file(each) for each in item.evidence],
        changed_at=item.changed_at, changed_by=item.changed_by,
    )  # fmt: skip


def _file(file: Mapping[str, Any]) -> FileTold:
    of = DEPARTMENT if is_offices(file) else HOSPITAL
    return FileTold(file["title"], file["type"], file["size"], file["by"], of)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Invalid("golive-due", "due is a day in ISO 8601, such as 2026-12-31.", location="due") from error
