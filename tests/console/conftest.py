"""The department's people in browsers without script, and figures of a hospital as processes would have told them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from emr.kernel.tenant import Tenant
from emr.telemetry.traffic import BOUNDS
from tests.administration.visitors import entered
from tests.fhir.samples import mark
from tests.house import House
from tests.identity.providers import Browser


@pytest.fixture(scope="session")
def operator(live: House) -> Browser:
    """ops@city, signed in."""
    return entered(live, "ops@city", to="/ops/")


@pytest.fixture(scope="session")
def auditor(live: House) -> Browser:
    """auditor@city, signed in."""
    return entered(live, "auditor@city", to="/ops/")


@pytest.fixture
def hospital(live: House) -> Iterator[Tenant]:
    """A hospital of which nothing is known yet."""
    slug = f"console-{mark()[:8]}"
    yield live.new_hospital(slug)
    live.sql("UPDATE directory.tenants SET state = 'trial', revision = (SELECT max(revision) FROM directory.tenants)"
             " WHERE slug = %s", slug)  # fmt: skip


def tell_traffic(house: House, tenant: Tenant, at: datetime, requests: int, errors: int, seconds: float) -> None:
    """So many requests in the five minutes that began then, each of which took so long."""
    buckets = [0] * (len(BOUNDS) + 1)
    buckets[next(n for n, bound in enumerate(BOUNDS) if seconds <= bound)] = requests
    house.sql(
        "INSERT INTO directory.traffic VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (tenant_id, at) DO UPDATE SET requests = excluded.requests, errors = excluded.errors,"
        " buckets = excluded.buckets",
        tenant.id, at, requests, errors, buckets,
    )  # fmt: skip


def tell_usage(house: House, tenant: Tenant, sizes: list[int], users: int = 1) -> None:
    """GiB in use of the last days, the last of them today."""
    now = datetime.now(UTC)
    for back, size in enumerate(reversed(sizes)):
        house.sql(
            "INSERT INTO directory.usage VALUES (%s, %s, %s, %s, %s)",
            tenant.id, (now - timedelta(days=back)).date(), size << 30, users, now,
        )  # fmt: skip


def rows_of(house: House, action: str) -> list[dict[str, object]]:
    """Rows of the directory's trail, sealed or not, oldest first."""
    query = (
        "SELECT row FROM (SELECT at, row FROM directory.audit_journal UNION ALL"
        " SELECT at, row FROM directory.audit_events) AS every ORDER BY at"
    )
    every = [json.loads(row) for (row,) in house.sql(query)]
    return [each for each in every if each["action"] == action]
