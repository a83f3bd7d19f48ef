"""YAML of which a person wrote the lines: plain values with the line of each field, and text from plain values.

Read by libyaml's events, some thirty times as fast as a reader in Python. Scalars mean what the core schema of YAML 1.2
says (specification 1.2.2, section 10.3.2): `yes` and `on` are words, and so is what looks like a date.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from yaml import events as happened

_DEEPEST: Final = 10
_CONSTANTS: Final[Mapping[str, Any]] = (
    dict.fromkeys(("", "~", "null", "Null", "NULL"))
    | dict.fromkeys(("true", "True", "TRUE"), True)
    | dict.fromkeys(("false", "False", "FALSE"), False)
)
_WHOLE: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_BASES: Final = {"0o": 8, "0x": 16}
_REAL: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_NUMBERS: Final = tuple("+-.0123456789")
_WIDTH: Final = 120


class Unreadable(Exception):
    """A text that is no YAML, or has what has no place in such a file: on which line (from 1), and the rule."""

    def __init__(self, line: int, rule: str) -> None:
        super().__init__(rule)
        self.line, self.rule = line, rule


@dataclass(frozen=True, slots=True)
class Marked:
    """What a text says, as dicts, lists and scalars, and by dotted path the line (from 1) on which it says so."""

    value: Any
    lines: dict[str, int] = field(default_factory=dict)

    def line(self, path: str) -> int:
        """The line of a field (dotted path), or of the nearest thing above it that is there."""
        while path and path not in self.lines:
            path = path.rpartition(".")[0]
        return self.lines.get(path, 1)


def read(text: str) -> Marked:
    """One document. Raises `Unreadable`.

    Aliases and tags are refused, and so is deep nesting: a few lines with aliases can stand for gigabytes.
    """
    try:
        return _Reader(yaml.parse(text, Loader=yaml.CSafeLoader)).document()
    except yaml.MarkedYAMLError as error:
        # What is missing at the end is missed behind the last line.
        line = min(error.problem_mark.line, text.count("\n")) + 1 if error.problem_mark else 1
        raise Unreadable(line, f"is not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise Unreadable(1, "is not YAML: it holds a control character") from error


def written(value: Mapping[str, Any]) -> str:
    """Plain values as YAML, which readers of 1.1 and of 1.2 understand alike."""
    return str(yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=_WIDTH))


class _Reader:
    """Makes values of events, one document's."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._lines: dict[str, int] = {}

    def document(self) -> Marked:
        value: Any = None
        documents = 0
        for event in self._events:
            if isinstance(event, happened.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _refusal(event, "is more than one document")
                first = next(self._events)
                self._lines[""] = _line(first)
                value = self._value(first, "", 0)
        return Marked(value, self._lines)

    def _value(self, event: Any, path: str, depth: int) -> Any:
        if isinstance(event, happened.AliasEvent):
            raise _refusal(event, "an alias has no place here")
        if event.tag is not None:
            raise _refusal(event, "a tag has no place here")
        if isinstance(event, happened.ScalarEvent):
            return _scalar(event.value) if event.implicit[0] else event.value
        if depth == _DEEPEST:
            raise _refusal(event, "is nested too deeply")
        return (self._list if isinstance(event, happened.SequenceStartEvent) else self._dict)(path, depth + 1)

    def _list(self, path: str, depth: int) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self._events), happened.SequenceEndEvent):
            place = _below(path, str(len(found)))
            self._lines[place] = _line(event)
            found.append(self._value(event, place, depth))
        return found

    def _dict(self, path: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), happened.MappingEndEvent):
            if not isinstance(event, happened.ScalarEvent):
                raise _refusal(event, "is not YAML of this kind: the name of a field is a word")
            if event.value in found:
                raise _refusal(event, f"is not YAML: {event.value} stands there twice")
            place = _below(path, event.value)
            self._lines[place] = _line(event)
            found[event.value] = self._value(next(self._events), place, depth)
        return found


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # the library is not typed
    """Quotes also the words that are numbers to a reader of YAML 1.2 alone, such as 0o17 and 1e3."""


_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(f"(?:{_WHOLE.pattern})$"), _NUMBERS)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(f"(?:{_REAL.pattern})$"), _NUMBERS)


def _scalar(word: str) -> Any:
    if word in _CONSTANTS:
        return _CONSTANTS[word]
    if _WHOLE.fullmatch(word):
        return int(word, _BASES.get(word[:2], 10))
    if _REAL.fullmatch(word):
        return float(word.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return word


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _refusal(event: Any, rule: str) -> Unreadable:
    return Unreadable(_line(event), rule)
