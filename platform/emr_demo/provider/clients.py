"""The OAuth clients that the provider knows: the platform's web client, and one behind `emr token` for each account."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Final

from authlib.oauth2.rfc6749 import ClientMixin

from emr_demo.provider.people import Account

_PREFIXES: Final = ("organization:", "patient/", "user/", "system/")
"""Which organization, and SMART scopes, as an operator of Keycloak could add them."""
_PLAIN_SCOPES: Final = frozenset({"openid", "profile", "email", "organization"})


@dataclass(frozen=True)
class Client(ClientMixin):
    """A confidential client. `account` is set on clients that act for one account by client credentials."""

    client_id: str
    secret: str = field(repr=False)
    grants: frozenset[str]
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    account: Account | None = None

    @property
    def client_metadata(self) -> dict[str, tuple[str, ...]]:
        """What authlib's end-session endpoint looks into."""
        return {"post_logout_redirect_uris": self.post_logout_redirect_uris}

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """There is none: a request names its redirect URI."""

    def get_allowed_scope(self, scope: str | None) -> str:
        """What is left of the scopes that were asked for; unknown ones are dropped silently, as Keycloak does."""
        return " ".join(part for part in (scope or "").split() if _known(part))

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        return hmac.compare_digest(self.secret.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        del endpoint
        return method in {"client_secret_basic", "client_secret_post"}

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and bool(self.redirect_uris)

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.grants


def _known(scope: str) -> bool:
    return scope in _PLAIN_SCOPES or scope.startswith(_PREFIXES)
