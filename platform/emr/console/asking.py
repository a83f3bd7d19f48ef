"""Which hospitals are asked for, and in which order: filters and sorting of the list. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from emr.console.figures import Fleet, Hospital
from emr.console.policy import Sign, signs, weight
from emr.kernel.errors import Issue, Malformed
from emr.kernel.states import STATES
from emr.kernel.text import fold

PAGE: Final = 100
LIGHTS: Final = ("green", "red", "old", "never", "false")
NEEDS: Final = ("any", "bad", "none")
_LONGEST_TEXT: Final = 80


@dataclass(frozen=True, slots=True)
class Line:
    """A hospital and what is wrong with it."""

    hospital: Hospital
    signs: Sequence[Sign]


Key = Callable[[Line], Any]
KEYS: Final[dict[str, Key]] = {
    "need": lambda line: weight(list(line.signs)),
    "name": lambda line: fold(line.hospital.tenant.name),
    "state": lambda line: line.hospital.tenant.state,
    "version": lambda line: line.hospital.tenant.revision,
    "p95": lambda line: line.hospital.requests.p95,
    "errors": lambda line: line.hospital.requests.error_share,
    "sync": lambda line: line.hospital.lag and line.hospital.lag.seconds,
    "storage": lambda line: line.hospital.storage and line.hospital.storage.used,
    "users": lambda line: line.hospital.users.used,
    "seal": lambda line: line.hospital.unsealed,
    "light": lambda line: line.hospital.light.at and line.hospital.light.at.timestamp(),
}
"""What the list can be sorted by; of equals the name decides, and what is not known stands last."""
PARAMETERS: Final = ("q", "state", "cell", "tier", "light", "behind", "need", "sort", "page")


@dataclass(frozen=True, slots=True)
class Asked:
    """Empty: all. text: in name, slug or code. need: of `NEEDS`. sort: of `KEYS`, with `-` before it for downwards."""

    text: str = ""
    state: str = ""
    cell: str = ""
    tier: str = ""
    light: str = ""
    behind: str = ""
    need: str = ""
    sort: str = "-need"
    page: int = 1

    @property
    def filtered(self) -> bool:
        """Whether anything is left out."""
        return any((self.text, self.state, self.cell, self.tier, self.light, self.behind, self.need))


def asked_of(given: Mapping[str, str]) -> Asked:
    """From parameters whose names are known. Raises `Malformed`, naming each whose value is not."""
    sorts = [*KEYS, *(f"-{key}" for key in KEYS)]
    allowed: dict[str, Sequence[str]] = {
        "state": sorted(STATES), "tier": ("shared", "dedicated"), "light": LIGHTS, "behind": ("yes", "no"),
        "need": NEEDS, "sort": sorts,
    }  # fmt: skip
    issues = [
        _refusal(name, f"is one of {', '.join(values)}")
        for name, values in allowed.items()
        if given.get(name) and given[name] not in values
    ]
    page = given.get("page") or "1"
    if not (page.isascii() and page.isdigit() and 1 <= int(page[:6]) <= 99_999):
        issues.append(_refusal("page", "is a number from 1"))
    if len(given.get("q", "")) > _LONGEST_TEXT:
        issues.append(_refusal("q", f"has at most {_LONGEST_TEXT} characters"))
    if issues:
        raise Malformed("parameter-refused", issues[0].message, issues=tuple(issues))
    chosen = {name: given.get(name, "") for name in ("state", "cell", "tier", "light", "behind", "need")}
    return Asked(text=given.get("q", "").strip(), sort=given.get("sort") or "-need", page=int(page), **chosen)


def listed(fleet: Fleet, asked: Asked) -> list[Line]:
    """The hospitals that are asked for, in their order."""
    lines = [Line(each, signs(each, fleet.at)) for each in fleet.hospitals]
    return ordered([line for line in lines if _fits(line, asked)], asked.sort)


def ordered(lines: Sequence[Line], sort: str) -> list[Line]:
    """By a key of `KEYS`."""
    key, down = KEYS[sort.removeprefix("-")], sort.startswith("-")
    by_name = sorted(lines, key=KEYS["name"])
    known = sorted((line for line in by_name if key(line) is not None), key=key, reverse=down)
    return known + [line for line in by_name if key(line) is None]


def _fits(line: Line, asked: Asked) -> bool:
    tenant = line.hospital.tenant
    text = fold(asked.text)
    bad = any(each.grade == "bad" for each in line.signs)
    return (
        (not text or any(text in fold(part) for part in (tenant.name, tenant.slug, tenant.facility_code)))
        and asked.state in ("", tenant.state)
        and asked.cell in ("", tenant.cell)
        and asked.tier in ("", tenant.tier)
        and asked.light in ("", line.hospital.light.state)
        and asked.behind in ("", "no" if line.hospital.served else "yes")
        and {"": True, "any": bool(line.signs), "bad": bad, "none": not line.signs}[asked.need]
    )


def _refusal(name: str, rule: str) -> Issue:
    return Issue("parameter-refused", f"The parameter {name} {rule}.", name)
