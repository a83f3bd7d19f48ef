"""One HTTP client for all that is tried: bounded in how much and how fast it asks, and a stranger to the service."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import urllib3

from emr.identity.visits import Visit
from emr.kernel.errors import Unavailable

_SECONDS: Final = 20.0
_FORM: Final = "application/x-www-form-urlencoded"
AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class Knock:
    """One request. `path` begins with a slash and holds its query."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    form: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; headers by their names in small letters. `text`: headers and body as one text, the body as far as
    it is text.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """Everything that could hold a word."""
        headers = "\n".join(f"{name}: {value}" for name, value in self.headers.items())
        return f"{headers}\n{self.body.decode('latin-1')}"

    def json(self) -> Any:
        """The body as JSON; raises `ValueError` for one that is none."""
        return json.loads(self.body)


class Knocker:
    """Asks at most `per_second` times a second and `AT_ONCE` at one time.

    A client of sockets and threads: one of coroutines takes longer over a request than the service does.
    """

    def __init__(self, base_url: str, cookie_name: str, per_second: int) -> None:
        self._base_url = base_url.rstrip("/")
        self._cookie_name = cookie_name
        self._pause = 1.0 / per_second
        self._next = 0.0
        self._room = asyncio.Semaphore(AT_ONCE)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="knock")
        # A connection that the service has given up meanwhile is no answer; everything else is.
        self._client = urllib3.PoolManager(
            maxsize=AT_ONCE,
            timeout=_SECONDS,
            retries=urllib3.Retry(
                1, connect=0, status=0, redirect=False, allowed_methods=None, respect_retry_after_header=False
            ),
        )

    async def ask(self, knock: Knock, visit: Visit | None) -> Answer:
        """Send it as this visitor; None is nobody. Raises `Unavailable` when nothing answers."""
        headers = dict(knock.headers)
        if visit is not None:
            headers["Cookie"] = f"{self._cookie_name}={visit.cookie}"
        async with self._room:
            await self._wait()
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._send, knock, headers)

    def close(self) -> None:
        """Give the connections back."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.clear()

    def _send(self, knock: Knock, headers: dict[str, str]) -> Answer:
        body = knock.content
        if knock.form:
            body, headers["Content-Type"] = urlencode(knock.form).encode(), _FORM
        try:
            answer = self._client.request(
                knock.method, self._base_url + knock.path, headers=headers, body=body, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable("service-silent", f"The service does not answer: {type(error).__name__}.") from error
        return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.data)

    async def _wait(self) -> None:
        now = time.monotonic()
        self._next = max(self._next + self._pause, now)
        await asyncio.sleep(self._next - now)


@asynccontextmanager
async def knocker(base_url: str, cookie_name: str, per_second: int) -> AsyncIterator[Knocker]:
    """Asks the service at this address, and no proxy between that the environment names."""
    client = Knocker(base_url, cookie_name, per_second)
    try:
        yield client
    finally:
        client.close()
