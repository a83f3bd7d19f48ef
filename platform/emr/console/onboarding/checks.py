"""What stands in the way of a new hospital, field by field: taken names, cells, logins. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from emr.db.cells import login_urls
from emr.kernel.errors import Invalid, Issue
from emr.kernel.tenant import DEDICATED
from emr.settings import Database
from emr.tenancy.claims import Stands, claims, owners_of
from emr.tenancy.definition import HospitalFile

_RULES: Final = {
    "slug-taken": "There is a hospital {value} already.",
    "slug-asked": "The hospital {value} is asked for already, and waits or is under way.",
    "claim-taken": "{value} is already that of {owner}.",
    "claim-asked": "{value} is already asked for by {owner}, which is on its way.",
    "cell-unknown": "There is no cell {value} here; there is {owner}.",
    "cell-full": "The cell {value} has {owner} hospitals, and takes no more.",
    "dedicated-login-missing": "{value} is of the dedicated tier and has no login in the cell {owner} yet.",
    "managed-by": "A hospital that is made here has a file: managed_by is file.",
    "first-state": "A hospital that is made here begins on trial.",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule that a field breaks. code: of `_RULES`. owner: who or what stands in the way."""

    code: str
    field: str
    value: str = ""
    owner: str = ""

    @property
    def issue(self) -> Issue:
        """The same in English."""
        return Issue(self.code, _RULES[self.code].format(value=self.value, owner=self.owner), self.field)


class Taken(Invalid):
    """A hospital cannot come about as it is said."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        issues = tuple(each.issue for each in faults)
        super().__init__("hospital-taken", issues[0].message, location=issues[0].location, issues=issues)


@dataclass(frozen=True, slots=True)
class Place:
    """The world around a new hospital: those that stand, those that are asked for (definitions by slug), the cells."""

    world: Mapping[str, Stands]
    asked: Mapping[str, Mapping[str, Any]]
    database: Database


def faults_of(said: Mapping[str, Any], place: Place) -> list[Fault]:
    """What stands in the way of a definition in the form of a file's, even of one that breaks rules of its own."""
    return [*_of_slug(said["slug"], place), *_of_claims(said, place), *_of_cell(said, place)]


def demand_possible(hospital: HospitalFile, place: Place) -> None:
    """Raise `Taken` with everything that stands in the way."""
    faults = faults_of(hospital.as_json(), place)
    if hospital.managed_by != "file":
        faults.append(Fault("managed-by", "managed_by"))
    if hospital.go_live.state != "trial":
        faults.append(Fault("first-state", "go_live.state"))
    if faults:
        raise Taken(faults)


def _of_slug(slug: str, place: Place) -> Iterator[Fault]:
    if slug in place.world:
        yield Fault("slug-taken", "slug", slug)
    elif slug in place.asked:
        yield Fault("slug-asked", "slug", slug)


def _of_claims(said: Mapping[str, Any], place: Place) -> Iterator[Fault]:
    owners = owners_of(place.world)
    asked = {(kind, value): slug for slug, each in place.asked.items() for kind, value, _ in claims(each)}
    for kind, value, field in claims(said):
        if owner := owners.get((kind, value)):
            yield Fault("claim-taken", field, value, owner)
        elif owner := asked.get((kind, value)):
            yield Fault("claim-asked", field, value, owner)


def _of_cell(said: Mapping[str, Any], place: Place) -> Iterator[Fault]:
    cells, most = login_urls(place.database), place.database.cell_hospitals
    slug, cell = said["slug"], said["cell"]
    if cell not in cells:
        yield Fault("cell-unknown", "cell", cell, ", ".join(sorted(cells)))
        return
    there = sum(each.definition["cell"] == cell for each in place.world.values())
    if there >= most:
        yield Fault("cell-full", "cell", cell, str(most))
    if said["tier"] == DEDICATED and f"{slug}@{cell}" not in place.database.dedicated:
        yield Fault("dedicated-login-missing", "tier", slug, cell)
