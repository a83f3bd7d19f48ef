"""Where each cell is: the addresses by which the service and the owner reach the databases that hold hospitals.

The directory's own database is the cell `default` too, unless the settings give that name an address of its own.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from emr.kernel.errors import Invalid
from emr.kernel.tenant import DEDICATED
from emr.settings import Database

DEFAULT_CELL: Final = "default"


def login_urls(settings: Database) -> Mapping[str, str]:
    """The address of the service's login in each cell, by the cell's name."""
    return {DEFAULT_CELL: settings.url} | settings.cells


def owner_urls(settings: Database) -> Mapping[str, str]:
    """The owner's address in each cell, by the cell's name. Raises `Invalid` for a cell that has only one of both."""
    urls = {DEFAULT_CELL: settings.owner_url} | settings.cell_owners
    for name in sorted(login_urls(settings).keys() ^ urls.keys()):
        rule = f"The cell {name} has to stand in EMR_DATABASE__CELLS and in EMR_DATABASE__CELL_OWNERS."
        raise Invalid("cell-halved", rule, location="EMR_DATABASE__CELL_OWNERS")
    return urls


def owner_url(settings: Database, cell: str) -> str:
    """The owner's address in one cell. Raises `Invalid` for a cell that is not configured."""
    urls = owner_urls(settings)
    if cell not in urls:
        rule = f"There is no cell {cell} here; there is {', '.join(sorted(urls))}."
        raise Invalid("cell-unknown", rule, location="cell")
    return urls[cell]


def login_url(settings: Database, cell: str, slug: str, tier: str) -> str:
    """The address of the login that works for a hospital: its own in the dedicated tier, else the cell's.

    Raises `Invalid` for a login that is not configured.
    """
    if tier != DEDICATED:
        return login_urls(settings)[cell]
    name = f"{slug}@{cell}"
    if name not in settings.dedicated:
        rule = f"{slug} is of the dedicated tier and has no login in the cell {cell}: EMR_DATABASE__DEDICATED."
        raise Invalid("dedicated-login-missing", rule, location="tier")
    return settings.dedicated[name]


def all_logins(settings: Database) -> Sequence[str]:
    """Every address at which the service signs in."""
    return (*login_urls(settings).values(), *settings.dedicated.values())
