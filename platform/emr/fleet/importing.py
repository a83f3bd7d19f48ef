"""`emr import`: bring files into one hospital's record, and report what was refused and why."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from emr.identity.principal import system_principal
from emr.kernel.errors import Malformed, Refusal
from emr.records.importing import import_bundle, unpacked
from emr.subscriptions import guard as subscriptions
from emr.work.runtime import Runtime
from emr.work.unit import unit_of_work

_ENDINGS: Final = (".json", ".json.gz", ".ndjson", ".ndjson.gz")
_WRITERS: Final = 4


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file of which nothing was stored: its name, the stable code, the rule and the place that broke it."""

    file: str
    code: str
    message: str
    location: str


@dataclass(slots=True)
class Report:
    """What came of an import."""

    files: int = 0
    stored: int = 0
    found: int = 0
    known: int = 0
    refused: list[RefusedFile] = field(default_factory=list)


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The files that paths name, folders taken whole; those that others refer to first. Raises `Malformed`."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise Malformed("file-missing", f"There is no {path}.")
        found += sorted(_inside(path)) if path.is_dir() else [path]
    return sorted(found, key=lambda path: "information" not in path.name.lower())


async def import_files(parts: Runtime, slug: str, files: Sequence[Path], advance: Callable[[], None]) -> Report:
    """Import each file in a transaction of its own; a refused one does not stop the others. Raises `NotFound`."""
    subscriptions.install(parts)
    tenant = parts.registry.by_slug(slug)
    principal = system_principal("import", tenant_id=tenant.id)
    report, waiting = Report(), iter(files)

    async def writer(of: Iterator[Path]) -> None:
        for path in of:
            report.files += 1
            try:
                content = unpacked(path.name, await asyncio.to_thread(path.read_bytes))
                async with unit_of_work(parts, tenant, principal) as work:
                    imported = await import_bundle(work, content)
            except Refusal as refusal:
                first = refusal.issues[0]
                report.refused.append(RefusedFile(path.name, first.code, first.message, first.location or ""))
            else:
                report.stored += imported.stored
                report.found += imported.found
                report.known += imported.known
            advance()

    await asyncio.gather(*(writer(waiting) for _ in range(_WRITERS)))
    return report


def told(report: Report) -> str:
    """The report in words, each refused file with its reason."""
    counts = f"{report.stored} resources stored, {report.found} found to be there already"
    lines = [f"{report.files} files: {counts}, {report.known} files known from before, {len(report.refused)} refused."]
    lines += [f"  {each.file}: {each.message} ({each.code}) {each.location}".rstrip() for each in report.refused]
    return "\n".join(lines)


def _inside(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.name.endswith(_ENDINGS))
