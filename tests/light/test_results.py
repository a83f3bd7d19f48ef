"""Results are signed, and believed only as long as not a letter of them has changed."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

import pytest

from emr.audit.signing import Signer, holds
from emr.db.pools import databases
from emr.kernel.tenant import Access, Tenant, Window
from emr.light.nightly import build_id, due
from emr.light.pages import light_view
from emr.light.results import Findings, Red, Result, Results, signer_of
from tests.fhir.samples import mark
from tests.house import House

R = TypeVar("R")
BEGAN = datetime(2026, 11, 21, 19, 0, tzinfo=UTC)
SPAN = (BEGAN, BEGAN + timedelta(minutes=3))
RED = Red("GET /h/{slug}/fhir/{type}/{id}", "stranger", "not-shut")


@pytest.fixture
def tenant(standing: House) -> Tenant:
    return standing.new_hospital(f"light-{mark()[:8]}")


def signer(standing: House) -> Signer:
    return signer_of(base64.b64decode(standing.settings.keys.signing.get_secret_value()))


def with_results(standing: House, action: Callable[[Results], Awaitable[R]]) -> R:
    async def run() -> R:
        pools = databases(standing.settings.database)
        await pools.directory.open()
        try:
            return await action(Results(pools.directory, signer(standing)))
        finally:
            await pools.directory.close()

    return asyncio.run(run())


def kept(standing: House, tenant: Tenant, *red: Red) -> Result:
    findings = Findings({"nobody": 7, "stranger": 9}, list(red))
    return with_results(standing, lambda results: results.add(tenant, findings, SPAN, "abc"))


def newest(standing: House, tenant: Tenant) -> Result:
    return with_results(standing, lambda results: results.newest(tenant))[0]


class TestAdd:
    def test_what_is_kept_is_read_again(self, standing: House, tenant: Tenant) -> None:
        first = kept(standing, tenant)
        second = kept(standing, tenant, RED)
        assert (first.number, first.green, second.number, second.green) == (1, True, 2, False)
        assert newest(standing, tenant) == second
        assert second.red == (RED,)

    def test_of_many_findings_all_are_counted_and_the_first_are_kept(self, standing: House, tenant: Tenant) -> None:
        found = kept(standing, tenant, *[RED] * 500)
        assert (found.red_count, len(found.red), found.green) == (500, 200, False)


class TestOfEach:
    def test_every_hospital_with_its_last_result_or_none(self, standing: House, tenant: Tenant) -> None:
        never = with_results(standing, lambda results: results.of_each())[tenant.id]
        assert (never.last, never.since) == (None, never.made_at)
        kept(standing, tenant)
        last = kept(standing, tenant, RED)
        found = with_results(standing, lambda results: results.of_each())
        assert (found[tenant.id].last, found[tenant.id].since) == (last, last.ended_at)
        assert {each.id for each in standing.tenants.values()} <= set(found)


class TestGenuine:
    @pytest.mark.parametrize(
        "change",
        [
            "result = replace(result, '\"red_count\":1', '\"red_count\":0')",
            "signature = decode(repeat('00', 64), 'hex')",
            "number = 7",
        ],
    )
    def test_one_that_was_changed_is_not_believed(self, standing: House, tenant: Tenant, change: str) -> None:
        kept(standing, tenant, RED)
        standing.sql(f"UPDATE directory.border_checks SET {change} WHERE tenant_id = %s", tenant.id)
        found = newest(standing, tenant)
        assert (found.genuine, found.green) == (False, False)

    def test_one_that_was_taken_from_another_hospital_is_not_believed(self, standing: House, tenant: Tenant) -> None:
        kept(standing, tenant)
        other = standing.new_hospital(f"{tenant.slug}-b")
        standing.sql("UPDATE directory.border_checks SET tenant_id = %s WHERE tenant_id = %s", other.id, tenant.id)
        assert not newest(standing, other).genuine

    def test_another_platforms_signature_is_not_believed(self, standing: House) -> None:
        forged = signer_of(b"another key of 32 bytes or more..").sign(b"x")
        assert not holds(signer(standing).public, b"x", forged)

    def test_the_service_itself_can_neither_change_nor_remove_one(self, standing: House, tenant: Tenant) -> None:
        kept(standing, tenant)
        for statement in ("UPDATE directory.border_checks SET number = 9", "DELETE FROM directory.border_checks"):
            with pytest.raises(Exception, match="permission denied"):
                standing.sql(f"SET ROLE emr_directory; {statement}", role="emr_app")


class TestDue:
    @pytest.fixture
    def last(self, standing: House, tenant: Tenant) -> Result:
        return with_results(standing, lambda results: results.add(tenant, Findings(), SPAN, build_id()))

    def test_one_that_was_never_tried_is(self, tenant: Tenant) -> None:
        assert due(tenant, None, BEGAN, 2)

    def test_one_that_another_build_tried_is(self, standing: House, tenant: Tenant) -> None:
        assert due(tenant, kept(standing, tenant), SPAN[1], 2)

    @pytest.mark.parametrize(
        ("later", "is_due"), [(timedelta(minutes=1), False), (timedelta(hours=12), False), (timedelta(days=1), True)]
    )
    def test_the_same_build_tries_again_in_the_next_night(
        self, tenant: Tenant, last: Result, later: timedelta, *, is_due: bool
    ) -> None:
        assert due(tenant, last, SPAN[1] + later, 2) is is_due

    def test_who_has_hours_is_tried_within_them_by_day_or_night(self, tenant: Tenant, last: Result) -> None:
        day = Window(frozenset({"doctor"}), frozenset(range(7)), 6 * 60, 18 * 60)
        kept_out = replace(tenant, access=Access(windows=(day,)))
        tomorrow = SPAN[1] + timedelta(days=1)
        assert not due(kept_out, None, BEGAN, 2)
        assert not due(kept_out, last, tomorrow, 2)
        assert due(kept_out, last, tomorrow + timedelta(hours=8), 2)
        assert not due(tenant, last, tomorrow + timedelta(hours=8), 2)


class TestView:
    ZONE = ZoneInfo("Asia/Ho_Chi_Minh")

    def test_never(self) -> None:
        assert light_view((), BEGAN, self.ZONE, "k").state == "never"

    def test_green_red_and_old(self, standing: House, tenant: Tenant) -> None:
        green = kept(standing, tenant)
        assert light_view([green], SPAN[1], self.ZONE, "k").state == "green"
        assert light_view([green], SPAN[1] + timedelta(days=2), self.ZONE, "k").state == "old"
        red = light_view([kept(standing, tenant, RED), green], SPAN[1], self.ZONE, "k")
        assert (red.state, red.tries, [row.red for row in red.rows]) == ("red", 16, [0, 1])
        assert [each.door for each in red.wrong] == [RED.door]
