"""Clients of other makers on Node: fhir-kit-client and @medplum/core. Their programs lie in `clients/`, a fact a function."""

from pathlib import Path

import pytest

from tests.house import House
from tests.servers.node import told

PROGRAMS = Path(__file__).parent / "clients"
BOTH = (
    "reads the capability statement",
    "reads what it has written",
    "changes only the version that it has seen",
    "creates and updates by criteria",
    "patches",
    "deletes",
    "searches, follows chains and includes",
    "pages to the end",
    "reads histories",
    "sends batches and transactions",
    "calls operations",
    "is told in an outcome what is wrong",
)
KIT = (*BOTH, "searches in a compartment and in everything", "resolves references")
MEDPLUM = (
    *BOTH,
    "gathers reads into a batch by itself",
    "downloads the bytes of a Binary",
    "is told that a file is sent inside a Binary",
    "is told that there is no GraphQL here",
)

pytestmark = pytest.mark.server


def facts(live: House, program: str, folder: Path) -> dict[str, str | None]:
    return told(PROGRAMS, program, folder, {"EMR_FHIR": live.fhir(), "EMR_TOKEN": live.token()})


@pytest.fixture(scope="module")
def kit(live: House, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    return facts(live, "kit.mjs", tmp_path_factory.mktemp("kit"))


@pytest.fixture(scope="module")
def medplum(live: House, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    return facts(live, "medplum.mjs", tmp_path_factory.mktemp("medplum"))


class TestFhirKitClient:
    @pytest.mark.parametrize("fact", KIT)
    def test_it(self, kit: dict[str, str | None], fact: str) -> None:
        assert kit[fact] is None, kit[fact]

    def test_no_fact_is_left_out(self, kit: dict[str, str | None]) -> None:
        assert kit.keys() == set(KIT)


class TestMedplum:
    @pytest.mark.parametrize("fact", MEDPLUM)
    def test_it(self, medplum: dict[str, str | None], fact: str) -> None:
        assert medplum[fact] is None, medplum[fact]

    def test_no_fact_is_left_out(self, medplum: dict[str, str | None]) -> None:
        assert medplum.keys() == set(MEDPLUM)
