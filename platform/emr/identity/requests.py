"""What a request brings to say who is asking, and what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emr.identity.principal import Principal
from emr.identity.sessions import Ended, Person


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request carries: the session cookie's value and the `Authorization` header, as they came.

    A request with an `Authorization` header is judged by that alone.
    """

    cookie: str | None = None
    authorization: str | None = None


@dataclass(frozen=True, slots=True)
class Browser:
    """Where a sign-in ends: the session cookie that was there before, and the kind of browser and system."""

    cookie: str | None = None
    device: str = ""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Who is asking, and whether this is the first time that the session is used in the hospital."""

    principal: Principal
    first: bool = False


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person's session without regard to a hospital, and where that person may go in: id of the hospital to role.

    operator: the person may open the department's console, too.
    """

    session_id: str
    subject: str
    name: str
    roles: Mapping[str, str]
    operator: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """A session that has just begun: its id and its cookie's value, whose it is, and where the browser goes now."""

    session_id: str
    cookie: str
    person: Person
    return_to: str


@dataclass(frozen=True, slots=True)
class SignedOut:
    """Where the browser goes to end the provider's own session, and the session that was ended here (None: none)."""

    url: str
    ended: Ended | None
