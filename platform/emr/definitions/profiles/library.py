"""The profiles that one hospital has, compiled when they are first asked for."""

from collections.abc import Iterable
from threading import Lock
from typing import Any, Final

from emr.definitions import model
from emr.definitions.fhirpath.items import Node, root_of
from emr.definitions.findings import Findings, Path
from emr.definitions.profiles.checks import Check, Checks, scratch_of
from emr.definitions.profiles.demands import Demand, Unusable, demands_of
from emr.definitions.profiles.matching import type_named
from emr.definitions.profiles.value_sets import Codes

Json = dict[str, Any]
_LONGEST_CHAIN: Final = 20


class Profile:
    """One profile: what it is about, its demands, and what of them cannot be checked here."""

    def __init__(self, url: str, type_: str, demand: Demand) -> None:
        self.url = url
        self.type = type_
        self.demand = demand
        self.check: Check | None = None
        self.unchecked: tuple[str, ...] = ()


class Library:
    """StructureDefinitions by their canonical URL, with the code lists that they bind to. Never changed once made."""

    def __init__(self, structures: Iterable[Json], codes: Codes | None = None) -> None:
        self._structures: dict[str, Json] = {}
        for each in structures:
            url = each.get("url")
            if type(url) is str and each.get("derivation") == "constraint" and each.get("kind") != "logical":
                self._structures[url] = each
                self._structures[f"{url}|{each.get('version', '')}"] = each
        self._codes = codes or Codes()
        self._profiles: dict[str, Profile | str] = {}
        self._compiling = Lock()

    def __contains__(self, url: str) -> bool:
        return url in self._structures

    def __bool__(self) -> bool:
        return bool(self._structures)

    def urls(self) -> list[str]:
        """All profiles, without their versions."""
        return sorted(url for url in self._structures if "|" not in url)

    def profile(self, url: str) -> Profile | None:
        """The profile of this canonical URL (`url` or `url|version`), or None. Raises `Unusable`."""
        found = self._profiles.get(url)
        if found is None and url in self._structures:
            found = self._profiles[url] = self._made(url)
        if type(found) is str:
            raise Unusable(found)
        return found if isinstance(found, Profile) else None

    def check(self, resource: Json, url: str, found: Findings) -> None:
        """Add all that the resource breaks of a profile that is here. Raises `Unusable`."""
        found.resource = found.root = resource
        profile = self.profile(url)
        assert profile is not None
        path: Path = (None, resource["resourceType"], None)
        if profile.type not in (resource["resourceType"], "Resource", "DomainResource"):
            found.add("profile", f"{url} is about {profile.type}.", path)
            return
        self._checked(profile)(root_of(resource), path, found)
        for each in profile.unchecked:
            found.warn("not-checked", f"{url} asks for what is not checked here: {each}.", path)

    def unchecked(self, url: str) -> tuple[str, ...]:
        """What a profile that is here asks for and cannot be checked. Raises `Unusable`."""
        profile = self.profile(url)
        assert profile is not None
        self._checked(profile)
        return profile.unchecked

    def demand_of(self, url: str) -> Demand | None:
        """The tree of a profile, or None for one that is not here or cannot be used."""
        try:
            profile = self.profile(url)
        except Unusable:
            return None
        return profile.demand if profile else None

    def type_of(self, url: str) -> str | None:
        """The type that a profile, or a definition of R4, is about."""
        if url in self._structures:
            return str(self._structures[url]["type"])
        return type_named(url)

    def keeps(self, url: str, node: Node, found: Findings) -> bool | None:
        """Whether a value keeps a profile; None when there is none of this name."""
        scratch = scratch_of(found)
        answer = self.keeps_at(url, node, (None, node.kind, None), scratch)
        return None if answer is None else not scratch.issues

    def keeps_at(self, url: str, node: Node, path: Path, found: Findings) -> bool | None:
        """The same, adding what is broken where the value stands; None when there is none of this name."""
        if (name := type_named(url)) is not None:
            if node.kind not in (name, "SimpleQuantity") and name not in _bases(node.kind):
                found.add("profile", f"A {name} is expected here.", path)
            return True
        if node.value is None:
            return True
        demand = self.demand_of(url)
        if demand is None:
            return None
        profile = self.profile(url)
        assert profile is not None
        outside = found.resource
        if node.kind in model.resource_types():
            found.resource = node.value
        self._checked(profile)(node, path, found)
        for each in profile.unchecked:
            found.warn("not-checked", f"{url} asks for what is not checked here: {each}.", path)
        found.resource = outside
        return True

    def holds(self, value_set: str, system: str | None, code: str) -> bool | None:
        """Whether a code is in a value set; None when that cannot be told here."""
        return self._codes.holds(value_set, system, code)

    def value_sets(self) -> set[str]:
        """What the profiles bind to with a strength that is checked."""
        found: set[str] = set()
        for url in self.urls():
            demand = self.demand_of(url)
            for each in demand.walk() if demand else ():
                if each.binding and each.binding[0] in ("required", "extensible"):
                    found.add(each.binding[1])
        return found

    def _checked(self, profile: Profile) -> Check:
        if profile.check is None:
            with self._compiling:
                compiler = Checks(profile.url, self)
                check = compiler.whole(profile.demand)
                profile.unchecked = tuple(dict.fromkeys(compiler.unchecked))
                profile.check = check
        return profile.check

    def _made(self, url: str) -> Profile | str:
        try:
            chain = self._chain(url)
            return Profile(url, chain[0]["type"], demands_of(chain))
        except Unusable as reason:
            return f"{url} cannot be used: {reason}."
        except (KeyError, TypeError, ValueError, AttributeError):
            return f"{url} cannot be used: it is not put together as R4 puts profiles together."

    def _chain(self, url: str) -> list[Json]:
        """The profile and what it is derived from, the farthest first. A snapshot without a differential ends it."""
        chain: list[Json] = []
        at = url
        while (structure := self._structures.get(at)) is not None:
            chain.insert(0, structure)
            if len(chain) > _LONGEST_CHAIN:
                raise Unusable(f"more than {_LONGEST_CHAIN} profiles are derived from each other, or in a circle")
            if not structure.get("differential"):
                return chain
            at = structure.get("baseDefinition", "")
        if type_named(at) is None:
            held = chain[0].get("snapshot") if chain else None
            if held is None:
                raise Unusable(f"its base {at[:200]} is not known here")
            chain[0] = {key: value for key, value in chain[0].items() if key != "differential"}
        return chain


def _bases(kind: str) -> list[str]:
    found: list[str] = []
    base = model.types()[kind]["base"] if kind in model.types() else None
    while base:
        found.append(base)
        base = model.types()[base]["base"]
    return found
