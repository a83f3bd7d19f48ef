"""What the provider is told when it is made."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from emr.settings import Profile
from emr_demo.provider.people import Hospital

WEB_CLIENT: Final = "emr-web"
AUDIENCE: Final = "emr-api"


class NotForProduction(Exception):
    """The provider knows no passwords, so it runs in the demo and in tests, on loopback, and nowhere else."""


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """issuer: `http://127.0.0.1:PORT`, where the provider is reached. platform_url: where `emr serve` is reached.
    folder: the demo's data folder. access_seconds: how long a person's access token is good for.
    """

    profile: Profile
    issuer: str
    platform_url: str
    folder: Path
    hospitals: tuple[Hospital, ...]
    access_seconds: int = 120

    def __post_init__(self) -> None:
        if self.profile == "production":
            raise NotForProduction("the demo's OpenID provider does not start while EMR_PROFILE is production")
        for address in (self.issuer, self.platform_url):
            if not is_loopback(urlsplit(address).hostname):
                raise NotForProduction(f"the demo's OpenID provider serves loopback addresses only, not {address}")

    @property
    def redirect_uri(self) -> str:
        """Where codes are sent."""
        return f"{self.platform_url}/auth/callback"

    @property
    def logout_uri(self) -> str:
        """Where logout tokens are posted."""
        return f"{self.platform_url}/auth/backchannel-logout"

    @property
    def port(self) -> int:
        """The port of the issuer."""
        return urlsplit(self.issuer).port or 80


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
