"""The recipes of the images, as a linter sees them."""

import subprocess
import sys
from pathlib import Path

import pytest


class TestDockerfile:
    @pytest.mark.parametrize("recipe", ["platform/Dockerfile", "ops/backup/Dockerfile"])
    def test_hadolint_has_nothing_to_say(self, recipe: str) -> None:
        hadolint = Path(sys.executable).with_name("hadolint")
        done = subprocess.run([hadolint, recipe], capture_output=True, text=True, check=False)
        assert done.stdout + done.stderr == ""
