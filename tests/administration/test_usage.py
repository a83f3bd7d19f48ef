"""Quotas of members and storage: told from 80 % on, and then nobody more."""

import time
from dataclasses import replace

import pytest

from emr.administration.errors import TooManyMembers
from emr.administration.service import begin_invitation, list_members, reactivate_member
from emr.administration.usage import usage
from emr.identity.memberships import Membership, Memberships
from emr.kernel.errors import Forbidden
from emr.kernel.tenant import Quotas, Tenant, level_of
from emr.work.runtime import Runtime
from emr.work.unit import unit_of_work
from tests.fhir.samples import mark
from tests.house import CAU_VONG, House


def limited(standing: House, users: int, gib: int = 0) -> Tenant:
    return replace(standing.tenants[CAU_VONG], quotas=Quotas(users=users, storage_gib=gib))


@pytest.mark.parametrize(
    ("used", "most", "level"),
    [
        (10**9, 0, ""),
        (0, 10, ""),
        (7.9, 10, ""),
        (8, 10, "near"),
        (9.9, 10, "near"),
        (10, 10, "full"),
        (11, 10, "full"),
    ],
)
def test_a_quota_is_told_before_it_is_used_up(used: float, most: int, level: str) -> None:
    assert level_of(used, most) == level


@pytest.mark.anyio
class TestUsers:
    async def test_only_an_administrator_sees_it(self, standing: House, parts: Runtime) -> None:
        async def look(role: str) -> None:
            tenant = standing.tenants[CAU_VONG]
            async with unit_of_work(parts, tenant, standing.principal(role, CAU_VONG)) as work:
                await usage(work)

        with pytest.raises(Forbidden):
            await look("doctor")
        await look("admin")

    async def test_nobody_is_invited_or_taken_back_beyond_it(self, standing: House, parts: Runtime) -> None:
        kept, gone = Memberships(parts.databases.directory), f"gone-{mark()[:8]}"
        tenant, admin = standing.tenants[CAU_VONG], standing.principal("admin", CAU_VONG)
        await kept.grant(Membership(tenant.id, gone, "nurse", "Đã nghỉ"), granted_by="test")
        await kept.revoke(tenant.id, gone, revoked_by="test")
        async with unit_of_work(parts, tenant, admin) as work:
            now = sum(each.active for each in await list_members(work))
        async with unit_of_work(parts, limited(standing, now), admin) as work:
            found = await usage(work)
            assert (found.users.used, found.users.level) == (now, "full")
            with pytest.raises(TooManyMembers):
                await begin_invitation(work)
            with pytest.raises(TooManyMembers):
                await reactivate_member(work, gone)
        async with unit_of_work(parts, limited(standing, now + 1), admin) as work:
            assert (await usage(work)).users.level == "near"
            await begin_invitation(work)


class TestPages:
    def test_say_how_much_is_used(self, live: House) -> None:
        with live.client("admin", CAU_VONG) as client:
            page = client.get(f"{live.url}/h/{CAU_VONG}/admin", headers={"Accept": "text/html"}).text
        quotas = standing_quotas(live)
        assert f"/ {quotas['users']}</strong>người dùng theo hạn mức" in page
        assert f"/ {quotas['storage_gib']} GiB</strong>dung lượng lưu tệp" in page
        assert "Đã dùng hết" not in page

    def test_say_that_storage_is_used_up(self, live: House) -> None:
        schema, most = live.tenants[CAU_VONG].schema, standing_quotas(live)["storage_gib"]
        plant = f"INSERT INTO {schema}.blobs (key, digest, size, media_type, key_id, retention_class) VALUES ('full', '\\x00', %s, 'x', 'k', 'record')"
        address = f"{live.url}/h/{CAU_VONG}/admin"
        with live.client("admin", CAU_VONG) as client:
            for size, says in (
                (most << 30, "Đã dùng hết"),
                (int((most << 30) * 0.85), "Hãy báo đơn vị vận hành trước"),
            ):
                live.sql(plant, size)
                deadline = time.monotonic() + 30
                try:
                    while says not in client.get(address, headers={"Accept": "text/html"}).text:
                        assert time.monotonic() < deadline
                finally:
                    live.sql(f"DELETE FROM {schema}.blobs WHERE key = 'full'")


def standing_quotas(live: House) -> dict[str, int]:
    [[quotas]] = live.sql("SELECT definition -> 'quotas' FROM directory.tenants WHERE slug = %s", CAU_VONG)
    return dict(quotas)
