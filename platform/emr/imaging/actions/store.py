"""Keep instances that a device or a client has sent."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from emr.imaging import repository
from emr.imaging.errors import IdentityCollision, PatientMismatch, SeriesElsewhere
from emr.imaging.facts import Facts
from emr.imaging.filing import Draft, draft_study, list_study
from emr.imaging.matching import Matching, name_key
from emr.imaging.parsed import Arrival, Parsed
from emr.kernel.errors import Refusal
from emr.work.unit import UnitOfWork, as_whole
from emr.work.use_case import use_case

MEDIA_TYPE = "application/dicom"
_STEP = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one arrival. refusal: why it was not kept; None when it is kept, now or already before."""

    facts: Facts
    refusal: Refusal | None = None
    already: bool = False


@use_case("imaging:store", "imaging.stored")
async def store_instances(work: UnitOfWork, arrivals: Sequence[Arrival], *, list_now: bool = True) -> list[Outcome]:
    """Keep every arrival that may be kept; the others carry their refusal. In the order of `arrivals`.

    The same instance with the same bytes is kept already; with other bytes it is refused, and so is an instance whose
    study belongs to another Patient ID. list_now: bring the ImagingStudy up to date in this transaction; a device that
    sends 1,000 slices one by one brings it up to date when it has finished, so that no 1,000 versions are made.
    """
    work.tenant.demand_writable()
    outcomes: dict[int, Outcome] = {}
    by_study: dict[str, list[int]] = {}
    for number, arrival in enumerate(arrivals):
        by_study.setdefault(arrival.parsed.facts.identity.study, []).append(number)
    # Images belong to their study also where its patient is hidden from the one who brings them.
    async with as_whole(work) as own:
        for study in sorted(by_study):
            await repository.lock_study(own.db, study)
            keeper = _Keeper(own, await draft_study(own, study, arrivals[by_study[study][0]].parsed.facts))
            for number in by_study[study]:
                outcomes[number] = await keeper.keep(arrivals[number])
            await keeper.finish(list_now=list_now)
    work.trail.note(
        instances=len(arrivals),
        refused=sorted({outcome.refusal.code for outcome in outcomes.values() if outcome.refusal}),
    )
    return [outcomes[number] for number in range(len(arrivals))]


class _Keeper:
    """Keeps the arrivals of one study, whose lock is held."""

    def __init__(self, work: UnitOfWork, draft: Draft) -> None:
        self._work = work
        self._draft = draft
        self._added: dict[str, int] = {}
        self._new_series = False

    async def keep(self, arrival: Arrival) -> Outcome:
        parsed = arrival.parsed
        identity = parsed.facts.identity
        kept = (await repository.digests_of(self._work.db, [identity.instance])).get(identity.instance)
        if kept is not None:
            if kept == bytes.fromhex(parsed.digest):
                return Outcome(parsed.facts, already=True)
            return Outcome(parsed.facts, _collision())
        if refusal := await self._misplaced(parsed.facts):
            return Outcome(parsed.facts, refusal)
        await self._add_series(parsed)
        limit = self._work.runtime.settings.dicom.instance_limit_mib * _STEP
        blob = await self._work.blobs.put(_chunks(arrival.path), media_type=MEDIA_TYPE, limit=limit)
        if not await repository.add_instance(self._work.db, _instance_values(parsed, blob.key)):
            # Another study's transaction took the UID in this moment; its lock is not ours to wait for.
            raise _collision()
        self._added[identity.series] = self._added.get(identity.series, 0) + 1
        return Outcome(parsed.facts)

    async def finish(self, *, list_now: bool) -> None:
        """Count what was added; the trail must know of it even when no resource changed."""
        for series, added in self._added.items():
            await repository.count_instances(self._work.db, series, added, self._work.clock())
        if not self._added:
            return
        self._work.trail.wrote = True
        if self._draft.patient:
            self._work.trail.concerns(self._draft.patient)
        if list_now or self._new_series:
            await list_study(self._work, self._draft.uid)

    async def _misplaced(self, facts: Facts) -> Refusal | None:
        if facts.study.patient_id != self._draft.patient_key:
            return PatientMismatch(
                "dicom-study-patient", "the study is kept for another Patient ID", location="(0010,0020)"
            )
        if await self._elsewhere(facts.identity.series):
            return _series_elsewhere()
        return None

    async def _elsewhere(self, series: str) -> bool:
        if series in self._draft.series:
            return False
        found = await repository.find_series(self._work.db, Matching(series=(series,)))
        return any(row["study_uid"] != self._draft.uid for row in found)

    async def _add_series(self, parsed: Parsed) -> None:
        uid = parsed.facts.identity.series
        if uid in self._draft.series:
            return
        study, series = parsed.facts.study, parsed.facts.series
        values = (
            *(uid, self._draft.uid, self._draft.study_id, self._draft.patient, self._draft.doubt),
            *(series.modality, series.number, study.patient_id, name_key(study.patient_name)),
            study.date.strftime("%Y%m%d") if study.date else "",
            study.time.strftime("%H%M%S") if study.time else "",
            *(study.accession, study.study_id, name_key(study.referrer)),
            json.dumps(parsed.series_attributes, ensure_ascii=False),
            self._work.clock(),
        )
        if not await repository.add_series(self._work.db, values):
            raise _series_elsewhere()
        self._draft.series.add(uid)
        self._new_series = True


def _collision() -> IdentityCollision:
    return IdentityCollision(
        "dicom-uid-collision", "this SOP Instance UID is already kept with other content", location="(0008,0018)"
    )


def _series_elsewhere() -> SeriesElsewhere:
    return SeriesElsewhere("dicom-series-study", "the series is kept in another study", location="(0020,000E)")


def _instance_values(parsed: Parsed, blob: str) -> tuple[object, ...]:
    identity = parsed.facts.identity
    return (
        *(identity.instance, identity.series, identity.sop_class, parsed.facts.number, parsed.syntax),
        parsed.picture.frames if parsed.picture else 0,
        *(bytes.fromhex(parsed.digest), blob, parsed.size),
        json.dumps(parsed.instance_attributes, ensure_ascii=False),
        parsed.metadata,
        json.dumps(parsed.picture.as_json()) if parsed.picture else None,
        json.dumps({f"{bulk.tag:08X}": [bulk.vr, bulk.offset, bulk.length] for bulk in parsed.bulk}),
        parsed.document,
    )


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, _STEP):
            yield chunk
