"""Search criteria of SMART scopes (`patient/Observation.rs?category=…`) as the views of limited sight ask them.

SMART App Launch 2.2, scopes-and-launch-context.html#finer-grained-resource-constraints-using-search-parameters. What is
kept here are criteria by codes: a token parameter without a modifier, `code`, `|code` or `system|code`, several parted
by commas. Anything else is refused by name before a token is issued, and gives nothing in a token of somebody else.
"""

import json
from functools import lru_cache
from typing import Final

from emr.access.scopes import Criteria, Where
from emr.definitions.search import parameter
from emr.records.errors import SearchRefused
from emr.records.keys import key_of, system_number
from emr.records.search.question import Token
from emr.records.search.reading import token_of
from emr.records.search.text import split
from emr.work.runtime import Runtime

_MOST: Final = 20
_NO_KEY: Final = bytes(16)


def install(parts: Runtime) -> None:
    """From now on this process keeps such scopes; in one without this they show nothing."""
    parts.sight_compilers["criteria"] = compiled


def demand_kept(resource_type: str, where: Where) -> None:
    """Raise `SearchRefused`, naming it, for a criterion that is not kept here."""
    if resource_type == "*":
        raise SearchRefused("criterion-unsupported", "Criteria go with one type, not with *.", where[0][0])
    for name, value in where:
        _any_of(_NO_KEY, resource_type, name, value)


@lru_cache(maxsize=1_000)
def compiled(index_key: bytes, criteria: Criteria) -> str:
    """What `Sight.criteria` holds: by type the scopes of which one must fit, of each its criteria, all of which must,
    of each the keys of `tokens`, with the number of the system or without, of which one must be there.
    """
    found: dict[str, list[list[list[str]]]] = {}
    for resource_type, wheres in criteria:
        scopes = found.setdefault(resource_type, [])
        for where in wheres:
            try:
                scopes.append([_any_of(index_key, resource_type, name, value) for name, value in where])
            except SearchRefused:
                continue
    return json.dumps(found)


def _any_of(index_key: bytes, resource_type: str, name: str, value: str) -> list[str]:
    known = parameter(resource_type, name)
    if known is None or known.kind != "token" or not known.supported or not known.paths or name == "identifier":
        raise SearchRefused("criterion-unsupported", f"Scopes are not limited by {name[:64]} here.", name[:64])
    tokens = [token_of(each, name) for each in split(value, ",")]
    if len(tokens) > _MOST or any(each.code is None for each in tokens):
        rule = f"With {name[:64]} a scope names at most {_MOST} codes: code, |code or system|code."
        raise SearchRefused("criterion-unsupported", rule, name[:64])
    return [_held(index_key, path, each) for path in known.paths for each in tokens]


def _held(index_key: bytes, path: str, token: Token) -> str:
    key = key_of(index_key, path, token.code or "")
    return str(key) if token.system is None else f"{key}|{system_number(index_key, token.system)}"
