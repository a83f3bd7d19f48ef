"""What a hospital asked for in its pages to be brought back, by `emr tenants requests`.

The row is input like any other: that the past is this hospital's, that all of it takes a second person, and that the
rest is a list of names, is looked at again.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from emr.definitions.warm import warm
from emr.fleet.rewind.bringing import Order, Outcome, bring
from emr.fleet.rewind.rows import rewind_of
from emr.kernel.errors import Invalid, NotFound
from emr.records.comparing import Name, Wanted
from emr.work.runtime import Runtime

NAMED: Final = 500
"""So many of what was brought, and of what was refused, are named; all are counted."""
Progress = Callable[[Mapping[str, Any]], None]


async def bring_asked(parts: Runtime, row: Any, told: Progress) -> Mapping[str, Any]:
    """Do it; gives what came of it, for the page. Raises `NotFound`, `Invalid`, and as `bring`."""
    order = _order_of(row)
    if rewind_of(parts.settings, order.rewind).slug != row.slug:
        raise NotFound("past-not-open", "No past of this hospital is open under this id.")
    warm({parts.registry.by_slug(row.slug).time_zone})
    total, done = len(order.shown or ()) or None, 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        told({"step": "bring-back", "done": done, "total": total})

    return _told(await bring(parts, order, advance))


def _order_of(row: Any) -> Order:
    detail, approved_by = row.detail, ""
    try:
        past, reason, everything = str(detail["past"]), str(detail["reason"]), detail["everything"] is True
        shown: dict[Name, int | None] = {(str(each[0]), str(each[1])): each[2] for each in detail["names"]}
    except (KeyError, IndexError, TypeError) as error:
        raise Invalid("request-malformed", "The request does not say what is to be brought back.") from error
    if everything == bool(shown) or everything != row.second:
        raise Invalid("request-malformed", "A request names what it wants; everything takes a second person.")
    if row.second:
        approved_by = _person(row.decided_by_name, row.decided_by)
    wanted = Wanted() if everything else Wanted(names=frozenset(shown))
    by = _person(row.asked_by_name, row.asked_by)
    return Order(past, wanted, by, reason, approved_by, None if everything else shown)


def _person(name: str, subject: str) -> str:
    return f"{name} ({subject})"


def _told(outcome: Outcome) -> Mapping[str, Any]:
    brought = sorted((*name, version) for name, version in outcome.brought.items())
    refused = sorted((*each.name, each.code) for each in outcome.refused)
    return {
        "brought": brought[:NAMED],
        "brought_count": len(brought),
        "by_type": dict(sorted(Counter(each[0] for each in brought).items())),
        "refused": refused[:NAMED],
        "refused_count": len(refused),
        "note": outcome.note,
    }
