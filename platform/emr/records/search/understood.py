"""A search understood by the parameters of R4 and, where these are not enough, by the hospital's own."""

from collections.abc import Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from emr.definitions.own import NONE, Own, OwnUnread, Unread
from emr.records.own_parameters import own_of
from emr.records.search.question import Question
from emr.records.search.reading import Reader
from emr.records.search.understand import Asked, understand
from emr.work.unit import UnitOfWork


async def understood(work: UnitOfWork, asked: Asked, pairs: Sequence[tuple[str, str]]) -> tuple[Question, Own]:
    """The question, and what it was understood by: what to hold `own_parameters.demand_unchanged` against afterwards.

    Raises `SearchRefused`; `Unavailable` for a parameter whose index is being built.
    """
    reader = Reader(ZoneInfo(work.tenant.time_zone), work.clock(), work.request.base_url, Unread())
    try:
        return understand(asked, pairs, reader), NONE
    except OwnUnread:
        own = await own_of(work)
    return understand(asked, pairs, replace(reader, known=own)), own
