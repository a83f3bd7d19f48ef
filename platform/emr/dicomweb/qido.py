"""QIDO-RS: search for studies, series and instances (PS3.18 section 10.6)."""

import dataclasses
import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request, Response

from emr.dicomweb.accept import JSON, choose
from emr.dicomweb.model import instance_model, series_model, study_model
from emr.dicomweb.places import base_of, checked_uids, tags_of
from emr.dicomweb.query import Query, read_query
from emr.imaging.actions.find import find_instances, find_series, find_studies
from emr.imaging.actions.show import read_metadata
from emr.imaging.matching import MAX_RESULTS, Matching
from emr.web.work import Work
from emr.work.unit import UnitOfWork

router = APIRouter()

Model = dict[str, Any]
_Search = Callable[[UnitOfWork, Query], Awaitable[list[Model]]]


@router.get("/studies")
async def search_studies(request: Request, work: Work) -> Response:
    return await _answer(request, work, "study", _studies)


@router.get("/series")
async def search_series(request: Request, work: Work) -> Response:
    return await _answer(request, work, "series", _series)


@router.get("/instances")
async def search_instances(request: Request, work: Work) -> Response:
    return await _answer(request, work, "instance", _instances)


@router.get("/studies/{study}/series")
async def search_series_of_study(request: Request, work: Work, study: str) -> Response:
    return await _answer(request, work, "series", _series, within=Matching(studies=(study,)))


@router.get("/studies/{study}/instances")
async def search_instances_of_study(request: Request, work: Work, study: str) -> Response:
    return await _answer(request, work, "instance", _instances, within=Matching(studies=(study,)))


@router.get("/studies/{study}/series/{series}/instances")
async def search_instances_of_series(request: Request, work: Work, study: str, series: str) -> Response:
    return await _answer(request, work, "instance", _instances, within=Matching(studies=(study,), series=(series,)))


async def _answer(
    request: Request, work: UnitOfWork, level: str, search: _Search, *, within: Matching | None = None
) -> Response:
    choose(request.headers.get("accept"), {JSON: JSON, "application/json": JSON})
    query = read_query(level, request.query_params.multi_items())
    if within is not None:
        checked_uids(*within.studies, *within.series)
        query = dataclasses.replace(query, matching=_narrowed(query.matching, within))
    models = await search(work, query)
    headers = {"Cache-Control": "no-store"}
    if len(models) == MAX_RESULTS:
        headers["Warning"] = f'299 emr "There may be more than {MAX_RESULTS} results; narrow the search or use offset."'
    return Response(json.dumps(models, ensure_ascii=False).encode(), media_type=JSON, headers=headers)


def _narrowed(matching: Matching, within: Matching) -> Matching:
    """What the path names, and of that what the query names."""
    studies = _both(matching.studies, within.studies)
    return dataclasses.replace(matching, studies=studies, series=_both(matching.series, within.series))


def _both(asked: tuple[str, ...], named: tuple[str, ...]) -> tuple[str, ...]:
    if not asked or not named:
        return asked or named
    return tuple(one for one in asked if one in named) or ("",)


async def _studies(work: UnitOfWork, query: Query) -> list[Model]:
    base = base_of(work)
    return [study_model(found, base) for found in await find_studies(work, query.matching)]


async def _series(work: UnitOfWork, query: Query) -> list[Model]:
    base = base_of(work)
    return [series_model(found, base) for found in await find_series(work, query.matching)]


async def _instances(work: UnitOfWork, query: Query) -> list[Model]:
    base = base_of(work)
    found = await find_instances(work, query.matching)
    models = [instance_model(one, base) for one in found]
    if query.fields and found:
        whole = await read_metadata(work, Matching(instances=tuple(one.instance for one in found)))
        by_uid = {kept.instance: model for kept, model in whole}
        models = [
            _with_fields(model, by_uid[one.instance], query.fields) for one, model in zip(found, models, strict=True)
        ]
    return models


def _with_fields(model: Model, whole: Model, fields: frozenset[str]) -> Model:
    added = whole if "all" in fields else {tag: whole[tag] for tag in tags_of(fields) if tag in whole}
    return dict(sorted((added | model).items()))
