"""dcmtk's programs as devices: another implementation of DICOM than the one that the platform is built on."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.servers.tools import tool

_SECONDS = 120


@dataclass(frozen=True)
class Device:
    """A device with its AE title, which calls the AE title of a hospital on a port of this machine."""

    port: int
    title: str = "XRAY1"
    called: str = "HOASEN"

    def echo(self) -> subprocess.CompletedProcess[str]:
        """C-ECHO; exit code 0 when it was answered."""
        return self._run("echoscu", [])

    def store(self, files: Sequence[Path], *options: str) -> subprocess.CompletedProcess[str]:
        """C-STORE of each file in one association; exit code 0 when each was kept."""
        return self._run("storescu", [str(file) for file in files], *options)

    def _run(self, program: str, files: list[str], *options: str) -> subprocess.CompletedProcess[str]:
        command = [str(tool(program)), "-v", *options, "-aet", self.title, "-aec", self.called, "127.0.0.1"]
        return subprocess.run(
            [*command, str(self.port), *files], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
