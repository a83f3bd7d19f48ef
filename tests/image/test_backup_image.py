"""What the recipe of the image for backups adds: the programs that the commands call, where they look for them."""

from collections.abc import Iterator

import pytest

from emr.settings import Backup
from tests.servers import image

# The first build fetches Debian's packages.
pytestmark = [pytest.mark.server, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def container() -> Iterator[image.Container]:
    with image.build_backup().container() as made:
        yield made


class TestContents:
    def test_the_programs_are_there_for_an_ordinary_user(self, container: image.Container) -> None:
        folder = Backup().binaries
        programs = [f"{folder}/{name} --version" for name in ("postgres", "pg_dump", "pg_restore")]
        done = container.run("sh", "-ec", " && ".join([f"{Backup().program} version", *programs, "id -u"]))
        assert done.returncode == 0, done.stderr
        said = done.stdout.splitlines()
        assert said[0].startswith("pgBackRest 2.45")
        assert [line.split(" (Debian")[0].rsplit(" ", 1)[1].split(".")[0] for line in said[1:4]] == ["15"] * 3
        assert said[4] == "10001"

    def test_no_cluster_of_debians_is_in_it(self, container: image.Container) -> None:
        done = container.run("sh", "-c", "ls /etc/postgresql /var/lib/postgresql 2>/dev/null")
        assert done.stdout.split() in ([], ["/etc/postgresql:"])
