"""The registry: what a process knows of the hospitals."""

from collections.abc import Callable

import pytest

from emr.kernel.errors import NotFound
from emr.tenancy.registry import REFRESH_SECONDS, read_tenants
from emr.work.runtime import Runtime
from tests.fhir.samples import mark
from tests.house import CAU_VONG, HOA_SEN, House
from tests.patience import comes_true_meanwhile

pytestmark = pytest.mark.anyio


class TestRegistry:
    async def test_knows_a_hospital_by_each_of_its_names(self, standing: House, parts: Runtime) -> None:
        known = parts.registry
        await known.refresh()
        async with parts.databases.directory.connection() as connection:
            tenant = next(each for each in await read_tenants(connection) if each.slug == HOA_SEN)
        assert tenant.schema == standing.tenants[HOA_SEN].schema
        assert known.by_slug(HOA_SEN) == known.by_schema(tenant.schema) == known.by_id(tenant.id) == tenant
        assert known.by_ae_title("HOASEN") == tenant
        assert [each.slug for each in known.all()] == sorted(each.slug for each in known.all())

    @pytest.mark.parametrize("name", ["", "HOA-SEN", "hoa-sen ", "hoa-sen\0", "public", "nowhere"])
    async def test_nobody_is_the_default(self, parts: Runtime, name: str) -> None:
        for find in (
            parts.registry.by_slug,
            parts.registry.by_schema,
            parts.registry.by_id,
            parts.registry.by_ae_title,
        ):
            with pytest.raises(NotFound):
                find(name)

    async def test_learns_of_a_new_one_and_of_a_change_within_two_seconds(
        self, standing: House, parts: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It looks each second, and no third time for what was there before: counted, since a busy machine's seconds
        are long.
        """
        looks, look = [0], parts.registry.refresh

        async def counted() -> None:
            looks[0] += 1
            await look()

        async def learned(fact: Callable[[], bool]) -> None:
            before = looks[0]
            assert await comes_true_meanwhile(fact)
            assert looks[0] - before <= 2

        monkeypatch.setattr(parts.registry, "refresh", counted)
        assert REFRESH_SECONDS <= 1
        slug = f"new-{mark()[:8]}"
        standing.new_hospital(slug)
        await learned(lambda: any(each.slug == slug for each in parts.registry.all()))
        standing.sql("UPDATE directory.tenants SET state = 'suspended' WHERE slug = %s", slug)
        await learned(lambda: not parts.registry.by_slug(slug).open)

    async def test_reads_again_only_what_has_changed(self, standing: House, parts: Runtime) -> None:
        slug = f"alone-{mark()[:8]}"
        standing.new_hospital(slug)
        await parts.registry.refresh()
        before = {each.slug: each for each in parts.registry.all()}
        await parts.registry.refresh()
        assert all(each is before[each.slug] for each in parts.registry.all())
        standing.sql("UPDATE directory.tenants SET state_reason = 'x' WHERE slug = %s", slug)
        await parts.registry.refresh()
        assert {each.slug for each in parts.registry.all() if each is not before[each.slug]} == {slug}
        assert parts.registry.by_slug(slug).state_reason == "x"

    async def test_two_hospitals_share_nothing_that_names_or_keys_them(self, standing: House) -> None:
        first, second = standing.tenants[HOA_SEN], standing.tenants[CAU_VONG]
        for name in ("id", "schema", "index_key", "organization_id", "ae_title", "facility_code"):
            assert getattr(first, name) != getattr(second, name)
        assert HOA_SEN not in first.schema
        assert repr(first.index_key) not in repr(first)
