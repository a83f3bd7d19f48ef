"""How surely somebody proved who they are: whether with a second factor, and when.

A provider says so in `acr` (OpenID Connect Core 1.0, section 2: which class of authentication was kept) or `amr`
(RFC 8176: by which methods). Which of their values count is the installation's to say; what the token does not say was
not proved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Strength:
    """The values of `acr` and `amr` that prove a second factor; the first `acr` is what a step-up asks for."""

    acr: tuple[str, ...]
    amr: frozenset[str]

    def proved(self, claims: Mapping[str, Any]) -> bool:
        """Whether a verified token says that a second factor was shown."""
        methods = claims.get("amr")
        named = (
            frozenset(each for each in methods if isinstance(each, str)) if isinstance(methods, list) else frozenset()
        )
        return claims.get("acr") in self.acr or not self.amr.isdisjoint(named)


def authenticated_at(claims: Mapping[str, Any]) -> datetime | None:
    """When the person was last asked, from `auth_time`; None where the token does not say."""
    said = claims.get("auth_time")
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 < said < 1e11:
        return None
    return datetime.fromtimestamp(said, UTC)
