"""A real PgBouncer in transaction mode on loopback, in front of a cluster of the tests."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from emr_demo.postgres_server import Account, run_as
from tests.servers.ports import free_port
from tests.servers.tools import tool

_CONFIG = """
[databases]
* = host={host} port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {backends}
max_client_conn = 300
query_wait_timeout = 30
logfile = {log}
"""


@contextmanager
def pgbouncer(url: str, *, backends: int = 4) -> Iterator[str]:
    """The same address through a PgBouncer that shares `backends` connections among all who come.

    It refuses to run as root: then it runs as the account that PostgreSQL does, in a folder that this may enter.
    Skips, or fails in CI, when it is not installed.
    """
    binary, account, asked = tool("pgbouncer"), Account.for_this_process(), urlsplit(url)
    folder = Path(tempfile.mkdtemp(prefix="emr-pgbouncer-"))
    port = free_port()
    users, config, log = folder / "users", folder / "pgbouncer.ini", folder / "pgbouncer.log"
    users.write_text(f'"{asked.username}" "{asked.password}"\n')
    config.write_text(
        _CONFIG.format(host=asked.hostname, server_port=asked.port, port=port, users=users, backends=backends, log=log)
    )
    for path in (folder, users, config):
        path.chmod(0o700 if path is folder else 0o600)
        account.own(path)
    process = subprocess.Popen([binary, "-q", config], cwd="/", **run_as(account))
    try:
        _wait_until_ready(port, process, log)
        yield asked._replace(netloc=f"{asked.username}:{asked.password}@127.0.0.1:{port}").geturl()
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_ready(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PgBouncer did not start: {log.read_text() if log.exists() else ''}") from None
            time.sleep(0.05)
        else:
            return
