"""Who is signed in at the provider, kept in one small file so that a restart signs nobody out."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from emr_demo.provider.secrets_folder import write_private

_LIFETIME: Final = 12 * 3600
_CODE_LIFETIME: Final = 60


@dataclass(frozen=True, slots=True)
class SignIn:
    """One sign-in of one account at one client; `refresh_digest` is the only refresh token that still counts."""

    sid: str
    subject: str
    client_id: str
    scope: str
    started: int
    refresh_digest: str = ""
    acr: str = "1"

    @property
    def over(self) -> bool:
        """Whether its twelve hours have passed."""
        return time.time() > self.started + _LIFETIME


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code on its way through the browser, in the form that authlib's grants ask for."""

    value: str
    client_id: str
    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str
    code_challenge_method: str
    sid: str
    subject: str
    made: float
    acr: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(self.made)

    def get_acr(self) -> str:
        return self.acr

    def get_amr(self) -> None:
        return None


class SignIns:
    """The sign-ins by session id, and the codes that have not been redeemed."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "provider-sign-ins.json"
        self._codes: dict[str, Code] = {}
        self._by_sid: dict[str, SignIn] = {}
        if self._file.exists():
            rows = json.loads(self._file.read_text("utf-8"))
            self._by_sid = {row["sid"]: SignIn(**row) for row in rows}

    def keep_code(self, code: Code) -> None:
        """Remember a code for a minute."""
        limit = time.time() - _CODE_LIFETIME
        self._codes = {value: kept for value, kept in self._codes.items() if kept.made > limit}
        self._codes[code.value] = code

    def take_code(self, value: str, client_id: str) -> Code | None:
        """Hand a code out once: whatever becomes of this attempt, the code is spent."""
        code = self._codes.pop(value, None)
        if code is None or code.client_id != client_id or code.made < time.time() - _CODE_LIFETIME:
            return None
        return code

    def start(self, sign_in: SignIn) -> None:
        """Remember a new sign-in."""
        self._by_sid[sign_in.sid] = sign_in
        self._save()

    def get(self, sid: str) -> SignIn | None:
        """A sign-in that still counts."""
        found = self._by_sid.get(sid)
        return None if found is None or found.over else found

    def new_refresh_token(self, sid: str) -> str:
        """The next refresh token of a sign-in; the one before it is void from now on."""
        secret = secrets.token_urlsafe(32)
        self._by_sid[sid] = replace(self._by_sid[sid], refresh_digest=_digest(secret))
        self._save()
        return f"{sid}.{secret}"

    def by_refresh_token(self, token: str) -> SignIn | None:
        """The sign-in of a refresh token. A token that was used before ends the whole sign-in, as with Keycloak."""
        sid, _, secret = token.partition(".")
        found = self.get(sid)
        if found is None:
            return None
        if not hmac.compare_digest(found.refresh_digest, _digest(secret)):
            self.end(sid)
            return None
        return found

    def end(self, sid: str) -> SignIn | None:
        """Forget a sign-in; None if there was none."""
        found = self._by_sid.pop(sid, None)
        if found is not None:
            self._save()
        return found

    def of_subject(self, subject: str) -> tuple[SignIn, ...]:
        """Every sign-in of one account."""
        return tuple(found for found in self._by_sid.values() if found.subject == subject)

    def _save(self) -> None:
        rows = [asdict(found) for found in self._by_sid.values() if not found.over]
        write_private(self._file, json.dumps(rows))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
