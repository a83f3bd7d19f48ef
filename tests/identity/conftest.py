"""One PostgreSQL, and for each provider one platform, shared by the tests of this folder."""

from collections.abc import Iterator

import pytest

from emr_demo.postgres import Cluster, temporary
from tests.identity.providers import DOCTOR, HOSPITALS, NURSE, Browser
from tests.identity.world import World, world

# Whatever asks for Keycloak needs a server, and patience for its start on a busy machine.
SLOW_START = (pytest.mark.server, pytest.mark.timeout(600))
BOTH = ("demo", pytest.param("keycloak", marks=SLOW_START))


@pytest.fixture(scope="session")
def identity_cluster() -> Iterator[Cluster]:
    with temporary() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def demo_world(identity_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world("demo", identity_cluster, tmp_path_factory.mktemp("demo")) as made:
        yield made


@pytest.fixture(scope="session")
def keycloak_world(identity_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world("keycloak", identity_cluster, tmp_path_factory.mktemp("keycloak")) as made:
        yield made


@pytest.fixture(autouse=True)
def closed_browsers() -> Iterator[None]:
    """Every browser that a test opened is closed after it; those of other rooms' sessions stay."""
    before = len(Browser.opened)
    yield
    while len(Browser.opened) > before:
        Browser.opened.pop().close()


@pytest.fixture(params=BOTH)
def here(request: pytest.FixtureRequest) -> World:
    """The platform with either provider; doctor@hoa-sen and nurse@cau-vong are members, nobody else is."""
    return _fresh(request.getfixturevalue(f"{request.param}_world"))


@pytest.fixture
def demo(demo_world: World) -> World:
    """The platform with the demo's provider, whose key the tests may sign with."""
    return _fresh(demo_world)


@pytest.fixture(params=BOTH[1:])
def keycloak(keycloak_world: World) -> World:
    """The platform with Keycloak; its tests carry the name, by which they are run together."""
    return _fresh(keycloak_world)


def _fresh(made: World) -> World:
    made.clock.ahead *= 0
    # The clock was set back just now: what the platform tried in another test lies in the future or a moment ago.
    made.identity._provider._tried = None
    made.sql("DELETE FROM directory.memberships")
    made.grant(DOCTOR, "hoa-sen", "doctor")
    made.grant(NURSE, "cau-vong", "nurse")
    for slug in HOSPITALS:
        subject, tenant = made.provider.machine_subject(slug), made.tenant(slug).id
        made.sql(
            "INSERT INTO directory.memberships (tenant_id, subject, role, name, granted_by)"
            " VALUES (%s, %s, 'lis', 'LIS', 'test')",
            tenant,
            subject,
        )
    return made
