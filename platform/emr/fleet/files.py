"""Read hospitals' files, and write one; what is wrong is named by file, line, field and rule: then nothing is read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from emr.fleet import marked
from emr.fleet.marked import Marked, Unreadable
from emr.kernel.errors import Invalid, Issue
from emr.tenancy.claims import claims
from emr.tenancy.definition import HospitalFile

_LARGEST: Final = 64 * 1024
_RULES: Final = {
    "extra_forbidden": "there is no such field",
    "missing": "is required",
}


@dataclass(frozen=True, slots=True)
class FileFault:
    """One broken rule: where (file, line from 1), which field (dotted path) and what the rule says."""

    file: str
    line: int
    field: str
    rule: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field}: {self.rule}"


class FilesBroken(Invalid):
    """Hospitals' files break rules; nothing was changed."""

    def __init__(self, faults: Sequence[FileFault]) -> None:
        self.faults = tuple(faults)
        issues = tuple(
            Issue("hospital-file", fault.rule, f"{fault.file}:{fault.line}:{fault.field}") for fault in faults
        )
        super().__init__("hospital-file", "\n".join(str(fault) for fault in faults), issues=issues)


@dataclass(frozen=True, slots=True)
class Read:
    """A hospital's file as it was read: what it says, and where."""

    hospital: HospitalFile
    file: str
    text: Marked

    def fault(self, field: str, rule: str) -> FileFault:
        """A broken rule at a field (dotted path) of this file."""
        return FileFault(self.file, self.text.line(field), field, rule)


def read_hospitals(folder: Path) -> list[HospitalFile]:
    """Every `*.yaml` of a folder, by slug. Raises `FilesBroken` with everything that is wrong in any of them."""
    return [read.hospital for read in read_files(folder)]


def read_files(folder: Path) -> list[Read]:
    """The same, with where each says what."""
    faults = [
        FileFault(path.name, 1, "", f"a hospital's file ends in .yaml; there may be a {path.stem}.yaml beside it")
        for path in sorted(folder.glob("*.yml"))
    ]
    found: list[Read] = []
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise FilesBroken([*faults, FileFault(folder.name, 1, "", "the folder holds no hospital's file (*.yaml)")])
    for path in paths:
        try:
            found.append(_read(path))
        except FilesBroken as broken:
            faults += broken.faults
    faults += _clashes(found)
    if faults:
        raise FilesBroken(faults)
    return sorted(found, key=lambda read: read.hospital.slug)


def read_hospital(path: Path) -> HospitalFile:
    """One file. Raises `FilesBroken`."""
    return _read(path).hospital


def definition_of(said: Mapping[str, Any]) -> HospitalFile:
    """What a hospital's file would say, from plain values. Raises `Invalid` with an issue for each field."""
    try:
        return HospitalFile.model_validate(said)
    except ValidationError as error:
        issues = tuple(Issue("hospital-file", rule, field) for field, rule in broken_rules(error))
        raise Invalid("hospital-file", issues[0].message, location=issues[0].location, issues=issues) from error


def as_file(hospital: HospitalFile) -> str:
    """The text of a hospital's file; what it does not say has its default."""
    return marked.written(hospital.model_dump(mode="json", exclude_defaults=True))


def _read(path: Path) -> Read:
    text = _text(path)
    try:
        hospital = HospitalFile.model_validate(text.value)
    except ValidationError as error:
        faults = [FileFault(path.name, text.line(field), field, rule) for field, rule in broken_rules(error)]
        raise FilesBroken(faults) from error
    read = Read(hospital, path.name, text)
    if hospital.slug != path.stem:
        raise FilesBroken([read.fault("slug", f"must be {path.stem}, the name of the file")])
    return read


def _text(path: Path) -> Marked:
    if path.stat().st_size > _LARGEST:
        raise FilesBroken([FileFault(path.name, 1, "", f"a hospital's file has at most {_LARGEST // 1024} KiB")])
    try:
        text = marked.read(path.read_text("utf-8"))
    except Unreadable as error:
        raise FilesBroken([FileFault(path.name, error.line, "", error.rule)]) from error
    except UnicodeDecodeError as error:
        raise FilesBroken([FileFault(path.name, 1, "", "is not UTF-8")]) from error
    if not isinstance(text.value, dict):
        raise FilesBroken([FileFault(path.name, 1, "", "is not a mapping of fields")])
    return text


def broken_rules(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Field (dotted path) and rule of everything that a definition breaks."""
    for each in error.errors():
        rule = _RULES.get(each["type"], each["msg"][:1].lower() + each["msg"][1:])
        yield ".".join(str(part) for part in each["loc"]), rule


def _clashes(found: Sequence[Read]) -> list[FileFault]:
    faults: list[FileFault] = []
    seen: dict[tuple[str, str], str] = {}
    for read in found:
        for kind, value, field in claims(read.hospital.as_json()):
            first = seen.setdefault((kind, value), read.file)
            if first != read.file:
                faults.append(read.fault(field, f"{value} is already that of {first}"))
    return faults
