"""The recipe of the image, as a linter sees it."""

import subprocess
import sys
from pathlib import Path


class TestDockerfile:
    def test_hadolint_has_nothing_to_say(self) -> None:
        hadolint = Path(sys.executable).with_name("hadolint")
        done = subprocess.run([hadolint, "platform/Dockerfile"], capture_output=True, text=True, check=False)
        assert done.stdout + done.stderr == ""
