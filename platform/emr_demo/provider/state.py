"""Everything the provider knows while it runs, and what a test or the demo may do to it."""

from __future__ import annotations

import logging
from urllib.parse import urlencode

import httpx

from emr_demo.provider.clients import Client
from emr_demo.provider.config import WEB_CLIENT, ProviderConfig
from emr_demo.provider.people import Account, accounts
from emr_demo.provider.secrets_folder import signing_key, token_secret, web_secret
from emr_demo.provider.sign_ins import SignIn, SignIns
from emr_demo.provider.tokens import Signer

_LOG = logging.getLogger(__name__)


class State:
    """Accounts, clients, sign-ins and the key."""

    def __init__(self, config: ProviderConfig) -> None:
        self.config = config
        self.signer = Signer(key=signing_key(config.folder), issuer=config.issuer)
        self.sign_ins = SignIns(config.folder)
        self.accounts = accounts(config.hospitals)
        self._by_subject = {account.subject: account for account in self.accounts}
        self._disabled: set[str] = set()
        secret = token_secret(config.folder)
        self._clients = {
            account.username: Client(
                client_id=account.username,
                secret=secret,
                grants=frozenset({"client_credentials"}),
                account=account,
            )
            for account in self.accounts
        }
        self._clients[WEB_CLIENT] = Client(
            client_id=WEB_CLIENT,
            secret=web_secret(config.folder),
            grants=frozenset({"authorization_code", "refresh_token"}),
            redirect_uris=(config.redirect_uri,),
            post_logout_redirect_uris=_after_sign_out(config),
        )

    def client(self, client_id: str) -> Client | None:
        """A client by its id."""
        found = self._clients.get(client_id)
        if found is not None and found.account is not None and found.account.subject in self._disabled:
            return None
        return found

    def account(self, subject: str) -> Account | None:
        """An account that may sign in."""
        return None if subject in self._disabled else self._by_subject.get(subject)

    def disable(self, subject: str) -> None:
        """Lock an account: no new sign-in and no refresh; running sessions are not told, as with Keycloak."""
        self._disabled.add(subject)

    def enable(self, subject: str) -> None:
        """Unlock an account."""
        self._disabled.discard(subject)

    def end_all(self, subject: str) -> None:
        """End every sign-in of an account and tell the client."""
        for sign_in in self.sign_ins.of_subject(subject):
            self.end(sign_in.sid)

    def end(self, sid: str) -> None:
        """End one sign-in and tell the client."""
        found = self.sign_ins.end(sid)
        if found is not None:
            self._tell(found)

    def _tell(self, sign_in: SignIn) -> None:
        """Post the logout token. A client that does not answer is noted: its session then ends by itself."""
        token = self.signer.logout_token(sign_in.subject, client_id=sign_in.client_id, sid=sign_in.sid)
        try:
            answer = httpx.post(self.config.logout_uri, data={"logout_token": token}, timeout=5, trust_env=False)
            answer.raise_for_status()
        except httpx.HTTPError as problem:
            _LOG.warning("back-channel logout was not taken: %s", type(problem).__name__)


def _after_sign_out(config: ProviderConfig) -> tuple[str, ...]:
    """Home; or, where somebody else takes over a hospital's PC, straight on to signing in there."""
    home = f"{config.platform_url}/"
    onward = (f"auth/sign-in?{urlencode({'to': f'/h/{place.alias}/'})}" for place in config.hospitals)
    return (home, *(f"{home}{path}" for path in onward))
