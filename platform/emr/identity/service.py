"""The one door to this package: who is asking, signing in, signing out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

import httpx

from emr.db.connection import Row
from emr.db.pools import RolePool
from emr.identity.app_access import AppAccess
from emr.identity.app_grants import ACCESS
from emr.identity.errors import (
    ForeignForm,
    LogoutTokenRefused,
    NotAMember,
    NotAnOperator,
    NotSignedIn,
    ProviderUnavailable,
    RecentSignInNeeded,
    SecondFactorNeeded,
    SessionLocked,
    TokenRefused,
)
from emr.identity.flow import NOBODY, Asked, Begun, Flow, Known, safe_path
from emr.identity.locks import Locks, is_locked
from emr.identity.memberships import Memberships, limited
from emr.identity.operators import Operators
from emr.identity.pins import Pins
from emr.identity.principal import Principal, kind_of, needs_second_factor, stranger
from emr.identity.provider import GrantRefused, Provider
from emr.identity.requests import Browser, Credentials, Resolved, SignedIn, SignedOut, Started
from emr.identity.sealing import FormTokens, Sealed
from emr.identity.session_lists import SessionLists
from emr.identity.sessions import Ended, Sessions, session_cookie
from emr.identity.support_grants import SupportGrants, let_in
from emr.identity.tokens import BadToken, Bearer, Tokens
from emr.kernel.clock import Clock, utc_now
from emr.kernel.tenant import Tenant
from emr.settings import Settings
from emr.telemetry.logs import get_logger

_SKEW: Final = timedelta(seconds=10)
_REPLAYS: Final = 4096
_LOOKED_EVERY: Final = 15
"""A quarter of so many minutes is how exactly a session at the console says when it was last used."""
_RECENT: Final = timedelta(minutes=5)


class Identity:
    """Answers who is asking. Built once by the application; `close` gives its connections back.

    `session_cookie` is the name of the cookie that holds a session, `secure` whether browsers reach us by https.
    """

    def __init__(self, settings: Settings, directory: RolePool, clock: Clock = utc_now) -> None:
        chosen = settings.identity
        signing = settings.keys.signing.get_secret_value()
        self._client_id = chosen.client_id
        self._second_factor = chosen.second_factor == "enforced"
        self._home = f"{settings.http.base_url.rstrip('/')}/"
        self.secure = self._home.startswith("https://")
        self.session_cookie = session_cookie(settings)
        self._clock = clock
        self._http = httpx.AsyncClient(timeout=5, follow_redirects=False)
        provider = Provider(chosen, self._http, clock)
        self._provider = provider
        self._tokens = Tokens(provider, clock, chosen)
        self._flow = Flow(
            provider,
            self._tokens,
            Sealed(signing, "sign-in"),
            clock,
            redirect_uri=f"{self._home}auth/callback",
            recheck_seconds=chosen.recheck_seconds,
        )
        sealed = Sealed(settings.keys.sealing.get_secret_value(), "sessions")
        self._sessions = Sessions(directory, chosen, sealed, clock)
        self.pins = Pins(directory, settings.keys.sealing.get_secret_value(), clock)
        self.locks = Locks(directory, self._sessions, self.pins, clock)
        self._forms = FormTokens(signing)
        self._seen_logouts: OrderedDict[str, int] = OrderedDict()
        self.memberships = Memberships(directory, clock)
        self.operators = Operators(directory)
        self.support = SupportGrants(directory, clock)
        self.lists = SessionLists(directory, chosen, clock)
        self.app_access = AppAccess(directory, clock, signing)

    def pending_cookie(self, state: str) -> str:
        """The name of the cookie of one sign-in under way: each has its own, so that two tabs do not collide."""
        return f"{'__Secure-' if self.secure else ''}emr_sign_in_{state[:12]}"

    async def close(self) -> None:
        """Give the connections to the provider back."""
        await self._http.aclose()

    async def resolve(self, credentials: Credentials, tenant: Tenant) -> Resolved:
        """Who is asking in this hospital.

        Raises NotSignedIn or TokenRefused when nobody is known, NotAMember when someone is who does not belong here,
        SecondFactorNeeded when the role there asks for one that was not proved, ProviderUnavailable when a token cannot
        be verified at the moment.
        """
        if credentials.authorization is not None:
            principal = await self._by_bearer(credentials.authorization, tenant)
            self._demand_strength(principal)
            return Resolved(principal)
        if not credentials.cookie:
            raise NotSignedIn
        row = await self._sessions.find(credentials.cookie, tenant.id)
        if row is None or row["created_at"] <= self._clock() - timedelta(hours=tenant.session_hours):
            raise NotSignedIn
        if row["role"] is None and row["grant"] is None:
            await self._renew(row)
            raise NotAMember(stranger(row["subject"], row["name"]))
        principal = _principal(row, tenant.id) if row["grant"] is None else let_in(row, tenant.id)
        if is_locked(row, tenant, self._clock()):
            raise SessionLocked(principal, fresh=await self.locks.lock(row["id"]))
        await self._sessions.touch(row["id"], row["seen_at"], row["lock_minutes"] or tenant.lock_minutes)
        await self._renew(row)
        if principal.grant is None:
            if tenant.organization_id is None or tenant.organization_id not in row["organization_ids"]:
                raise NotAMember(stranger(row["subject"], row["name"]))
            await self.memberships.seen(tenant.id, row["subject"], row["seen_on"])
        self._demand_strength(principal)
        return Resolved(principal, first=not row["entered"] and await self._sessions.enter(row["id"], tenant))

    async def resolve_operator(self, credentials: Credentials) -> Principal:
        """Who is asking at the department's console. Raises as `resolve` does, with NotAnOperator for a stranger."""
        if credentials.authorization is not None:
            said = await self._bearer(credentials.authorization)
            principal = stranger(said.subject, said.name)
            strength = said.strong, said.authenticated_at
        else:
            row = await self._sessions.find(credentials.cookie, "") if credentials.cookie else None
            if row is None or row["locked_at"] is not None:
                raise NotSignedIn
            await self._sessions.touch(row["id"], row["seen_at"], _LOOKED_EVERY)
            await self._renew(row)
            principal = replace(stranger(row["subject"], row["name"]), session_id=row["id"])
            strength = row["strong"], row["authenticated_at"]
        operator = await self.operators.find(principal.subject)
        if operator is None:
            raise NotAnOperator(principal)
        principal = operator.principal(principal, strong=strength[0], authenticated_at=strength[1])
        self._demand_strength(principal)
        return principal

    async def signed_in(self, cookie: str | None) -> SignedIn | None:
        """The person of a session, for pages that belong to no hospital; None if nobody is signed in.

        Looking at such a page is no use of the session: it keeps none from being locked.
        """
        row = await self._sessions.find(cookie, "") if cookie else None
        if row is None or row["locked_at"] is not None:
            return None
        roles = {each.tenant_id: each.role for each in await self.memberships.of_subject(row["subject"])}
        operator = await self.operators.find(row["subject"])
        return SignedIn(
            session_id=row["id"],
            subject=row["subject"],
            name=row["name"],
            roles=await self.support.of_subject(row["subject"]) | roles,
            operator=operator is not None,
        )

    async def begin_sign_in(self, return_to: str, asked: Asked = "sign-in", *, cookie: str | None = None) -> Begun:
        """Send a browser to the provider; raises UnsafeReturn, ProviderUnavailable.

        `cookie` is that of the session which the browser has: one that is to be proved anew, and as strongly as it was;
        or one that is over or locked. What is left of that at the provider is ended first: it would otherwise ask its
        person, whoever sits there now, and for a password that people of a hospital's own provider do not have.
        """
        row = await self._sessions.find(cookie, "") if cookie else None
        over = asked == "sign-in" and (row is None or row["locked_at"] is not None)
        known = NOBODY
        if row is not None and not over:
            known = Known(strong=asked == "again" and row["strong"], through=row["through"])
        begun = await self._flow.begin(self._client_id, return_to, asked, known)
        left = await self._sessions.retire(cookie) if cookie and over else ""
        if left:
            await self._provider.end(left)
        return begun

    def demand_recent(self, principal: Principal) -> None:
        """Raise RecentSignInNeeded unless the person has shown within five minutes who they are."""
        if principal.authenticated_at is None or principal.authenticated_at < self._clock() - _RECENT:
            raise RecentSignInNeeded

    async def finish_sign_in(self, answer: Mapping[str, str], sealed: str | None, *, browser: Browser) -> Started:
        """Take the provider's answer and start a session; the one that the browser had before ends.

        Raises SignInRefused, ProviderUnavailable.
        """
        finished = await self._flow.finish(answer, sealed)
        if browser.cookie:
            await self._sessions.end_by_cookie(browser.cookie)
        session_id, cookie = await self._sessions.start(finished.person, finished.tokens, browser.device)
        return Started(session_id, cookie, finished.person, finished.return_to)

    async def sign_out(self, cookie: str | None, *, then: str = "") -> SignedOut:
        """End the session here; the answer's address ends it at the provider and leads back home.

        `then` is a path of ours that somebody else is to be signed in for at once. Raises UnsafeReturn.
        """
        back = f"/auth/sign-in?{urlencode({'to': safe_path(then)})}" if then else "/"
        ended = await self._sessions.end_by_cookie(cookie) if cookie else None
        if ended is None or ended.id_token is None:
            return SignedOut(back, ended)
        try:
            endpoint = (await self._provider.metadata()).end_session_endpoint
        except ProviderUnavailable:
            endpoint = None
        if endpoint is None:
            return SignedOut(back, ended)
        query = urlencode(
            {
                "id_token_hint": ended.id_token,
                "client_id": self._client_id,
                "post_logout_redirect_uri": f"{self._home}{back[1:]}",
            }
        )
        return SignedOut(f"{endpoint}?{query}", ended)

    async def back_channel_logout(self, logout_token: str) -> Sequence[Ended]:
        """End what the provider says has ended; raises LogoutTokenRefused, also for a token that came before."""
        try:
            said = await self._tokens.logout_token(logout_token)
        except BadToken as error:
            raise LogoutTokenRefused(str(error)) from error
        now = self._clock().timestamp()
        # Another process may see a replay as new; it finds nothing to end that began after the token was made.
        while self._seen_logouts and (
            len(self._seen_logouts) >= _REPLAYS or next(iter(self._seen_logouts.values())) < now - 60
        ):
            self._seen_logouts.popitem(last=False)
        if said.token_id in self._seen_logouts:
            raise LogoutTokenRefused("replayed")
        self._seen_logouts[said.token_id] = said.expires_at
        return await self._sessions.end_by_provider(
            provider_session=said.provider_session,
            subject=said.subject,
            begun_before=datetime.fromtimestamp(said.issued_at, UTC) + _SKEW,
        )

    def form_token(self, principal: Principal) -> str:
        """The CSRF token of this session's forms in this hospital."""
        return self._forms.token(principal.session_id or "", principal.tenant_id or "")

    def check_form(self, principal: Principal, token: str | None) -> None:
        """Refuse a form that was not served to this session for this hospital; bearer tokens need none."""
        if principal.session_id is None:
            return
        session_id, tenant_id = principal.session_id, principal.tenant_id or ""
        if not token or not self._forms.matches(token, session_id=session_id, tenant_id=tenant_id):
            raise ForeignForm

    async def _by_bearer(self, authorization: str, tenant: Tenant) -> Principal:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer" and token.strip().startswith(ACCESS):
            return await self.app_access.principal(token.strip(), tenant)
        said = await self._bearer(authorization)
        found = await self.memberships.find(tenant.id, said.subject)
        if found is None or tenant.organization_id is None or tenant.organization_id not in said.organization_ids:
            raise NotAMember(stranger(said.subject, said.name))
        await self.memberships.seen(tenant.id, said.subject, found.seen_on)
        return replace(
            found.principal(),
            name=found.name or said.name,
            scopes=limited(said.scopes, found.scopes),
            strong=said.strong,
            authenticated_at=said.authenticated_at,
        )

    async def _bearer(self, authorization: str) -> Bearer:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise TokenRefused("not a bearer token")
        try:
            return await self._tokens.bearer(token.strip())
        except BadToken as error:
            get_logger().info("bearer token refused", reason=str(error))
            raise TokenRefused(str(error)) from error

    def _demand_strength(self, principal: Principal) -> None:
        if self._second_factor and not principal.strong and needs_second_factor(principal):
            raise SecondFactorNeeded

    async def _renew(self, row: Row) -> None:
        """Renew a session's tokens when they have aged; raises NotSignedIn if it has ended at the provider."""
        if row["token_expires_at"] > self._clock():
            return
        refresh_token = await self._sessions.claim_refresh(row["id"], row["token_expires_at"])
        if refresh_token is None:
            return
        try:
            tokens = await self._flow.refresh(refresh_token, row["subject"])
        except GrantRefused as error:
            await self._sessions.end(row["id"])
            get_logger().info("session ended at the provider", reason=str(error))
            raise NotSignedIn from error
        except ProviderUnavailable:
            # Running sessions go on while the provider is down; the claim lapses and a later request tries again.
            return
        await self._sessions.renew(row["id"], tokens)


def _principal(row: Row, tenant_id: str) -> Principal:
    role = row["role"]
    return Principal(
        subject=row["subject"],
        name=row["member_name"] or row["name"],
        role=role,
        kind=kind_of(role),
        tenant_id=tenant_id,
        session_id=row["id"],
        duties=frozenset(row["duties"]),
        wards=frozenset(row["wards"]),
        clearances=frozenset(row["clearances"]),
        practitioner=row["practitioner"],
        strong=row["strong"],
        authenticated_at=row["authenticated_at"],
        elsewhere=len(row["organization_ids"]) > 1,
    )
