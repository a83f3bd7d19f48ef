"""Behind the curtain: SQL on connections that are kept, since a new one costs more than most questions."""

import atexit
import select
from collections import defaultdict
from typing import Any

import psycopg

_idle: dict[str, list["psycopg.Connection[Any]"]] = defaultdict(list)


def behind(url: str, statement: Any, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
    """Run one statement by itself and give its rows; nothing that it sets outlives it."""
    connection = _kept(url) or psycopg.connect(url, autocommit=True, prepare_threshold=None)
    try:
        cursor = connection.execute(statement, parameters)
        rows = cursor.fetchall() if cursor.description else []
        connection.execute("DISCARD ALL")
    except BaseException:
        connection.close()
        raise
    _idle[url].append(connection)
    return rows


def _kept(url: str) -> "psycopg.Connection[Any] | None":
    """One that nobody uses and whose server has not ended it: what can be read there unasked is its end."""
    while _idle[url]:
        connection = _idle[url].pop()
        if not select.select([connection.fileno()], [], [], 0)[0]:
            return connection
        connection.close()
    return None


@atexit.register
def _close() -> None:
    for connections in _idle.values():
        for connection in connections:
            connection.close()
