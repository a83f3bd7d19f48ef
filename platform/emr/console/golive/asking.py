"""Which hospitals of the city's table are asked for, and in which order. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from emr.fleet.golive import OnItsWay
from emr.kernel.errors import Issue, Malformed
from emr.kernel.states import STATES
from emr.kernel.text import fold
from emr.tenancy.golive import template

PARAMETERS: Final = ("q", "state", "stage", "late", "sort")
_LONGEST_TEXT: Final = 80
Key = Callable[[OnItsWay], Any]


def stage_of(way: OnItsWay) -> str:
    """The first milestone that is not finished; "" when all are."""
    return next((code for code, (done, total) in way.progress.milestones.items() if done < total), "")


def _share(code: str) -> Key:
    def share(way: OnItsWay) -> float:
        done, total = way.progress.milestones[code]
        return done / total

    return share


KEYS: Final[dict[str, Key]] = {
    "name": lambda way: fold(way.name),
    "state": lambda way: way.state,
    "settled": lambda way: way.progress.settled,
    "late": lambda way: way.progress.overdue,
    "due": lambda way: way.progress.next_due or date.max,
    **{group.code: _share(group.code) for group in template()},
}
"""What the table can be sorted by; of equals the name decides."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Empty: all. stage: code of the milestone that is under way, or `none`. late: yes or no. sort: of `KEYS`, with `-`
    before it for downwards.
    """

    text: str = ""
    state: str = ""
    stage: str = ""
    late: str = ""
    sort: str = "-late"

    @property
    def filtered(self) -> bool:
        """Whether anything is left out."""
        return any((self.text, self.state, self.stage, self.late))


def asked_of(given: Mapping[str, str]) -> Asked:
    """From parameters whose names are known. Raises `Malformed`, naming each whose value is not."""
    allowed: dict[str, Sequence[str]] = {
        "state": sorted(STATES),
        "stage": [*(group.code for group in template()), "none"],
        "late": ("yes", "no"),
        "sort": [*KEYS, *(f"-{key}" for key in KEYS)],
    }
    issues = [
        Issue("parameter-refused", f"The parameter {name} is one of {', '.join(values)}.", name)
        for name, values in allowed.items()
        if given.get(name) and given[name] not in values
    ]
    if len(given.get("q", "")) > _LONGEST_TEXT:
        told = f"The parameter q has at most {_LONGEST_TEXT} characters."
        issues.append(Issue("parameter-refused", told, "q"))
    if issues:
        raise Malformed("parameter-refused", issues[0].message, issues=tuple(issues))
    chosen = {name: given.get(name, "") for name in ("state", "stage", "late")}
    return Asked(text=given.get("q", "").strip(), sort=given.get("sort") or "-late", **chosen)


def listed(ways: Sequence[OnItsWay], asked: Asked) -> list[OnItsWay]:
    """The hospitals that are asked for, in their order."""
    by_name = sorted((way for way in ways if _fits(way, asked)), key=KEYS["name"])
    return sorted(by_name, key=KEYS[asked.sort.removeprefix("-")], reverse=asked.sort.startswith("-"))


def _fits(way: OnItsWay, asked: Asked) -> bool:
    text = fold(asked.text)
    return (
        (not text or text in fold(way.name) or text in way.slug)
        and asked.state in ("", way.state)
        and asked.stage in ("", stage_of(way) or "none")
        and asked.late in ("", "yes" if way.progress.overdue else "no")
    )
