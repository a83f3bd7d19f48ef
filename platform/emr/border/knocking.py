"""One HTTP client for all that is tried: bounded in how much and how fast it asks, and a stranger to the service."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from emr.identity.visits import Visit

_SECONDS: Final = 20.0
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
    """What came back. `text`: headers and body as one text, the body as far as it is text."""

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
        return httpx.Response(200, content=self.body).json()


class Knocker:
    """Asks at most `per_second` times a second and `AT_ONCE` at one time."""

    def __init__(self, client: httpx.AsyncClient, cookie_name: str, per_second: int) -> None:
        self._client = client
        self._cookie_name = cookie_name
        self._pause = 1.0 / per_second
        self._next = 0.0
        self._room = asyncio.Semaphore(AT_ONCE)
        self.count = 0

    async def ask(self, knock: Knock, visit: Visit | None) -> Answer:
        """Send it as this visitor; None is nobody."""
        headers = dict(knock.headers)
        if visit is not None:
            headers["Cookie"] = f"{self._cookie_name}={visit.cookie}"
        async with self._room:
            await self._wait()
            self.count += 1
            answer = await self._client.request(
                knock.method, knock.path, headers=headers, content=knock.content, data=knock.form
            )
        return Answer(answer.status_code, dict(answer.headers), answer.content)

    async def _wait(self) -> None:
        now = time.monotonic()
        self._next = max(self._next + self._pause, now)
        await asyncio.sleep(self._next - now)


@asynccontextmanager
async def knocker(base_url: str, cookie_name: str, per_second: int) -> AsyncIterator[Knocker]:
    """Asks the service at this address, and no proxy between that the environment names."""
    client = httpx.AsyncClient(base_url=base_url, timeout=_SECONDS, trust_env=False, follow_redirects=False)
    async with client:
        yield Knocker(client, cookie_name, per_second)
