"""Each guard is broken on purpose, one at a time, and the light turns red: a green one would prove nothing otherwise."""

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from emr.app import ROUTERS
from emr.border.doors import Door, routes
from emr.border.secrets import marks_of
from emr.db.pools import Cell
from emr.identity.principal import Principal, kind_of
from emr.identity.service import Identity, Resolved
from emr.records import read as reading
from emr.tenancy.registry import Registry
from tests.border.conftest import Check
from tests.house import CAU_VONG, HOA_SEN, House

Break = Callable[[pytest.MonkeyPatch, House], None]


def nearest(*parts: str) -> list[Door]:
    """The doors whose path ends so, to keep each check short."""
    return [door for door in routes(ROUTERS) if any(re.search(part + "$", door.path) for part in parts)]


def membership(patch: pytest.MonkeyPatch, live: House) -> None:
    """Whoever is signed in is a doctor everywhere."""
    whole = Identity.resolve

    async def resolve(self: Identity, credentials: Any, tenant: Any) -> Resolved:
        try:
            return await whole(self, credentials, tenant)
        except Exception:  # noqa: BLE001 - the guard that is broken here is the refusal itself
            return Resolved(Principal("x", "x", "doctor", kind_of("doctor"), tenant.id))

    patch.setattr(Identity, "resolve", resolve)


def path(patch: pytest.MonkeyPatch, live: House) -> None:
    """The hospital of the path is not the one that is opened: everybody is in the same."""
    with live.client("doctor", CAU_VONG) as doctor:
        # Its data key would not open in another's place; it is open already.
        assert doctor.get("/Patient?_count=1").status_code == 200
    whole, tenant = Registry.by_slug, live.tenants[HOA_SEN]

    def by_slug(self: Registry, slug: str) -> Any:
        found = whole(self, slug)
        return replace(found, schema=tenant.schema, index_key=tenant.index_key) if slug == CAU_VONG else found

    patch.setattr(Registry, "by_slug", by_slug)


def search_path(patch: pytest.MonkeyPatch, live: House) -> None:
    """Role and search path of another hospital, as a pool that mixes them up would give."""
    whole, mixed = Cell.hospital, {live.tenants[CAU_VONG].schema: live.tenants[HOA_SEN].schema}

    def hospital(self: Cell, schema: str, *args: Any, **kwargs: Any) -> Any:
        return whole(self, mixed.get(schema, schema), *args, **kwargs)

    patch.setattr(Cell, "hospital", hospital)


def told_why(patch: pytest.MonkeyPatch, live: House) -> None:
    """What is another hospital's is refused in words of its own."""
    whole = reading.current
    key = base64.b64decode(live.settings.keys.signing.get_secret_value())
    planted = marks_of(key, live.tenants[HOA_SEN].schema).ids["patient"]

    async def current(work: Any, resource_type: str, resource_id: str) -> Any:
        if resource_id == planted and work.tenant.slug == CAU_VONG:
            raise reading.ResourceNotFound("Secret", resource_id)
        return await whole(work, resource_type, resource_id)

    patch.setattr(reading, "current", current)


@pytest.mark.parametrize(
    ("broken", "doors", "why"),
    [
        (membership, (r"/fhir/\{type\}/\{id\}", "/patients/{patient}"), {"canary-seen", "not-shut", "not-sent-away"}),
        (path, (r"/fhir/\{type\}/\{id\}",), {"canary-seen"}),
        (search_path, (r"/fhir/\{type\}/\{id\}",), {"canary-seen"}),
        (told_why, (r"/fhir/\{type\}/\{id\}",), {"told-apart"}),
    ],
    ids=["membership", "path", "search-path", "told-why"],
)
def test_a_broken_guard_turns_the_light_red(
    live: House, try_doors: Check, monkeypatch: pytest.MonkeyPatch, broken: Break, doors: tuple[str, ...], why: set[str]
) -> None:
    with monkeypatch.context() as patch:
        broken(patch, live)
        findings = try_doors(nearest(*doors))
    assert findings.red
    assert why <= {each.why for each in findings.red}
