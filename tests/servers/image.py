"""The service's image and that for backups, really built with buildah, and containers of them on this machine's loopback.

No container engine and no image registry is needed: the base is a Debian root that `ops/tools/image-base` makes once,
and processes run under chroot isolation. Layers are kept in the cache, so a second build only copies the service.
"""

import contextlib
import fcntl
import functools
import hashlib
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.tools import cache, missing, tool

_ROOT = Path(__file__).parents[2]
_CERTIFICATES = "/etc/ssl/certs"
_MOST_LAYERS = 120


@dataclass(frozen=True)
class Image:
    """A built image in a store of its own, apart from any that the machine's user has."""

    name: str

    @contextlib.contextmanager
    def container(self) -> Iterator["Container"]:
        """A fresh container, removed at the end."""
        name = _buildah("from", self.name).stdout.strip()
        try:
            yield Container(name)
        finally:
            _buildah("rm", name)


@dataclass(frozen=True)
class Given:
    """What a process in a container is given: variables, and folders of this machine by their place inside, read-only."""

    environment: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Container:
    """A root file system in which processes can be run as the image's user."""

    name: str

    def command(self, *arguments: str, given: Given | None = None) -> list[str]:
        """The command line that runs `arguments` inside; the image's entry point is not added."""
        given = given or Given()
        settings = [f"--env={name}={value}" for name, value in given.environment.items()]
        volumes = [f"--volume={folder}:{place}:ro" for place, folder in given.folders.items()]
        return [*_command("run", "--isolation=chroot", *settings, *volumes, self.name), "--", *arguments]

    def run(self, *arguments: str, given: Given | None = None) -> subprocess.CompletedProcess[str]:
        """Run to the end; the exit code is the caller's to judge."""
        return subprocess.run(
            self.command(*arguments, given=given), capture_output=True, text=True, check=False, timeout=240
        )


@functools.cache
def build() -> Image:
    """Build the image from the work tree, once; skips where the base or buildah is missing, fails in CI."""
    base = _base()
    if not (_ROOT / "platform/emr/web/static/manifest.json").exists():
        missing("the browser code is not built: run ops/web-build")
    with (cache() / "image" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _forget_old_layers()
        _buildah(
            "bud", "--isolation=chroot", "--layers", "--quiet",
            f"--volume={_CERTIFICATES}:{_CERTIFICATES}:ro", f"--build-arg=BASE={_imported(base)}",
            "--file=platform/Dockerfile", "--tag=localhost/emr:test", ".",
        )  # fmt: skip
    return Image("localhost/emr:test")


@functools.cache
def build_backup() -> Image:
    """What `ops/backup/Dockerfile` adds, on the base alone: Debian's packages are fetched once and kept, whatever of the
    service changes.
    """
    with (cache() / "image" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _buildah(
            "bud", "--isolation=chroot", "--layers", "--quiet", f"--build-arg=EMR={_imported(_base())}",
            "--file=ops/backup/Dockerfile", "--tag=localhost/emr-backup:test", "ops/backup",
        )  # fmt: skip
    return Image("localhost/emr-backup:test")


def _base() -> Path:
    """The archive of the base; skips where it or buildah is missing, fails in CI."""
    base = cache() / "image" / "debian-bookworm.tar"
    tool("buildah")
    if not base.exists():
        missing("the image's base is missing: run ops/tools/image-base")
    return base


def _forget_old_layers() -> None:
    """Begin anew once there are many: every build adds a few, and none says which are still of use."""
    if len(_buildah("images", "--all", "--quiet").stdout.split()) > _MOST_LAYERS:
        _buildah("rm", "--all")
        _buildah("rmi", "--all", "--force")


def _imported(base: Path) -> str:
    """The base as an image in the store, imported once for each made base."""
    stamp = base.stat()
    name = f"localhost/emr-base:{hashlib.sha256(f'{stamp.st_size} {stamp.st_mtime_ns}'.encode()).hexdigest()[:12]}"
    if _buildah("images", "--quiet", f"--filter=reference={name}").stdout.strip():
        return name
    container = _buildah("from", "scratch").stdout.strip()
    _buildah("add", "--quiet", container, str(base), "/")
    _buildah("commit", "--quiet", "--rm", container, name)
    return name


def _command(*arguments: str) -> list[str]:
    store = cache() / "image"
    return [
        str(tool("buildah")), f"--root={store / 'store'}", f"--runroot={store / 'run'}", "--storage-driver=overlay",
        *arguments,
    ]  # fmt: skip


def _buildah(*arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(_command(*arguments), capture_output=True, text=True, check=False, timeout=1200, cwd=_ROOT)
    if done.returncode != 0:
        raise AssertionError(f"buildah {arguments[0]} failed:\n{done.stdout}{done.stderr}")
    return done
