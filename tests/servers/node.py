"""Programs that the pinned Node runs, beside the FHIR clients of npm that `ops/tools/fhir-clients` installs."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.servers.tools import cache, missing

_SECONDS = 120


def told(programs: Path, name: str, folder: Path, variables: Mapping[str, str]) -> dict[str, str | None]:
    """By fact of a program of `programs`, what is wrong, or None; skips, or fails in CI, without the clients.

    `folder` is an empty one: a copy of the programs lies there beside the packages, where Node looks for them. Whatever the
    program writes to its standard error, a warning too, fails the calling test.
    """
    home = cache() / "fhir-clients"
    if not (home / "bin" / "node").exists():
        missing("the FHIR clients of npm are not installed: run ops/tools/fhir-clients")
    for each in programs.glob("*.mjs"):
        shutil.copy(each, folder)
    (folder / "node_modules").symlink_to(home / "node_modules")
    done = subprocess.run(
        [home / "bin" / "node", "--trace-warnings", "--throw-deprecation", name],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "TZ": "UTC"} | dict(variables),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {each["name"]: each["wrong"] for each in lines}
