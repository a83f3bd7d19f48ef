"""An upgrade as `platform/docs/migrations.md` orders it, under load: expand, deploy, contract, and no request fails."""

import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from emr_demo.postgres import temporary
from tests.benchmarks.builds import CONTRACT, THIS, command_of, next_build
from tests.fhir.samples import patient
from tests.fleet.world import environment
from tests.house import CAU_VONG, HOA_SEN, House, house, served
from tests.servers.ports import free_port

_ENOUGH = 20
"""Requests of each hospital in each part of the way."""


@dataclass
class Load:
    """People of both hospitals who write and read one after the other; `url`: where the balancer sends them."""

    standing: House
    url: str
    part: str = "before"
    answered: Counter[tuple[str, str]] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    people: list[threading.Thread] = field(default_factory=list)

    def begin(self) -> None:
        self.people = [threading.Thread(target=self._work, args=(slug,), daemon=True) for slug in (HOA_SEN, CAU_VONG)]
        for person in self.people:
            person.start()

    def end(self) -> None:
        """Nobody asks any more, and what was asked is answered: a service that stops now leaves nobody waiting."""
        self.over.set()
        for person in self.people:
            person.join(60)
            assert not person.is_alive()

    def _work(self, slug: str) -> None:
        headers = {"Authorization": f"Bearer {self.standing.token('doctor', slug)}"}
        with httpx.Client(headers=headers, timeout=60, trust_env=False) as client:
            number = 0
            while not self.over.is_set():
                number += 1
                self._round(client, slug, number)
                time.sleep(0.02)

    def _round(self, client: httpx.Client, slug: str, number: int) -> None:
        part, base = self.part, f"{self.url}/h/{slug}/fhir"
        try:
            made = client.post(f"{base}/Patient", json=patient(name=[{"text": f"Đợt {number}"}]))
            place = f"{base}/Patient/{made.json().get('id')}"
            answers = [made, client.get(place), client.put(place, json=made.json() | {"active": True})]
            answers.append(client.get(f"{base}/Patient?_id={made.json().get('id')}"))
        except httpx.HTTPError as error:
            self.failed.append(f"{part} {slug}: {error!r}")
            return
        self.failed += [f"{part} {slug}: {each.status_code} {each.text}" for each in answers if not each.is_success]
        self.answered[part, slug] += len(answers)

    def reach(self, part: str) -> None:
        """Go on until both hospitals were served often enough in this part."""
        self.part = part
        deadline = time.monotonic() + 60
        while min(self.answered[part, slug] for slug in (HOA_SEN, CAU_VONG)) < _ENOUGH and not self.failed:
            assert time.monotonic() < deadline, self.answered
            time.sleep(0.05)
        assert self.failed == []


@contextmanager
def loaded(standing: House, url: str) -> Iterator[Load]:
    load = Load(standing, url)
    load.begin()
    try:
        yield load
    finally:
        load.end()


@dataclass
class Builds:
    """Processes of builds of one's choice, with the settings of one house."""

    standing: House
    folder: Path

    def _of(self, build: Path) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("EMR_")}
        return kept | environment(self.standing.settings) | {"PYTHONPATH": str(build)}

    def migrate(self, build: Path) -> list[dict[str, object]]:
        done = subprocess.run(
            command_of("migrate", "--json"),
            env=self._of(build),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        rows: list[dict[str, object]] = json.loads(done.stdout)
        return rows

    @contextmanager
    def serving(self, build: Path) -> Iterator[tuple[str, Callable[[], int]]]:
        """Its address, and what asks it to stop and gives its exit code."""
        port = free_port()
        command = command_of("serve", "--port", str(port), "--management-port", str(free_port()))
        log = self.folder / f"serve-{port}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(command, env=self._of(build), cwd=self.folder, stdout=out, stderr=out)

        def stop() -> int:
            process.send_signal(signal.SIGTERM)
            return process.wait(60)

        try:
            self._await_ready(process, f"http://127.0.0.1:{port}", log)
            yield f"http://127.0.0.1:{port}", stop
        finally:
            process.kill()
            process.wait()

    @staticmethod
    def _await_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
        deadline = time.monotonic() + 90
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                if httpx.get(f"{url}/readyz", trust_env=False, timeout=10).is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builds]:
    """A city of its own: its hospitals come to revisions that nobody else's builds know."""
    with temporary() as own, house(own, tmp_path_factory.mktemp("upgrade")) as made:
        yield Builds(made, made.folder)


@pytest.mark.timeout(600)
class TestUpgrade:
    def test_expand_deploy_contract_without_a_failed_request(self, builds: Builds) -> None:
        expanding, expanded = next_build(builds.folder)
        contracting, contracted = next_build(builds.folder, after=expanding, change=CONTRACT)
        with builds.serving(THIS) as (old, stop_old), loaded(builds.standing, old) as load:
            load.reach("before")
            load.part = "while it expands"
            assert {row["to"] for row in builds.migrate(expanding)} == {expanded}
            load.reach("the old build on what was expanded")
            with builds.serving(expanding) as (new, stop_new):
                load.url = new
                load.reach("the new build")
                assert stop_old() in (0, -signal.SIGTERM)
                load.part = "while it contracts"
                assert {row["to"] for row in builds.migrate(contracting)} == {contracted}
                load.reach("the new build on what was contracted")
                load.end()
                assert stop_new() in (0, -signal.SIGTERM)
        assert load.failed == []

    def test_then_the_old_build_says_that_it_cannot_and_its_migrations_leave_all_as_it_is(self, builds: Builds) -> None:
        stood = builds.standing.sql("SELECT slug, revision, served_from FROM directory.tenants ORDER BY slug")
        assert builds.migrate(THIS) == []
        assert builds.standing.sql("SELECT slug, revision, served_from FROM directory.tenants ORDER BY slug") == stood
        with served(builds.standing) as live, live.client() as client:
            answer = client.get("/Patient")
        assert (answer.status_code, answer.json()["issue"][0]["details"]["coding"][0]["code"]) == (
            503, "hospital-being-upgraded",
        )  # fmt: skip
