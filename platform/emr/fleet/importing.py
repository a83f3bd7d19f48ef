"""`emr import`: bring files into one hospital's record, and report what was refused and why."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from emr.fleet.lines import RefusedFile, Report, import_lines
from emr.identity.principal import system_principal
from emr.kernel.errors import Malformed, Refusal
from emr.records.importing import import_bundle, unpacked
from emr.subscriptions import guard as subscriptions
from emr.work.runtime import Runtime
from emr.work.unit import unit_of_work

_ENDINGS: Final = (".json", ".json.gz", ".ndjson", ".ndjson.gz")
_WRITERS: Final = 4


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The files that paths name, folders taken whole; those that others refer to first. Raises `Malformed`."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise Malformed("file-missing", f"There is no {path}.")
        found += sorted(_inside(path)) if path.is_dir() else [path]
    return sorted(found, key=lambda path: "information" not in path.name.lower())


async def import_files(parts: Runtime, slug: str, files: Sequence[Path], advance: Callable[[], None]) -> Report:
    """Import Bundles in a transaction each and files of lines as streams. Raises `NotFound`.

    A Bundle that is refused, or a line, does not stop the others. All files of lines belong together: a reference in
    one may point into another, or to a Bundle.
    """
    subscriptions.install(parts)
    tenant = parts.registry.by_slug(slug)
    principal = system_principal("import", tenant_id=tenant.id)
    report = Report()
    waiting = iter([path for path in files if not _of_lines(path)])

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
    await import_lines(parts, (tenant, principal), [path for path in files if _of_lines(path)], report, advance)
    return report


def told(report: Report) -> str:
    """The report in words, each refused file or line with its reason."""
    counts = f"{report.stored} resources stored, {report.found} found to be there already"
    lines = [f"{report.files} files: {counts}, {report.known} files known from before, {len(report.refused)} refused."]
    lines += [f"  {each.file}: {each.message} ({each.code}) {each.location}".rstrip() for each in report.refused]
    return "\n".join(lines)


def _of_lines(path: Path) -> bool:
    return path.name.endswith((".ndjson", ".ndjson.gz"))


def _inside(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.name.endswith(_ENDINGS))
