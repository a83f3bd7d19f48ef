"""A hospital that begins with some departments, as the live service sees it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.house import House

_SAY = "UPDATE directory.tenants SET definition = jsonb_set(definition, '{pilot}', %s::jsonb) WHERE slug = %s"


@contextmanager
def piloted(live: House, slug: str, part: dict[str, Any]) -> Iterator[None]:
    """This pilot, which must hold something back from the hospital's doctor; afterwards none, and both are heard."""
    _say(live, slug, part)
    try:
        yield
    finally:
        _say(live, slug, None)


def _say(live: House, slug: str, part: dict[str, Any] | None) -> None:
    live.sql(_SAY, json.dumps(part), slug)
    deadline = time.monotonic() + 30
    with live.client("doctor", slug, headers={"Accept": "text/html"}) as client:
        while ("data-held-back" in client.get(f"{live.url}/h/{slug}/").text) is (part is None):
            assert time.monotonic() < deadline
            time.sleep(0.1)
