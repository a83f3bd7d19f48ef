"""The accounts of a hospital's people at Keycloak: found or made, in the hospital's organization, opened and closed."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from keycloak import KeycloakAdmin
from keycloak.exceptions import KeycloakError

from emr.identity.realm import ABSENT, ALREADY, REFUSED, Realm, refusal
from emr.kernel.errors import NotFound

_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that a reader takes for one another."""
_MAIL_SECONDS: Final = 72 * 3600
_FAILED: Final = 500
_MANAGED: Final = "MANAGED"
PASSWORD: Final = "UPDATE_PASSWORD"  # noqa: S105 - the name of a required action
SECOND_FACTOR: Final = "CONFIGURE_TOTP"


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the provider knows it. `verified`: its owner has proved to read the e-mail address."""

    subject: str
    email: str
    name: str
    enabled: bool
    verified: bool


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be made; `actions` are what its owner must do at the first sign-in."""

    email: str
    name: str
    actions: tuple[str, ...] = (PASSWORD,)


class People:
    """Every call is safe to repeat. What each raises: see `Realm.ask`."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm

    async def find(self, email: str) -> Account | None:
        """The account with this e-mail address."""
        return await self._realm.ask(lambda admin: _find(admin, email.lower()))

    async def find_all(self, emails: Sequence[str]) -> Mapping[str, str]:
        """The subjects of those e-mail addresses that have an account."""
        return await self._realm.ask(lambda admin: _find_all(admin, emails))

    async def get(self, subject: str) -> Account:
        """The account of a subject; NotFound when the provider has none."""
        return _account(await self._realm.ask(lambda admin: _user(admin, subject)))

    async def find_or_make(self, wanted: NewAccount) -> tuple[Account, bool]:
        """The account with this e-mail address, and whether it was made just now."""
        return await self._realm.ask(lambda admin: _find_or_make(admin, wanted))

    async def join(self, organization_id: str, subject: str) -> None:
        """Put an account into a hospital's organization."""
        await self._realm.ask(lambda admin: join(admin, organization_id, subject))

    async def leave(self, organization_id: str, subject: str) -> None:
        """Take an account out of a hospital's organization.

        An account that came through the hospital's own identity provider stays: Keycloak would delete it.
        """
        await self._realm.ask(lambda admin: _leave(admin, self._realm.name, organization_id, subject))

    async def one_time_password(self, subject: str) -> str:
        """A password that its owner must change at the next sign-in; it is kept nowhere."""
        password = "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(5))
        await self._realm.ask(lambda admin: admin.set_user_password(subject, password, temporary=True))
        return password

    async def send_link(self, subject: str, actions: Sequence[str]) -> bool:
        """Have Keycloak send a link by e-mail, good for three days; False where it cannot send any."""
        return await self._realm.ask(lambda admin: _send_link(admin, subject, actions))

    async def close(self, subject: str) -> None:
        """Nobody signs in with this account any more, and its sessions at the provider end. None such is as good."""
        await self._realm.ask(lambda admin: _close(admin, subject))

    async def reopen(self, subject: str) -> None:
        """Take a closing back."""
        await self._realm.ask(lambda admin: _set_enabled(admin, subject, wanted=True))

    async def end_sessions(self, subject: str) -> None:
        """End every session of the account at the provider."""
        await self._realm.ask(lambda admin: admin.user_logout(subject))


def join(admin: KeycloakAdmin, organization_id: str, subject: str) -> None:
    """Put a user into an organization; one who is in it stays in it."""
    try:
        admin.organization_user_add(subject, organization_id)
    except KeycloakError as error:
        if error.response_code != ALREADY:
            raise


def _find(admin: KeycloakAdmin, email: str) -> Account | None:
    found = admin.get_users({"email": email, "exact": "true"})
    return next((_account(each) for each in found), None)


def _find_all(admin: KeycloakAdmin, emails: Sequence[str]) -> dict[str, str]:
    found = ((email, _find(admin, email.lower())) for email in emails)
    return {email: account.subject for email, account in found if account is not None}


def _user(admin: KeycloakAdmin, subject: str) -> dict[str, Any]:
    try:
        return dict(admin.get_user(subject))
    except KeycloakError as error:
        if error.response_code == ABSENT:
            raise NotFound("account-unknown", "The identity provider has no such account.") from error
        raise


def _find_or_make(admin: KeycloakAdmin, wanted: NewAccount) -> tuple[Account, bool]:
    email = wanted.email.lower()
    found = _find(admin, email)
    if found is not None:
        return found, False
    # Keycloak shows the two parts in this order, so a Vietnamese name stays as it is said.
    given, _, last = wanted.name.rpartition(" ")
    subject = admin.create_user(
        {
            "username": email,
            "email": email,
            "firstName": given or last,
            "lastName": last,
            "enabled": True,
            "requiredActions": list(wanted.actions),
        }
    )
    return Account(str(subject), email, wanted.name, enabled=True, verified=False), True


def _leave(admin: KeycloakAdmin, realm: str, organization_id: str, subject: str) -> None:
    answer = admin.connection.raw_get(f"admin/realms/{realm}/organizations/{organization_id}/members/{subject}")
    if answer.status_code in (ABSENT, REFUSED):
        return
    if answer.status_code != 200:
        raise refusal(KeycloakError("member", answer.status_code, answer.content))
    if answer.json().get("membershipType") != _MANAGED:
        admin.organization_user_remove(subject, organization_id)


def _send_link(admin: KeycloakAdmin, subject: str, actions: Sequence[str]) -> bool:
    try:
        admin.send_update_account(subject, list(actions), lifespan=_MAIL_SECONDS)
    except KeycloakError as error:
        if error.response_code == _FAILED:
            return False
        raise
    return True


def _close(admin: KeycloakAdmin, subject: str) -> None:
    try:
        _set_enabled(admin, subject, wanted=False)
        admin.user_logout(subject)
    except NotFound:
        return


def _set_enabled(admin: KeycloakAdmin, subject: str, *, wanted: bool) -> None:
    admin.update_user(subject, _user(admin, subject) | {"enabled": wanted})


def _account(user: Mapping[str, Any]) -> Account:
    name = " ".join(part for part in (user.get("firstName"), user.get("lastName")) if part)
    return Account(
        subject=str(user["id"]),
        email=str(user.get("email") or user.get("username", "")),
        name=name,
        enabled=bool(user.get("enabled")),
        verified=bool(user.get("emailVerified")),
    )
