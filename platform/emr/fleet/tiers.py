"""A standing hospital's tier: the login that it works with is another one, and not a request fails meanwhile.

Nothing is copied, so nothing waits. The new login may become the hospital before the directory says so, and the old one
until every process has heard it; what is cut off in between, `plan` shows as a right too many, and `apply` takes it.
"""

from typing import Final

from sqlalchemy import Connection, text

from emr.db import roles, seen
from emr.db.cells import login_url
from emr.fleet.migration import login_of
from emr.fleet.owned import in_cell
from emr.kernel.errors import Conflict
from emr.kernel.tenant import DEDICATED
from emr.settings import Database
from emr.tenancy.definition import HospitalFile
from emr.tenancy.registry import REFRESH_SECONDS

HEARD_SECONDS: Final = 3 * REFRESH_SECONDS
"""After so long every process that reaches the directory knows what it says of a hospital."""
_ROW: Final = text("SELECT schema, cell, moving_since FROM directory.tenants WHERE slug = :slug FOR UPDATE")
_PASTS: Final = text("""
SELECT count(*) FROM directory.rewinds r JOIN directory.tenants t ON t.id = r.tenant_id
WHERE t.slug = :slug AND r.state IN ('opening', 'open')
""")


def let_in(connection: Connection, settings: Database, hospital: HospitalFile) -> tuple[str, str]:
    """Let the login of the tier that is wanted become the hospital, beside the one that does; its address, and the
    hospital's schema, for `roles.demand_login` once this is committed.

    Raises `Invalid` where the tier's login is not configured, `Conflict` for a hospital on the move, and for one whose
    past is open: the past knows the old login alone.
    """
    row = connection.execute(_ROW, {"slug": hospital.slug}).one()
    url = login_url(settings, row.cell, hospital.slug, hospital.tier)
    if row.moving_since is not None:
        raise Conflict("hospital-moving", "The hospital is on its way to another cell; change its tier there.")
    if connection.execute(_PASTS, {"slug": hospital.slug}).scalar_one():
        raise Conflict("past-open", "A past of the hospital is open; close it, or wait until it closes.")
    with in_cell(connection, settings, row.cell) as cell:
        dedicated = hospital.tier == DEDICATED
        roles.make_hospital_role(cell, row.schema, login_of(url), dedicated=dedicated)
        seen.establish(cell, row.schema)
    return url, row.schema
