"""Maps between code systems (FHIR R4, conceptmap-operation-translate.html; conceptmap.html#unmapped)."""

from typing import Any

import pytest

from emr.kernel.errors import Refusal
from emr.records.create import create_resource
from emr.records.terminology.translate import Match, Towards, translate, translated
from emr.records.terminology.verdict import Coded
from emr.records.terminology.which import Which
from emr.work.runtime import Runtime
from emr.work.unit import unit_of_work
from tests.fhir.samples import mark
from tests.house import HOA_SEN, House
from tests.records.terminology.samples import concept_map

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
SOURCE, TARGET = "urn:test:source", "urn:test:target"


def group(*elements: Json, **more: Any) -> Json:
    return {"source": SOURCE, "target": TARGET, "element": list(elements) or [{"code": "nothing"}]} | more


def element(code: str, *targets: Json) -> Json:
    return {"code": code, "target": list(targets)}


def target(code: str, equivalence: str = "equivalent", **more: Any) -> Json:
    return {"code": code, "equivalence": equivalence} | more


async def matches(house: tuple[House, Runtime], *maps: Json, code: str, **towards: Any) -> list[Match]:
    """Through the first of the maps; the others are stored for it to send on to."""
    standing, parts = house
    system = TARGET if towards.get("reverse") else SOURCE
    async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
        for each in maps[1:]:
            await create_resource(work, each)
        return await translate(work, Which(resource=maps[0]), [Coded(code, system)], Towards(**towards))


def seen(found: list[Match]) -> list[tuple[str, str | None]]:
    return [(each.equivalence, each.concept["code"] if each.concept else None) for each in found]


@pytest.fixture
def house(standing: House, parts: Runtime) -> tuple[House, Runtime]:
    return standing, parts


class TestTranslate:
    async def test_every_target_of_the_code_and_of_no_other(self, house: tuple[House, Runtime]) -> None:
        given = concept_map(
            "x", group=[group(element("a", target("1"), target("2", "wider")), element("b", target("3")))]
        )
        assert seen(await matches(house, given, code="a")) == [("equivalent", "1"), ("wider", "2")]
        assert seen(await matches(house, given, code="A")) == []

    async def test_unmatched_and_disjoint_are_no_translations(self, house: tuple[House, Runtime]) -> None:
        given = concept_map(
            "x",
            group=[
                group(element("a", {"equivalence": "unmatched", "comment": "-"}), element("b", target("1", "disjoint")))
            ],
        )
        for code in ("a", "b"):
            found = await matches(house, given, code=code)
            assert len(found) == 1
            assert not translated(found)

    async def test_what_depends_on_something_else_needs_it(self, house: tuple[House, Runtime]) -> None:
        sex = [{"property": "urn:sex", "value": "female"}]
        side = [{"property": "urn:side", "system": "urn:sides", "value": "left"}]
        given = concept_map("x", group=[group(element("a", target("1", dependsOn=sex, product=side)))])
        assert await matches(house, given, code="a") == []
        assert await matches(house, given, code="a", dependencies={"urn:sex": "male"}) == []
        found = await matches(house, given, code="a", dependencies={"urn:sex": "female"})
        assert found[0].products == [("urn:side", {"system": "urn:sides", "code": "left"})]
        back = await matches(house, given, code="1", reverse=True, dependencies={"urn:side": "left"})
        assert seen(back) == [("equivalent", "a")]
        assert back[0].products == [("urn:sex", {"code": "female"})]

    @pytest.mark.parametrize(
        ("unmapped", "found"),
        [
            ({"mode": "provided"}, [("equal", "z")]),
            ({"mode": "fixed", "code": "other", "display": "Khác"}, [("inexact", "other")]),
        ],
    )
    async def test_a_code_that_the_group_does_not_have(
        self, house: tuple[House, Runtime], unmapped: Json, found: Any
    ) -> None:
        given = concept_map(
            "x",
            group=[
                group(
                    element("a", target("1")),
                    element("n", {"equivalence": "unmatched", "comment": "-"}),
                    unmapped=unmapped,
                )
            ],
        )
        assert seen(await matches(house, given, code="z")) == found
        assert seen(await matches(house, given, code="a")) == [("equivalent", "1")]
        assert seen(await matches(house, given, code="n")) == [("unmatched", None)]
        assert seen(await matches(house, given, code="z", reverse=True)) == []

    async def test_it_may_send_on_to_another_map(self, house: tuple[House, Runtime]) -> None:
        one = mark()
        onward = concept_map(one, group=[group(element("z", target("26")))])
        given = concept_map(
            "x", group=[group(element("a", target("1")), unmapped={"mode": "other-map", "url": onward["url"]})]
        )
        found = await matches(house, given, onward, code="z")
        assert [(each.equivalence, each.source) for each in found] == [("equivalent", onward["url"])]

    async def test_maps_that_send_on_in_a_circle_end(self, house: tuple[House, Runtime]) -> None:
        one, two = mark(), mark()
        urls = [f"urn:test:cm:{each}" for each in (one, two)]
        first = concept_map(one, group=[group(unmapped={"mode": "other-map", "url": urls[1]})])
        second = concept_map(two, group=[group(unmapped={"mode": "other-map", "url": urls[0]})])
        assert await matches(house, first, second, code="z") == []

    async def test_a_map_that_is_not_known_is_not_passed_over(self, house: tuple[House, Runtime]) -> None:
        given = concept_map("x", group=[group(unmapped={"mode": "other-map", "url": "urn:test:nowhere"})])
        with pytest.raises(Refusal) as refusal:
            await matches(house, given, code="z")
        assert refusal.value.code == "concept-map-unknown"

    async def test_towards_one_system_of_several(self, house: tuple[House, Runtime]) -> None:
        given = concept_map(
            "x", group=[group(element("a", target("1"))), group(element("a", target("2")), target="urn:test:second")]
        )
        assert seen(await matches(house, given, code="a", target_system="urn:test:second")) == [("equivalent", "2")]
        assert len(await matches(house, given, code="a")) == 2

    async def test_the_hospitals_maps_by_the_systems_that_they_are_between(self, house: tuple[House, Runtime]) -> None:
        standing, parts = house
        one = mark()
        named = {"source": f"urn:s:{one}", "target": f"urn:t:{one}"}
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal("reception")) as work:
            towards = Towards(target_system=f"urn:t:{one}")
            assert await translate(work, Which(), [Coded("a", f"urn:s:{one}")], towards) == []
        async with unit_of_work(parts, standing.tenants[HOA_SEN], standing.principal()) as work:
            for version, code in (("1", "old"), ("2", "new")):
                await create_resource(
                    work, concept_map(one, version=version, group=[group(element("a", target(code)), **named)])
                )
            found = await translate(work, Which(), [Coded("a", f"urn:s:{one}")], towards)
            back = Towards(target_system=f"urn:s:{one}", reverse=True)
            reverse = await translate(work, Which(), [Coded("new", f"urn:t:{one}")], back)
        assert seen(found) == [("equivalent", "new")]
        assert seen(reverse) == [("equivalent", "a")]
