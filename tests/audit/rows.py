"""The audit rows of one request, wherever the sealer has them by now."""

import json
from typing import Any

from tests.house import House


def rows_of(house: House, request_id: str) -> list[dict[str, Any]]:
    """Parsed rows, in the order in which they were written."""
    wanted = f'%"request":"{request_id}"%'
    found = house.sql("SELECT row FROM cell.audit_journal WHERE row LIKE %s ORDER BY seq", wanted)
    for tenant in house.tenants.values():
        found += house.sql(f"SELECT row FROM {tenant.schema}.audit_events WHERE row LIKE %s ORDER BY number", wanted)
    return [json.loads(row[0]) for row in found]


def directory_rows_of(house: House, request_id: str) -> list[dict[str, Any]]:
    wanted = f'%"request":"{request_id}"%'
    return [
        json.loads(row[0]) for row in house.sql("SELECT row FROM directory.audit_journal WHERE row LIKE %s", wanted)
    ]
