"""The audit rows of one request, wherever the sealer has them by now."""

import json
from collections.abc import Iterable
from typing import Any

from tests.house import House

Row = dict[str, Any]


def rows_of(house: House, request_id: str) -> list[Row]:
    """Parsed rows, in the order in which they were written."""
    wanted = f'%"request":"{request_id}"%'
    found = house.sql("SELECT row FROM cell.audit_journal WHERE row LIKE %s ORDER BY seq", wanted)
    for tenant in house.tenants.values():
        found += house.sql(f"SELECT row FROM {tenant.schema}.audit_events WHERE row LIKE %s ORDER BY number", wanted)
    return [json.loads(row[0]) for row in found]


def rows_of_each(house: House, request_ids: Iterable[str]) -> dict[str, list[Row]]:
    """The same of many requests, by their ids, each of which is there; in no order."""
    tables = ["cell.audit_journal", *(f"{tenant.schema}.audit_events" for tenant in house.tenants.values())]
    return _by_request(house, tables, request_ids)


def directory_rows_of(house: House, request_id: str) -> list[Row]:
    """What the directory's trail has of one."""
    return directory_rows_of_each(house, [request_id])[request_id]


def directory_rows_of_each(house: House, request_ids: Iterable[str]) -> dict[str, list[Row]]:
    """What the directory's trail has of many requests."""
    return _by_request(house, ["directory.audit_journal", "directory.audit_events"], request_ids)


def _by_request(house: House, tables: Iterable[str], request_ids: Iterable[str]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {each: [] for each in request_ids}
    every = " UNION ALL ".join(f"SELECT row FROM {table}" for table in tables)
    wanted = "SELECT row FROM (" + every + ") AS rows WHERE row::json ->> 'request' = ANY (%s)"
    for (row,) in house.sql(wanted, list(found)):
        parsed = json.loads(row)
        found[parsed["request"]].append(parsed)
    return found
