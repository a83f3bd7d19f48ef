"""Code systems, value sets and concept maps of R4, as an archive that is read one part at a time."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]

KEPT = {
    "CodeSystem": (
        *("url", "version", "name", "title", "status", "copyright", "caseSensitive", "valueSet", "hierarchyMeaning"),
        *("versionNeeded", "content", "supplements", "filter", "property", "concept"),
    ),
    "ValueSet": ("url", "version", "name", "title", "status", "copyright", "compose"),
    "ConceptMap": (
        *("url", "version", "name", "title", "status", "experimental", "sourceUri", "sourceCanonical", "targetUri"),
        *("targetCanonical", "group"),
    ),
}
"""What the operations ask of a definition; publishers, narratives and extensions stay behind."""
PART = 128 * 1024
MOMENT = (1980, 1, 1, 0, 0, 0)


def write_terminology(path: Path, header: Json, resources: list[Json]) -> None:
    """An archive of `index.json` (kind to URL to part, line, version; implicit value sets to their code systems) and
    parts of one definition a line.
    """
    kinds: dict[str, dict[str, list[Any]]] = {kind: {} for kind in KEPT}
    parts: list[list[str]] = [[]]
    for resource in _sorted(resources):
        line = json.dumps(_kept(resource), ensure_ascii=False, separators=(",", ":"))
        if parts[-1] and sum(map(len, parts[-1])) + len(line) > PART:
            parts.append([])
        place = [len(parts) - 1, len(parts[-1]), resource.get("version")]
        kinds[resource["resourceType"]][resource["url"]] = place
        parts[-1].append(line)
    index = {"about": header, "content": kinds, "implicit": _implicit(resources, kinds["ValueSet"])}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        _add(archive, "index.json", json.dumps(index, ensure_ascii=False, separators=(",", ":")))
        for number, lines in enumerate(parts):
            _add(archive, f"{number}.ndjson", "\n".join(lines))
    counts = ", ".join(f"{len(found)} {kind}" for kind, found in kinds.items())
    print(f"{path.name}: {counts}, {path.stat().st_size:,} bytes")


def _implicit(resources: list[Json], written: Json) -> dict[str, str]:
    """Value sets that code systems name as holding all their codes, and that nobody has written down."""
    systems = (each for each in resources if each["resourceType"] == "CodeSystem" and "valueSet" in each)
    return dict(sorted((each["valueSet"], each["url"]) for each in systems if each["valueSet"] not in written))


def _add(archive: zipfile.ZipFile, name: str, text: str) -> None:
    """The same text gives the same bytes: no time of day stands in the archive."""
    member = zipfile.ZipInfo(name, MOMENT)
    member.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(member, text.encode("utf-8"), compresslevel=9)


def _sorted(resources: list[Json]) -> Iterator[Json]:
    known = {(each["resourceType"], each["url"]): each for each in resources if each["resourceType"] in KEPT}
    return (known[key] for key in sorted(known))


def _kept(resource: Json) -> Json:
    kind = resource["resourceType"]
    return {"resourceType": kind} | {name: _bare(resource[name]) for name in KEPT[kind] if name in resource}


def _bare(value: Any) -> Any:
    """Without extensions and the companions that hold them."""
    if isinstance(value, list):
        return [_bare(each) for each in value]
    if isinstance(value, dict):
        return {name: _bare(each) for name, each in value.items() if name not in ("extension", "id") and name[0] != "_"}
    return value
