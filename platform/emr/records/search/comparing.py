"""How stored ranges, moments and numbers stand to what is asked for, by FHIR's prefixes."""

from typing import Any

from sqlalchemy import ColumnElement, and_, or_

from emr.records.search.question import Prefix

Element = ColumnElement[Any]
Fits = ColumnElement[bool]


def period(prefix: Prefix, held: tuple[Element, Element], given: tuple[Element, Element]) -> Fits:
    """How a stored range of moments stands to the range asked for (FHIR R4, search.html#prefix)."""
    (low, high), (start, end) = held, given
    inside = and_(low >= start, low < end, high <= end)
    fits: dict[str, Fits] = {
        "eq": inside,
        "ne": or_(low < start, high > end),
        "gt": high > end,
        "lt": low < start,
        # What follows from the rest stands first for the index.
        "ge": and_(high > start, or_(high > end, inside)),
        "le": and_(low < end, or_(low < start, inside)),
        "sa": low >= end,
        "eb": high <= start,
        "ap": and_(low < end, high > start),
    }
    return fits[prefix]


def moment(prefix: Prefix, at: Element, given: tuple[Element, Element]) -> Fits:
    """The same for a single moment."""
    start, end = given
    fits: dict[str, Fits] = {
        "eq": and_(at >= start, at < end),
        "ap": and_(at >= start, at < end),
        "ne": or_(at < start, at >= end),
        "gt": at >= end,
        "sa": at >= end,
        "lt": at < start,
        "eb": at < start,
        "ge": at >= start,
        "le": at < end,
    }
    return fits[prefix]


def amount(prefix: Prefix, held: tuple[Element, Element], given: tuple[Element, Element, Element]) -> Fits:
    """The same for numbers: stored ends belong to the range; the precision of what is asked counts for `eq ne ap`."""
    (low, high), (exact, start, end) = held, given
    fits: dict[str, Fits] = {
        "eq": and_(low >= start, low < end, high >= start, high <= end),
        "ne": or_(low < start, low >= end, high > end),
        "gt": high > exact,
        "lt": low < exact,
        "ge": and_(high >= exact, or_(high > exact, low == exact)),
        "le": and_(low <= exact, or_(low < exact, high == exact)),
        "sa": low > exact,
        "eb": high < exact,
        "ap": and_(low <= end, high >= start),
    }
    return fits[prefix]
