"""What a client would like, in one place: the `Prefer` header (RFC 7240; FHIR R4, http.html#ops and search.html)."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from fastapi import Request

Return = Literal["minimal", "representation", "OperationOutcome"]

_RETURNS: Final[dict[str, Return]] = {
    "minimal": "minimal",
    "representation": "representation",
    "operationoutcome": "OperationOutcome",
}


@dataclass(frozen=True, slots=True)
class Preferences:
    """`returns` is None when nothing is said of it. lenient: ignore unknown search parameters, and say so.

    respond_async: answer 202 and do it later, where that is offered.
    """

    returns: Return | None = None
    lenient: bool = False
    respond_async: bool = False


def preferences_of(request: Request) -> Preferences:
    """The preferences that are understood; a server may pass over all others (RFC 7240, section 2).

    What stands first counts, as the RFC says of repetitions.
    """
    stated: dict[str, str] = {}
    for part in re.split(r"[;,]", ",".join(request.headers.getlist("prefer"))):
        name, _, value = part.strip().partition("=")
        stated.setdefault(name.strip().lower(), value.strip().strip('"').lower())
    return Preferences(
        returns=_RETURNS.get(stated.get("return", "")),
        lenient=stated.get("handling") == "lenient",
        respond_async="respond-async" in stated,
    )
