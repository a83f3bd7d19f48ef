"""Three hospitals, emptied before each test."""

import pytest

from emr.kernel.tenant import Tenant
from emr.records import own_parameters
from emr.work.runtime import Runtime
from tests.fhir.samples import mark
from tests.house import House
from tests.records.own_parameters.samples import OwnWard

TABLES = (
    "resources", "resource_versions", "tokens", "links", "strings", "dates", "quantities", "composites", "words",
    "identifiers", "compartments",
)  # fmt: skip


@pytest.fixture(scope="module")
def hospitals(standing: House) -> list[Tenant]:
    return [standing.new_hospital(f"own-{mark()[:8]}") for _ in range(3)]


@pytest.fixture
def wards(standing: House, parts: Runtime, hospitals: list[Tenant], monkeypatch: pytest.MonkeyPatch) -> list[OwnWard]:
    """The hospitals, empty."""
    monkeypatch.setattr(own_parameters, "_KEPT", own_parameters._Kept())
    for tenant in hospitals:
        standing.sql(f"TRUNCATE {', '.join(f'{tenant.schema}.{table}' for table in TABLES)}")
        standing.sql(f"DELETE FROM {tenant.schema}.indexing WHERE name <> 'record'")
    return [OwnWard(standing, parts, tenant) for tenant in hospitals]


@pytest.fixture
def ward(wards: list[OwnWard]) -> OwnWard:
    return wards[0]
