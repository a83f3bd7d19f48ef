"""One thing that a realm of an older release lacks, and how it gets it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from keycloak import KeycloakAdmin


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done to the realm.

    of, name: what it is done to, by Keycloak's name of it; `what` says what it gets. `make` does it and raises
    KeycloakError. Changes are made in the order in which they were found: a later one may need an earlier one.
    """

    verb: Literal["add", "change", "bind"]
    of: Literal["client", "scope", "flow", "provider"]
    name: str
    what: str
    make: Callable[[KeycloakAdmin], object] = field(repr=False, compare=False)
