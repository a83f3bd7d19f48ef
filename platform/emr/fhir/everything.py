"""`$everything` of a patient, an encounter and of all patients (FHIR R4, patient-operation-everything.html).

The answer is one Bundle unless `_count` asks for pages. It leaves in chunks; the audit row has been committed before
the first one, since finding what is shown and showing it are two units of work.
"""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from emr.definitions.dates import FAR_FUTURE, FAR_PAST, Range, range_of
from emr.definitions.model import resource_types
from emr.fhir.negotiate import MEDIA_TYPE, refuse_other_answers
from emr.fhir.operation import Operation
from emr.fhir.parameters import Input, Inputs, inputs_of
from emr.kernel import json
from emr.kernel.errors import Malformed
from emr.kernel.json import instant
from emr.kernel.paging import open_cursor, seal_cursor
from emr.records.everything import (
    PAGE_MOST,
    Everything,
    Found,
    Place,
    Wanted,
    batches,
    bodies,
    everything_about,
    everything_about_all,
)
from emr.work.unit import UnitOfWork, unit_of_work

_PAGING: Final = (
    Input("_since", "instant"),
    Input("_type", "code", most=None),
    Input("_count", "positiveInt"),
    Input("_cursor", "string"),
)
_OF_PATIENT: Final = (Input("start", "date"), Input("end", "date"), *_PAGING)
_HEADERS: Final = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


async def everything(request: Request, work: UnitOfWork) -> Response:
    """`[base]/Patient/id/$everything`, `[base]/Encounter/id/$everything`, `[base]/Patient/$everything`."""
    refuse_other_answers(request)
    path = request.path_params
    resource_type: str = path["type"]
    resource_id: str | None = path.get("id")
    name = f"{resource_type}/{resource_id}" if resource_id is not None else resource_type
    asking = _Asking(work, name, inputs_of(request, _OF_PATIENT if resource_type == "Patient" else _PAGING))
    wanted = asking.wanted()
    if resource_id is None:
        found = await everything_about_all(work, wanted)
    else:
        found = await everything_about(work, resource_type, resource_id, wanted)
    return await _answer(work, asking, found)


@dataclass(frozen=True, slots=True)
class _Asking:
    """What was asked, when the first page was or now."""

    work: UnitOfWork
    name: str
    given: Inputs

    @property
    def address(self) -> str:
        return f"{self.work.request.base_url}/{self.name}/$everything"

    def wanted(self) -> Wanted:
        asked = self.asked()
        place = asked.get("place")
        return Wanted(
            care=_care(self.work, asked.get("start"), asked.get("end")),
            since=_moment(asked["_since"]) if "_since" in asked else None,
            types=_types(asked.get("_type", ())),
            count=self._count(asked),
            after=Place(*place) if place else Place(),
        )

    def asked(self) -> dict[str, Any]:
        """The inputs by name; those of the first page when this is a later one."""
        sealed = self.given.one("_cursor")
        if sealed is None:
            return {name: list(held) if name == "_type" else held[0] for name, held in self.given.values.items()}
        if len(self.given.values) > 1:
            rule = "A page link already says everything; add nothing to it."
            raise Malformed("cursor-alone", rule, location="_cursor")
        return open_cursor(self.work.runtime.signing_key, self._audience, sealed)

    def self_link(self) -> str:
        asked = {name: held for name, held in self.asked().items() if name != "place"}
        return f"{self.address}?{urlencode(asked, doseq=True)}" if asked else self.address

    def next_link(self, more: Place) -> str:
        state = self.asked() | {"place": [more.rank, more.pk]}
        sealed = seal_cursor(self.work.runtime.signing_key, self._audience, state)
        return f"{self.address}?{urlencode({'_cursor': sealed})}"

    @property
    def _audience(self) -> str:
        return f"everything:{self.work.tenant.schema}:{self.name}"

    def _count(self, asked: dict[str, Any]) -> int | None:
        """One patient's record comes whole unless pages are asked for; that of all patients always in pages."""
        if "_count" in asked:
            return min(int(asked["_count"]), PAGE_MOST)
        return None if "/" in self.name else PAGE_MOST


def _care(work: UnitOfWork, start: str | None, end: str | None) -> Range | None:
    if start is None and end is None:
        return None
    zone = ZoneInfo(work.tenant.time_zone)
    low = range_of(start, zone).low if start else FAR_PAST
    high = range_of(end, zone).high if end else FAR_FUTURE
    if low >= high:
        raise Malformed("care-dates", "start is not after end.", location="start")
    return Range(low, high)


def _moment(text: str) -> datetime:
    return range_of(text, UTC).low


def _types(texts: Sequence[str]) -> frozenset[str] | None:
    """Each may hold several types, parted by commas."""
    names = [name for text in texts for name in text.split(",")]
    for name in names:
        if name not in resource_types():
            raise Malformed("type-unknown", f"{name[:64]} is no resource type of R4.", location="_type")
    return frozenset(names) or None


async def _answer(work: UnitOfWork, asking: _Asking, found: Everything) -> Response:
    """What fits into one batch is answered at once; more is fetched while it is sent."""
    opening = _opening(work, asking, found)
    parts = list(batches(found.found))
    if not parts:
        return Response(opening + b"}", 200, _HEADERS, MEDIA_TYPE)
    base = work.request.base_url
    first = b",".join(_entries(base, parts[0], await bodies(work, parts[0])))
    if len(parts) == 1:
        return Response(b"".join((opening, b',"entry":[', first, b"]}")), 200, _HEADERS, MEDIA_TYPE)
    begun = opening + b',"entry":[' + first
    return StreamingResponse(_streamed(work, begun, parts[1:]), 200, _HEADERS, MEDIA_TYPE)


async def _streamed(work: UnitOfWork, begun: bytes, parts: Sequence[Sequence[Found]]) -> AsyncGenerator[bytes, None]:
    """Each batch is fetched in a transaction that has ended before the batch is sent: a slow line holds nothing."""
    yield begun
    async with aclosing(_fetched(work, parts)) as texts:
        async for text in texts:
            yield text
    yield b"]}"


async def _fetched(work: UnitOfWork, parts: Sequence[Sequence[Found]]) -> AsyncGenerator[bytes, None]:
    base = work.request.base_url
    for part in parts:
        async with unit_of_work(work.runtime, work.tenant, work.principal, work.request) as own:
            texts = await bodies(own, part)
        yield b"".join(b"," + entry for entry in _entries(base, part, texts))


def _opening(work: UnitOfWork, asking: _Asking, found: Everything) -> bytes:
    """The Bundle up to its entries. `meta.lastUpdated` is what a client may give as `_since` next time."""
    links = [{"relation": "self", "url": asking.self_link()}]
    if found.more is not None:
        links.append({"relation": "next", "url": asking.next_link(found.more)})
    head: dict[str, Any] = {
        "resourceType": "Bundle",
        "meta": {"lastUpdated": instant(work.clock())},
        "type": "searchset",
    }
    if found.total is not None:
        head["total"] = found.total
    return json.dumps(head | {"link": links})[:-1]


def _entries(base: str, found: Sequence[Found], texts: Sequence[bytes | None]) -> Iterator[bytes]:
    """Entries around bodies as they are stored. Types and ids have no character that JSON would escape."""
    opening = f'{{"fullUrl":"{base}/'
    for each, text in zip(found, texts, strict=True):
        if text is not None:
            head = f'{opening}{each.type}/{each.id}","resource":'.encode()
            mode = b"include" if each.included else b"match"
            yield b"".join((head, text, b',"search":{"mode":"', mode, b'"}}'))


PATIENT: Final = Operation(
    name="everything",
    definition="http://hl7.org/fhir/OperationDefinition/Patient-everything",
    endpoint=everything,
    levels=frozenset({"type", "instance"}),
    types=frozenset({"Patient"}),
)
ENCOUNTER: Final = Operation(
    name="everything",
    definition="http://hl7.org/fhir/OperationDefinition/Encounter-everything",
    endpoint=everything,
    levels=frozenset({"instance"}),
    types=frozenset({"Encounter"}),
)
