"""Read hospitals' files; what is wrong is named by file, line, field and rule, and then nothing is read at all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent

from emr.kernel.errors import Invalid, Issue
from emr.tenancy.definition import HospitalFile

_LARGEST: Final = 64 * 1024
_DEEPEST: Final = 10
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


def read_hospitals(folder: Path) -> list[HospitalFile]:
    """Every `*.yaml` of a folder, by slug. Raises `FilesBroken` with everything that is wrong in any of them."""
    faults: list[FileFault] = []
    hospitals: list[tuple[HospitalFile, str]] = []
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise FilesBroken([FileFault(folder.name, 1, "", "the folder holds no hospital's file (*.yaml)")])
    for path in paths:
        try:
            hospitals.append((read_hospital(path), path.name))
        except FilesBroken as broken:
            faults += broken.faults
    faults += _clashes(hospitals)
    if faults:
        raise FilesBroken(faults)
    return sorted((hospital for hospital, _ in hospitals), key=lambda hospital: hospital.slug)


def read_hospital(path: Path) -> HospitalFile:
    """One file. Raises `FilesBroken`."""
    tree = _parsed(path)
    try:
        hospital = HospitalFile.model_validate(_plain(tree))
    except ValidationError as error:
        raise FilesBroken([_fault(path.name, tree, each) for each in error.errors()]) from error
    if hospital.slug != path.stem:
        rule = f"must be {path.stem}, the name of the file"
        raise FilesBroken([FileFault(path.name, _line(tree, ("slug",)), "slug", rule)])
    return hospital


def _parsed(path: Path) -> CommentedMap:
    if path.stat().st_size > _LARGEST:
        raise FilesBroken([FileFault(path.name, 1, "", f"a hospital's file has at most {_LARGEST // 1024} KiB")])
    try:
        text = path.read_text("utf-8")
        _refuse_bombs(path, text)
        tree = YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise FilesBroken([FileFault(path.name, line, "", f"is not YAML: {error.problem}")]) from error
    except UnicodeDecodeError as error:
        raise FilesBroken([FileFault(path.name, 1, "", "is not UTF-8")]) from error
    except YAMLError as error:
        raise FilesBroken([FileFault(path.name, 1, "", "is not YAML: it holds a control character")]) from error
    if not isinstance(tree, CommentedMap):
        raise FilesBroken([FileFault(path.name, 1, "", "is not a mapping of fields")])
    return tree


def _refuse_bombs(path: Path, text: str) -> None:
    """A few lines with aliases can stand for gigabytes, and deep nesting ends the process: refused before either."""
    depth = 0
    for event in YAML(typ="rt", pure=True).parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        rule = "an alias has no place here" if isinstance(event, AliasEvent) else "is nested too deeply"
        if isinstance(event, AliasEvent) or depth > _DEEPEST:
            raise FilesBroken([FileFault(path.name, event.start_mark.line + 1, "", rule)])


def _plain(value: Any) -> Any:
    """Lists and dicts of plain values: the reader's own types would not pass strict checks."""
    if isinstance(value, CommentedMap):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, CommentedSeq):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool) or value is None:
        return value
    return int(value) if isinstance(value, int) else value


def _fault(file: str, tree: CommentedMap, error: Any) -> FileFault:
    path = tuple(error["loc"])
    rule = _RULES.get(error["type"], error["msg"][:1].lower() + error["msg"][1:])
    return FileFault(file, _line(tree, path), ".".join(str(part) for part in path), rule)


def _line(tree: Any, path: tuple[Any, ...]) -> int:
    """The line of a field, or of the nearest thing above it that is there."""
    line = tree.lc.line
    for part in path:
        try:
            line = tree.lc.key(part)[0] if isinstance(tree, CommentedMap) else tree.lc.item(part)[0]
            tree = tree[part]
        except (KeyError, IndexError, AttributeError, TypeError):
            break
    return int(line) + 1


def _clashes(hospitals: Sequence[tuple[HospitalFile, str]]) -> list[FileFault]:
    """What must be different in every file."""
    faults: list[FileFault] = []
    distinct: tuple[tuple[str, Callable[[HospitalFile], str | None]], ...] = (
        ("facility_code", lambda hospital: hospital.facility_code),
        ("dicom.ae_title", lambda hospital: hospital.dicom.ae_title if hospital.dicom else None),
        ("identity.organization", lambda hospital: hospital.identity.organization),
    )
    for field, value_of in distinct:
        seen: dict[str, str] = {}
        for hospital, file in hospitals:
            value = value_of(hospital)
            if value in seen:
                faults.append(FileFault(file, 1, field, f"{value} is already that of {seen[value]}"))
            elif value is not None:
                seen[value] = file
    return faults
