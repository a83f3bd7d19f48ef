"""Read hospitals' files, and write one; what is wrong is named by file, line, field and rule: then nothing is read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.parser import RoundTripParser

from emr.kernel.errors import Invalid, Issue
from emr.tenancy.claims import claims
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


@dataclass(frozen=True, slots=True)
class Read:
    """A hospital's file as it was read: what it says, and where."""

    hospital: HospitalFile
    file: str
    tree: CommentedMap

    def fault(self, field: str, rule: str) -> FileFault:
        """A broken rule at a field (dotted path) of this file."""
        return _fault(self.file, self.tree, (field, rule))


class _Forbidden(Exception):
    """YAML that has no place in a hospital's file: on which line, and the rule."""

    def __init__(self, line: int, rule: str) -> None:
        super().__init__(rule)
        self.line, self.rule = line, rule


class _BoundedParser(RoundTripParser):
    """Refuses while it reads: a few lines with aliases can stand for gigabytes, and deep nesting ends the process."""

    _depth = 0

    def get_event(self) -> Any:
        """The next event. Raises `_Forbidden`."""
        event = super().get_event()
        self._depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if isinstance(event, AliasEvent):
            raise _Forbidden(event.start_mark.line + 1, "an alias has no place here")
        if self._depth > _DEEPEST:
            raise _Forbidden(event.start_mark.line + 1, "is nested too deeply")
        return event


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
    text = StringIO()
    yaml = YAML(pure=True)
    yaml.width = 120
    yaml.dump(hospital.model_dump(mode="json", exclude_defaults=True), text)
    return text.getvalue()


def _read(path: Path) -> Read:
    tree = _parsed(path)
    try:
        hospital = HospitalFile.model_validate(_plain(tree))
    except ValidationError as error:
        raise FilesBroken([_fault(path.name, tree, each) for each in broken_rules(error)]) from error
    read = Read(hospital, path.name, tree)
    if hospital.slug != path.stem:
        raise FilesBroken([read.fault("slug", f"must be {path.stem}, the name of the file")])
    return read


def _parsed(path: Path) -> CommentedMap:
    if path.stat().st_size > _LARGEST:
        raise FilesBroken([FileFault(path.name, 1, "", f"a hospital's file has at most {_LARGEST // 1024} KiB")])
    try:
        text = path.read_text("utf-8")
        reader = YAML(typ="rt", pure=True)
        reader.Parser = _BoundedParser
        tree = reader.load(text)
    except _Forbidden as error:
        raise FilesBroken([FileFault(path.name, error.line, "", error.rule)]) from error
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


def broken_rules(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Field (dotted path) and rule of everything that a definition breaks."""
    for each in error.errors():
        rule = _RULES.get(each["type"], each["msg"][:1].lower() + each["msg"][1:])
        yield ".".join(str(part) for part in each["loc"]), rule


def _fault(file: str, tree: CommentedMap, broken: tuple[str, str]) -> FileFault:
    field, rule = broken
    path = tuple(int(part) if part.isdecimal() else part for part in field.split("."))
    return FileFault(file, _line(tree, path), field, rule)


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


def _clashes(found: Sequence[Read]) -> list[FileFault]:
    faults: list[FileFault] = []
    seen: dict[tuple[str, str], str] = {}
    for read in found:
        for kind, value, field in claims(read.hospital.as_json()):
            first = seen.setdefault((kind, value), read.file)
            if first != read.file:
                faults.append(read.fault(field, f"{value} is already that of {first}"))
    return faults
