"""Log lines: JSON in production, readable on a terminal, and never a patient in them.

Three fences: only keys on the allow-list are written; a value that is long, not ASCII or holds nine digits in a row
is withheld (names have accents; record, insurance, citizen and telephone numbers have digits); of an exception only
its type and its places in the code are written, because messages quote data. What other libraries log is reduced to
who logged it and where, unless the library is trusted to speak of machinery only.
"""

import functools
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import Any, ClassVar, Final, TextIO

import structlog

from emr.kernel.errors import Refusal
from emr.settings import Telemetry
from emr.telemetry import activity, spans

_IDS: Final = frozenset({"at", "request_id", "trace_id", "host", "holder"})
KEYS: Final = _IDS | {
    "event", "level", "logger", "process", "pid", "where", "error", "frames", "sqlstate", "code", "activity",
    "hospital", "hospitals", "method", "route", "status", "ms", "seconds", "bytes", "rows", "count", "refused", "job",
    "batch", "batches", "destination", "table_version", "attempt", "attempts", "fence", "port",
    "state", "signal", "outcome", "role", "permission", "use_case", "resource_type", "check", "reason", "revision",
    "target", "history", "peer_title", "called_title", "size", "limit", "profile", "version", "wait_ms", "category",
}  # fmt: skip
"""What a line may hold. A key that is missing here is left out, so a new one is a decision and not an accident."""

WITHHELD: Final = "[withheld]"
_LONGEST: Final = 200
_TELLING: Final = re.compile(r"[^\x20-\x7e]|(?:\d[ .-]?){9}")
_TRUSTED: Final = ("emr", "uvicorn.error", "alembic")
_QUIET: Final = ("uvicorn.access", "httpx", "httpcore", "urllib3", "asyncio.slow", "pynetdicom", "pydicom", "minio")
_INSTALLED: Final = re.compile(r".*/(?:site-packages|platform|python3\.\d+)/")

Event = MutableMapping[str, Any]


def configure_logs(settings: Telemetry, process: str, stream: TextIO | None = None) -> None:
    """Everything that is logged from now on goes to `stream` (standard error), ours and other libraries' alike."""
    out = stream or sys.stderr
    level = logging.getLevelName(settings.log_level.upper())
    render: Any = _as_json if settings.log_format == "json" else structlog.dev.ConsoleRenderer(colors=out.isatty())
    fence: list[Any] = [structlog.stdlib.add_log_level, _Stamp(process), _told_exception, _allow, render]
    structlog.configure(
        processors=fence,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Foreign(fence, out)]
    root.setLevel(max(level, logging.INFO))
    logging.captureWarnings(True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    _Requests.line = _request_lines(process, out) if render is _as_json and level <= logging.INFO else _through_fence


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """A logger: `log.info("what happened", rows=3)`. The event is constant text; facts go into keys of `KEYS`."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


def log_request(method: str, route: str, status: int, ms: float) -> None:
    """The one line of an answered request. `route` is a template."""
    _Requests.line(method, route, status, ms)


def _through_fence(method: str, route: str, status: int, ms: float) -> None:
    get_logger().info("request", method=method, route=route, status=status, ms=ms)


class _Requests:
    """How this process writes the line of a request."""

    line: ClassVar[Callable[[str, str, int, float], None]] = staticmethod(_through_fence)


def _request_lines(process: str, stream: TextIO) -> Callable[[str, str, int, float], None]:
    """The same line put together by hand, in a fifth of the time: each of its values is the platform's own."""
    write, flush, written = stream.write, stream.flush, functools.lru_cache(1024)(json.dumps)

    def line(method: str, route: str, status: int, ms: float) -> None:
        doing, trace = activity.current(), spans.trace_id()
        rest = "" if trace is None else f',"trace_id":"{trace}"'
        if doing is not None:
            rest += f',"request_id":"{doing.id}"' + (f',"hospital":"{doing.hospital}"' if doing.hospital else "")
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        write(
            f'{{"event":"request","level":"info","at":"{at}","process":"{process}","method":"{method}"'
            f',"route":{written(route)},"status":{status},"ms":{ms}{rest}}}\n'
        )
        flush()

    return line


class _Stamp:
    """Adds when, which process, and what the task is about."""

    def __init__(self, process: str) -> None:
        self._process = process

    def __call__(self, logger: object, verb: str, event: Event) -> Event:
        del logger, verb
        event["at"] = datetime.now(UTC).isoformat(timespec="milliseconds")
        event["process"] = self._process
        doing = activity.current()
        if doing is not None:
            event["request_id"] = doing.id
            if doing.hospital is not None:
                event.setdefault("hospital", doing.hospital)
            if doing.name is not None:
                event["activity"] = doing.name
        trace = spans.trace_id()
        if trace is not None:
            event["trace_id"] = trace
        return event


def _told_exception(logger: object, verb: str, event: Event) -> Event:
    del logger, verb
    found = event.pop("exc_info", None)
    error = sys.exc_info()[1] if found is True else found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event.update(exception_facts(error))
    return event


def exception_facts(error: BaseException) -> dict[str, object]:
    """What may be told of an exception: types from the outermost to the cause, where it came from, codes of ours."""
    chain = list(_causes(error))
    facts: dict[str, object] = {
        "error": " < ".join(type(one).__name__ for one in chain),
        "frames": list(_frames(chain[-1].__traceback__))[-12:],
    }
    for one in chain:
        if isinstance(one, Refusal):
            facts.setdefault("code", one.code)
        state = getattr(one, "sqlstate", None)
        if isinstance(state, str):
            facts.setdefault("sqlstate", state)
    return facts


def _causes(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _frames(trace: TracebackType | None) -> Iterator[str]:
    for frame, line in walk_tb(trace):
        yield f"{_INSTALLED.sub('', frame.f_code.co_filename)}:{line} {frame.f_code.co_name}"


def _allow(logger: object, verb: str, event: Event) -> Event:
    """Leave out keys that are not on the list and withhold values that could tell of a person."""
    del logger, verb
    return {key: value if key in _IDS else _safe(value) for key, value in event.items() if key in KEYS}


def _safe(value: object) -> object:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < 10**15 else WITHHELD
    if isinstance(value, list | tuple):
        return [_safe(one) for one in value[:20]]
    text = str(value)
    return WITHHELD if len(text) > _LONGEST or _TELLING.search(text) else text


def _as_json(logger: object, verb: str, event: Event) -> str:
    del logger, verb
    return json.dumps(event, separators=(",", ":"), default=str)


class _Foreign(logging.Handler):
    """What libraries log by the standard module, through the same fence."""

    def __init__(self, fence: list[Any], stream: TextIO) -> None:
        super().__init__()
        self._fence, self._stream = fence, stream

    def emit(self, record: logging.LogRecord) -> None:
        trusted = record.name.split(".")[0] == "emr" or record.name.startswith(_TRUSTED[1:])
        event: Any = {
            "event": record.getMessage().strip() if trusted else "A library logged something.",
            "logger": record.name,
            "where": f"{Path(record.pathname).name}:{record.lineno}",
            "exc_info": record.exc_info,
        }
        for step in self._fence:
            event = step(None, record.levelname.lower(), event)
        self._stream.write(event + "\n")
        self._stream.flush()
