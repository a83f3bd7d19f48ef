"""The refusals of this package. Their texts say nothing that an outsider could learn from.

Unauthenticated ── NotSignedIn, SessionLocked, TokenRefused, ClientRefused
Forbidden       ── NotAMember, NotAnOperator, ForeignForm, SecondFactorNeeded, SecondFactorMissing, RecentSignInNeeded
Malformed       ── SignInRefused, LogoutTokenRefused, UnsafeReturn, GrantInvalid, ScopeInvalid
Invalid         ── PinRefused, PinTooSimple
Unavailable     ── ProviderUnavailable
"""

from __future__ import annotations

from emr.identity.principal import Principal
from emr.kernel.errors import Forbidden, Invalid, Malformed, Unauthenticated, Unavailable


class NotSignedIn(Unauthenticated):
    """No credentials, or a session that is over."""

    def __init__(self) -> None:
        super().__init__("not-signed-in", "Sign in first, or send a bearer token.")


class SessionLocked(Unauthenticated):
    """The session is locked. `fresh`: it was this request that found it idle; `principal`: whose it is."""

    def __init__(self, principal: Principal, *, fresh: bool) -> None:
        super().__init__("session-locked", "This session is locked; open it with the PIN, or sign in again.")
        self.principal = principal
        self.fresh = fresh


class PinRefused(Invalid):
    """A wrong PIN; `left` are the tries before the session ends."""

    def __init__(self, left: int) -> None:
        super().__init__("pin-wrong", f"The PIN is wrong; {left} tries are left.", location="pin")
        self.left = left


class PinTooSimple(Invalid):
    """A new PIN that is not six digits, or is one of those that are guessed first."""

    def __init__(self) -> None:
        super().__init__("pin-too-simple", "A PIN is six digits, not all alike and not in a row.", location="pin")


class TokenRefused(Unauthenticated):
    """A bearer token that does not count; the reason is for the log, never for the caller."""

    def __init__(self, reason: str) -> None:
        super().__init__("token-refused", "The bearer token is not valid here.")
        self.reason = reason


class NotAMember(Forbidden):
    """The caller is known and does not belong to this hospital: one and the same answer for everything under it.

    `who` knocked is for the hospital's trail.
    """

    def __init__(self, who: Principal) -> None:
        super().__init__("not-a-member", "This account has no access to this hospital.")
        self.who = who


class NotAnOperator(Forbidden):
    """The caller is known and does not work for the department: one and the same answer for everything of its console.

    `who` knocked is for the directory's trail.
    """

    def __init__(self, who: Principal) -> None:
        super().__init__("not-an-operator", "This account has no access to the department's console.")
        self.who = who


class SecondFactorNeeded(Forbidden):
    """The role or duty asks for a second factor, and this session or token did not prove one."""

    def __init__(self) -> None:
        super().__init__(
            "second-factor-needed", "This account's role asks for a second factor; sign in with it and try again."
        )


class SecondFactorMissing(Forbidden):
    """The provider was asked for a second factor and let the person in without one."""

    def __init__(self) -> None:
        super().__init__("second-factor-missing", "The sign-in service asked for no second factor.")


class RecentSignInNeeded(Forbidden):
    """The act asks that the person has just shown who they are."""

    def __init__(self) -> None:
        super().__init__("recent-sign-in-needed", "This asks for signing in anew; do so and try again.")


class SignInRefused(Malformed):
    """The answer that came back from the provider does not belong to a sign-in that began here."""

    def __init__(self, reason: str) -> None:
        super().__init__("sign-in-refused", "This sign-in cannot be completed; begin again.")
        self.reason = reason


class LogoutTokenRefused(Malformed):
    """A logout token that does not count (OpenID Connect Back-Channel Logout 1.0, 2.6)."""

    def __init__(self, reason: str) -> None:
        super().__init__("logout-token-refused", "The logout token is not valid.")
        self.reason = reason


class UnsafeReturn(Malformed):
    """An address to go back to after sign-in that is not a path of our own."""

    def __init__(self) -> None:
        super().__init__("unsafe-return", "The address to return to must be a path of this service.", location="to")


class ForeignForm(Forbidden):
    """A form that was not served to this session for this hospital, or was sent from another site."""

    def __init__(self) -> None:
        super().__init__("foreign-form", "The form has expired or was not made for this page; reload it and try again.")


class ClientRefused(Unauthenticated):
    """An app that did not prove that it is the one (RFC 6749, 5.2); the reason is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__("invalid-client", "The app could not be authenticated.")
        self.reason = reason


class GrantInvalid(Malformed):
    """A code, a refresh token or a launch that does not count (RFC 6749, 5.2)."""

    def __init__(self, message: str) -> None:
        super().__init__("invalid-grant", message)


class ScopeInvalid(Malformed):
    """Scopes that cannot be given (RFC 6749, 5.2)."""

    def __init__(self, message: str) -> None:
        super().__init__("invalid-scope", message, location="scope")


class ProviderUnavailable(Unavailable):
    """The OpenID provider does not answer, and nothing that is cached is fresh enough to go on with."""

    def __init__(self) -> None:
        super().__init__("identity-provider-unavailable", "The sign-in service does not answer at the moment.")
