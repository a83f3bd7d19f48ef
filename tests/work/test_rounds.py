"""A round of the hospitals goes on past the one at which something fails."""

import pytest

from emr.kernel.tenant import Tenant
from emr.telemetry import metrics
from emr.work.leases import LeaseLost
from emr.work.rounds import go_round

pytestmark = pytest.mark.anyio


def hospital(slug: str) -> Tenant:
    return Tenant(slug, slug, slug, f"t_{slug:a<12}", "default", "trial", "79999", b"k" * 16)


A, B, C = hospital("a"), hospital("b"), hospital("c")


def failures(slug: str) -> float:
    labels = {"job": "a-round", "hospital": metrics.hospital_label(slug)}
    return metrics.REGISTRY.get_sample_value("emr_job_hospital_failures_total", labels) or 0.0


class TestRound:
    async def test_says_whether_anybody_has_more(self) -> None:
        async def act(tenant: Tenant) -> bool:
            return tenant is B

        assert await go_round("a-round", [A, B, C], act) is True
        assert await go_round("a-round", [A, C], act) is False

    async def test_goes_on_past_one_that_fails(self) -> None:
        seen, before = list[str](), failures("b")

        async def act(tenant: Tenant) -> None:
            seen.append(tenant.slug)
            if tenant is B:
                raise ZeroDivisionError

        assert await go_round("a-round", [A, B, C], act) is False
        assert seen == ["a", "b", "c"]
        assert failures("b") == before + 1

    async def test_ends_with_a_lost_lease(self) -> None:
        async def act(tenant: Tenant) -> None:
            raise LeaseLost(tenant.slug)

        with pytest.raises(LeaseLost):
            await go_round("a-round", [A, B], act)
