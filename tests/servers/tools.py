"""Binaries that tests start or call: looked for in the cache that `ops/tools` fills, then on the PATH.

On a laptop a missing binary skips the test with the command that would bring it; under `CI=true` it fails, so that a
green run has tried every real server.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest

_KEYCLOAK = "26.7.5"
_SCRIPT_OF = {"kc.sh": "keycloak", "java": "keycloak"} | dict.fromkeys(
    ("terraform-provider-helm", "terraform-provider-kubectl"), "terraform-providers"
)
_BUILT = frozenset({"minio", "otelcol", "helm", "helm-unittest", "kubeconform"})


def cache() -> Path:
    """The folder for built binaries and downloads, kept between clones and keyed by version."""
    return Path(os.environ.get("EMR_CACHE") or Path.home() / ".cache" / "emr")


def find(name: str) -> Path | None:
    """The executable file `name`, or None when this machine lacks it."""
    cached = cache() / "bin" / name
    if os.access(cached, os.X_OK):
        return cached
    # pynetdicom puts scripts named as dcmtk's programs into the virtual environment; the foreign peer is meant.
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    path = os.pathsep.join(folder for folder in folders if Path(folder) != Path(sys.prefix) / "bin")
    on_path = shutil.which(name, path=path) or shutil.which(name, path="/usr/sbin")
    if on_path is not None:
        return Path(on_path)
    # Debian keeps the server's binaries out of the PATH, one folder for each major version.
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda found: int(found.parts[-3]))
    return versions[-1] if versions else None


def tool(name: str) -> Path:
    """The executable file `name`; without it the calling test skips, or fails when `CI=true`."""
    found = find(name)
    if found is None:
        script = _SCRIPT_OF.get(name, name if name in _BUILT else "debian")
        missing(f"{name} is not installed: run ops/tools/{script}")
    return found


def keycloak_home() -> Path:
    """The unpacked and built Keycloak; without it the calling test skips, or fails when `CI=true`."""
    home = cache() / "keycloak" / _KEYCLOAK
    if not (home / "bin" / "kc.sh").is_file():
        missing(f"Keycloak {_KEYCLOAK} is not installed: run ops/tools/keycloak")
    return home


def missing(reason: str) -> NoReturn:
    """Skip with a reason on a laptop; fail in CI, where nothing may be missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
