"""STOW-RS: store instances (PS3.18 section 10.5). Parts are spooled to disk as they arrive and read one by one."""

import json
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from emr.access.permissions import demand
from emr.dicomweb.accept import JSON, choose
from emr.dicomweb.model import StoredItem, store_model
from emr.dicomweb.multipart import DICOM, Limits, Part, receive
from emr.dicomweb.places import base_of, checked_uids
from emr.imaging.actions.store import Outcome, store_instances
from emr.imaging.errors import NotDicom, StudyElsewhere
from emr.imaging.facts import Facts
from emr.imaging.outcomes import failure_reason
from emr.imaging.parsed import Arrival
from emr.imaging.reader import Reader
from emr.kernel.errors import Refusal
from emr.web.sign_in import runtime_of
from emr.web.work import Work, asked, hospital_of, principal_in
from emr.work.unit import UnitOfWork, refused

router = APIRouter()

_MIB = 1024 * 1024
_CONFLICT = 409
_ACCEPTED = 202
_NEARLY_FULL = '299 emr "The hospital has used more than 80 % of its storage."'


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came with one request, read but not yet kept: by place in the request an arrival or why there is none."""

    arrivals: dict[int, Arrival]
    refusals: dict[int, Refusal]


async def _delivered(request: Request) -> AsyncIterator[Delivery]:
    """Take the body in before any transaction begins: a slow sender must not hold a database connection."""
    tenant = await hospital_of(request)
    principal = await principal_in(request, tenant)
    runtime = runtime_of(request)
    choose(request.headers.get("accept"), {JSON: JSON, "application/json": JSON})
    dicom = runtime.settings.dicom
    limits = Limits(part=dicom.instance_limit_mib * _MIB, whole=dicom.request_limit_mib * _MIB)
    with tempfile.TemporaryDirectory(prefix="stow-", dir=dicom.spool) as folder:
        try:
            demand(principal, "imaging:store")
            if study := request.path_params.get("study"):
                checked_uids(study)
            parts = await receive(request.stream(), request.headers.get("content-type", ""), Path(folder), limits)
        except Refusal as refusal:
            row = refused(work_of=(tenant, principal, asked(request, tenant)), refusal=refusal, at=runtime.clock())
            await runtime.audit.record(tenant.cell, [row])
            raise
        yield await _read(request.app.state.reader, parts, study)


Delivered = Annotated[Delivery, Depends(_delivered, scope="function")]


@router.post("/studies")
async def store(delivery: Delivered, work: Work) -> Response:
    return await _store(delivery, work, None)


@router.post("/studies/{study}")
async def store_into_study(delivery: Delivered, work: Work, study: str) -> Response:
    """Instances of other studies are refused."""
    return await _store(delivery, work, study)


async def _read(reader: Reader, parts: Sequence[Part], study: str | None) -> Delivery:
    delivery = Delivery({}, {})
    for number, part in enumerate(parts):
        try:
            delivery.arrivals[number] = await _arrival(reader, part, study)
        except Refusal as refusal:
            delivery.refusals[number] = refusal
    return delivery


async def _store(delivery: Delivery, work: UnitOfWork, study: str | None) -> Response:
    """What cannot be read or may not be kept leaves a refusal in the audit; the rest is kept."""
    items = {number: StoredItem(reason=failure_reason(refusal)) for number, refusal in delivery.refusals.items()}
    outcomes = await store_instances(work, list(delivery.arrivals.values())) if delivery.arrivals else []
    items |= {number: _item(outcome) for number, outcome in zip(delivery.arrivals, outcomes, strict=True)}
    refusals = [*delivery.refusals.values(), *(outcome.refusal for outcome in outcomes if outcome.refusal)]
    of = (work.tenant, work.principal, work.request)
    rows = [refused(work_of=of, refusal=refusal, at=work.clock()) for refusal in refusals]
    await work.runtime.audit.record(work.tenant.cell, rows)
    model = store_model([items[number] for number in sorted(items)], base_of(work), study)
    status = 200 if not refusals else _CONFLICT if len(refusals) == len(items) else _ACCEPTED
    headers = {"Cache-Control": "no-store"}
    if await work.blobs.level():
        headers["Warning"] = _NEARLY_FULL
    return Response(json.dumps(model).encode(), status, media_type=JSON, headers=headers)


async def _arrival(reader: Reader, part: Part, study: str | None) -> Arrival:
    if part.media_type != DICOM:
        raise NotDicom("stow-part-type", "a part is not application/dicom")
    arrival = await reader.read(part.path)
    if study is not None and arrival.parsed.facts.identity.study != study:
        raise StudyElsewhere("stow-study", "the instance is of another study than the address", location="(0020,000D)")
    return arrival


def _item(outcome: Outcome) -> StoredItem:
    facts: Facts = outcome.facts
    identity = facts.identity
    reason = failure_reason(outcome.refusal) if outcome.refusal else None
    return StoredItem(identity.study, identity.series, identity.instance, identity.sop_class, reason)
