"""Which definition a question is about: one of the hospital's by id, one by canonical URL, or one brought along."""

from dataclasses import dataclass
from typing import Any, Final

from emr.access.permissions import demand_sight
from emr.definitions.terminology.published import Kind
from emr.definitions.validate import demand_valid
from emr.kernel.errors import Malformed, NotFound
from emr.records.current import current, refuse_deleted
from emr.records.terminology.shelf import Held, find, inline, of_row
from emr.work.unit import UnitOfWork

Json = dict[str, Any]

_NAMES: Final[dict[Kind, tuple[str, str]]] = {
    "CodeSystem": ("code system", "code-system-unknown"),
    "ValueSet": ("value set", "value-set-unknown"),
    "ConceptMap": ("concept map", "concept-map-unknown"),
}


@dataclass(frozen=True, slots=True)
class Which:
    """By `id`, by `url` or the `resource` itself; `version` narrows a URL that has none of its own.

    A URL beside an id must be the one of that definition.
    """

    id: str | None = None
    url: str | None = None
    version: str | None = None
    resource: Json | None = None

    @property
    def stated(self) -> bool:
        """Whether it says anything."""
        return (self.id, self.url, self.resource) != (None, None, None)

    @property
    def canonical(self) -> str:
        """The URL with its version."""
        url = self.url or ""
        return f"{url}|{self.version}" if self.version and "|" not in url else url


async def held(work: UnitOfWork, kind: Kind, which: Which) -> Held:
    """The definition. Raises `Malformed` unless just one is named, `NotFound`, `ResourceInvalid` for a bad one."""
    name, code = _NAMES[kind]
    demand_sight(work.principal, kind)
    if which.resource is not None and (which.id, which.url) == (None, None):
        demand_valid(which.resource, expected_type=kind)
        return inline(which.resource)
    if which.resource is not None or not which.stated:
        rule = f"Name one {name}: by its url, by the address, or bring it along."
        raise Malformed("definition-not-one", rule, location="url")
    found = await _by_id(work, kind, which) if which.id is not None else await _by_url(work, kind, which)
    if found is None:
        raise NotFound(code, f"The {name} {which.canonical[:256]} is not known here.", location="url")
    if found.own:
        work.trail.read(kind, found.resource["id"], int(found.resource["meta"]["versionId"]))
    return found


async def _by_url(work: UnitOfWork, kind: Kind, which: Which) -> Held | None:
    return (await find(work, kind, [which.canonical]))[which.canonical]


async def _by_id(work: UnitOfWork, kind: Kind, which: Which) -> Held:
    assert which.id is not None
    found = await of_row(work, refuse_deleted(await current(work, kind, which.id)))
    url, _, version = which.canonical.partition("|")
    stated = found.resource.get("url"), found.resource.get("version")
    if (url and url != stated[0]) or (version and version != stated[1]):
        raise Malformed("definition-differs", f"This {_NAMES[kind][0]} is not the one that is named.", location="url")
    return found
