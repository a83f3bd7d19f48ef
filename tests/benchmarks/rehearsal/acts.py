"""The steps of the rehearsal, in their order. Each runs the operator's commands and leaves its seconds in `figures`."""

import asyncio
import json
import statistics
import time
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.benchmarks.builds import next_build
from tests.benchmarks.machine import largest_backend_mib
from tests.benchmarks.rehearsal.city import NORTH, City
from tests.benchmarks.rehearsal.probes import probe

_PATIENTS = 50
_MOVES, _REWINDS, _LEAVES = "h-0001", "h-0002", "h-0003"
KEEPER = "Trung tâm Lưu trữ thành phố, biên bản 12/2026"


def onboard(city: City) -> None:
    """All hospitals from their files; then again, with nothing to do."""
    city.emr("migrate", "--json")
    city.write_files()
    planned = city.emr("tenants", "plan", "--json", at="plan_new")
    assert sum(each["difference"] == "create" for each in planned) == len(city.slugs), planned[:3]
    applied = city.emr("tenants", "apply", "--json", at="apply_new")
    assert not [each for each in applied if each["error"]], [each for each in applied if each["error"]][:3]
    seconds = sorted(each["seconds"] for each in applied if each["difference"] == "create")
    assert len(seconds) == len(city.slugs)
    if not city.wanted.keycloak:
        # Nobody is let in where no organization is known, and the demo's provider has none for these.
        city.world.house.sql(
            "UPDATE directory.tenants SET organization_id = 'org-' || slug WHERE organization_id IS NULL"
        )
    city.figures |= {"one_made_p50_s": statistics.median(seconds), "one_made_worst_s": seconds[-1]}
    assert city.emr("tenants", "plan", "--json", at="plan_standing") == []
    assert city.emr("tenants", "apply", "--json", at="apply_standing") == []


def migrate(city: City) -> None:
    """Another build comes, one hospital goes first, then all; then again, with nothing to do."""
    city.build, name = next_build(city.folder)
    assert len(city.emr("migrate", "--plan", "--json", at="migrate_plan")) == len(city.slugs) + 2
    steps = city.emr("migrate", "--canary", _MOVES, "--json", at="migrate")
    assert all(step["outcome"] == "moved" and step["to"] == name for step in steps), steps[:3]
    assert len(steps) == len(city.slugs) + 2
    city.figures["one_migrated_p50_s"] = statistics.median(step["seconds"] for step in steps)
    assert city.emr("migrate", "--json", at="migrate_standing") == []


def probe_all(city: City) -> None:
    """Everybody asks for the neighbour's; some have every door tried; how large the database and its backends are."""
    began = time.monotonic()
    found = asyncio.run(probe(city.settings, city.slugs))
    assert not found.wrong, found.wrong[:5]
    city.figures |= {"probed_s": round(time.monotonic() - began, 1), "probes": found.asked}
    _measure(city)
    if city.wanted.doors:
        chosen = city.slugs[: city.wanted.doors]
        lights = city.emr("border", "check", *chosen, "--json", at="every_door_tried")["hospitals"]
        assert [each["result"]["green"] for each in lights] == [True] * len(chosen), lights


def move(city: City) -> None:
    """To the other cell while the service stands, and back; asked again in both."""
    there = city.emr("tenants", "move", _MOVES, "--to", NORTH, "--json", at="moved")
    _ask_again(city, _MOVES)
    back = city.emr("tenants", "move", _MOVES, "--to", "default", "--json", at="moved_back")
    _ask_again(city, _MOVES)
    city.emr("tenants", "drop-copy", _MOVES, "--now", "--json")
    city.figures |= {"closed_s": round(there["seconds"], 1), "closed_back_s": round(back["seconds"], 1)}


def rewind(city: City) -> None:
    """All patients of one are renamed by mistake; it is opened as it was a second before, and they are brought back."""
    made = city.emr("backup", "run", "--kind", "full", "--json", at="backup")
    city.figures["backup_mib"] = round(made["size"] / 2**20)
    city.emr("import", "--tenant", _REWINDS, _people(city, "goc", "An"), "--json")
    time.sleep(1.5)
    moment = datetime.now(UTC)
    time.sleep(1)
    city.emr("import", "--tenant", _REWINDS, _people(city, "nham", "Bình"), "--json")
    asked = ("--to", moment.isoformat(), "--reason", "Diễn tập")
    opened = city.emr("rewind", "open", _REWINDS, *asked, "--json", at="rewind_opened")
    counts = city.emr("rewind", "compare", opened["id"], "--json", at="rewind_compared")["counts"]
    assert counts == {"Patient": {"changed": _PATIENTS}}, counts
    back = city.emr(
        "rewind", "bring-back", opened["id"], "--everything", "--reason", "Diễn tập", "--json", at="rewind_brought"
    )
    assert (len(back["brought_back"]), back["refused"]) == (_PATIENTS, [])
    assert city.emr("rewind", "compare", opened["id"], "--json")["counts"] == {}
    city.emr("rewind", "drop", opened["id"], "--json")


def leave(city: City) -> None:
    """One leaves: exported, loaded elsewhere and exported there, byte for byte the same; then nothing of it is here."""
    city.emr("import", "--tenant", _LEAVES, _people(city, "ra", "Chi"), "--json")
    city.emr("tenants", "state", _LEAVES, "leaving", "--reason", "Diễn tập", "--json")
    written = city.emr("tenants", "export", _LEAVES, "--to", city.folder / "out", "--json", at="exported")
    city.emr("tenants", "verify-package", written["folder"], "--json")
    key = str(city.emr("audit", "key")).strip()
    city.emr("migrate", "--json", second=True)
    brought = city.emr("tenants", "import-package", written["folder"], "--key", key, "--json", at="loaded", second=True)
    assert brought["slug"] == _LEAVES
    again = city.emr("tenants", "export", _LEAVES, "--to", city.folder / "again", "--json", second=True)
    assert _record(Path(again["folder"])) == _record(Path(written["folder"]))
    city.emr(
        "tenants", "offboard", _LEAVES, written["folder"], "--certificate", city.folder / "certificate.json",
        "--kept-by", KEEPER, "--confirm", _LEAVES, "--json", at="offboarded",
    )  # fmt: skip
    (city.settings.tenants / f"{_LEAVES}.yaml").unlink()


def stand(city: City) -> None:
    """What is left is what files say, and every trail is whole."""
    [*differences] = city.emr("tenants", "plan", "--json", at="plan_at_the_end")
    strays = {"stray"} if city.wanted.keycloak else set()
    assert {each["difference"] for each in differences} <= strays, differences[:3]
    city.emr("audit", "verify", "--tenant", _REWINDS)
    _measure(city)


def _measure(city: City) -> None:
    [(size,)] = city.world.house.sql("SELECT pg_database_size('emr')")
    city.figures |= {
        "database_mib": round(size / 2**20),
        "backend_private_mib": max(city.figures.get("backend_private_mib", 0), largest_backend_mib(city.postgres)),
    }


def _ask_again(city: City, slug: str) -> None:
    """The one that is concerned, with a neighbour who is not."""
    found = asyncio.run(probe(city.settings, [slug, city.slugs[-1]]))
    assert not found.wrong, found.wrong


def _people(city: City, name: str, given: str) -> Path:
    """A transaction Bundle with the same patients each time, called so."""
    entries: list[dict[str, Any]] = []
    for number in range(_PATIENTS):
        patient = {
            "resourceType": "Patient",
            "id": f"dien-tap-{number}",
            "name": [{"text": f"Nguyễn {given} {number}"}],
        }
        entries.append({"resource": patient, "request": {"method": "PUT", "url": f"Patient/{patient['id']}"}})
    path = city.folder / f"{name}.json"
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    path.write_text(json.dumps(bundle, ensure_ascii=False), "utf-8")
    return path


def _record(package: Path) -> dict[str, str]:
    """Each file of record, contents and state in a package by its digest."""
    return {
        str(path.relative_to(package)): sha256(path.read_bytes()).hexdigest()
        for part in ("fhir", "state", "contents")
        for path in sorted((package / part).rglob("*"))
        if path.is_file()
    }
