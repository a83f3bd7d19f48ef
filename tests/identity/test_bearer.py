"""Bearer tokens: which count, and all the ways in which one does not."""

import base64
import json
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwk, jwt

from emr.identity.tokens import Bearer
from emr_demo.provider.people import subject_of
from tests.identity.providers import DOCTOR
from tests.identity.world import World, lasting


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def signed(world: World, **changes: Any) -> str:
    """The machine's own token with other claims (None: without that claim), signed with the demo provider's key."""
    key = world.provider.provider.state.signer.key
    claims = claims_of(world.provider.machine_token("hoa-sen")) | changes
    whole = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": key.kid}, whole, key, ["RS256"])


def signed_raw(world: World, header: dict[str, Any]) -> str:
    """The machine's own claims under any header whatever, with a signature by the provider's key that is right for it."""
    key = world.provider.provider.state.signer.key
    whole = {"alg": "RS256", "kid": key.kid, "typ": "JWT"} | header
    body = f"{part(whole)}.{part(claims_of(world.provider.machine_token('hoa-sen')))}"
    signature = key.get_op_key("sign").sign(body.encode(), PKCS1v15(), SHA256())
    return f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def remember(asked: list[str]) -> Callable[[httpx.Request], Awaitable[None]]:
    async def note(request: httpx.Request) -> None:
        asked.append(str(request.url))

    return note


class TestBearer:
    def test_a_machine_comes_in_with_the_role_of_our_own_row(self, here: World) -> None:
        answer = here.bearer(here.provider.machine_token("hoa-sen"))
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert (found["role"], found["kind"], found["session"]) == ("lis", "machine", None)

    def test_it_comes_into_no_other_hospital(self, here: World) -> None:
        answer = here.bearer(here.provider.machine_token("hoa-sen"), "cau-vong")
        assert (answer.status_code, answer.json()["code"]) == (403, "not-a-member")

    def test_our_own_row_elsewhere_does_not_help_without_that_organization(self, here: World) -> None:
        here.sql(
            "INSERT INTO directory.memberships (tenant_id, subject, role, name, granted_by)"
            " VALUES (%s, %s, 'lis', '', 'test')",
            here.tenant("cau-vong").id,
            here.provider.machine_subject("hoa-sen"),
        )
        assert here.bearer(here.provider.machine_token("hoa-sen"), "cau-vong").status_code == 403

    def test_a_membership_that_was_taken_away_counts_no_more_at_the_next_request(self, here: World) -> None:
        token = here.provider.machine_token("hoa-sen")
        assert here.bearer(token).status_code == 200
        here.sql("UPDATE directory.memberships SET active = false")
        assert here.bearer(token).status_code == 403

    def test_an_expired_token_is_refused_whether_it_was_seen_before_or_not(self, here: World) -> None:
        seen, unseen = (here.provider.machine_token("hoa-sen") for _ in range(2))
        assert here.bearer(seen).status_code == 200
        here.clock.ahead += timedelta(hours=2)
        assert [here.bearer(token).status_code for token in (seen, unseen)] == [401, 401]

    def test_no_signature_is_no_token(self, here: World) -> None:
        head, body, _ = here.provider.machine_token("hoa-sen").split(".")
        none = part({"alg": "none", "typ": "JWT", "kid": json.loads(base64.urlsafe_b64decode(head + "=="))["kid"]})
        for forged in (f"{none}.{body}.", f"{head}.{body}.", f"{head}.{body}"):
            assert here.bearer(forged).status_code == 401

    def test_the_public_key_is_no_shared_secret(self, here: World) -> None:
        token = here.provider.machine_token("hoa-sen")
        kid = json.loads(base64.urlsafe_b64decode(token.split(".", maxsplit=1)[0] + "=="))["kid"]
        key = here.portal.call(here.identity._provider.key, kid)
        for encoding in ("PEM", "DER"):
            secret = jwk.OctKey.import_key(base64.urlsafe_b64encode(key.as_bytes(encoding=encoding, private=False)))
            forged = jwt.encode({"alg": "HS256", "kid": kid}, claims_of(token), secret, ["HS256"])
            assert here.bearer(forged).status_code == 401

    def test_a_changed_claim_is_refused(self, here: World) -> None:
        head, _, signature = (token := here.provider.machine_token("hoa-sen")).split(".")
        body = part(claims_of(token) | {"sub": here.provider.subject(DOCTOR)})
        assert here.bearer(f"{head}.{body}.{signature}").status_code == 401

    def test_a_key_that_the_provider_does_not_have_is_refused(self, here: World) -> None:
        key = jwk.RSAKey.generate_key(2048, auto_kid=True)
        claims = claims_of(here.provider.machine_token("hoa-sen"))
        token = jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key, ["RS256"])
        inside = jwt.encode({"alg": "RS256", "kid": key.kid, "jwk": key.as_dict(private=False)}, claims, key, ["RS256"])
        assert [here.bearer(forged).status_code for forged in (token, inside)] == [401, 401]

    def test_forged_key_ids_do_not_flood_the_provider(self, demo: World) -> None:
        asked: list[str] = []
        http = demo.identity._provider._http
        http.event_hooks = {"request": [remember(asked)]}
        try:
            started = time.monotonic()
            for number in range(30):
                assert demo.bearer(signed_raw(demo, {"kid": f"made-up-{number}"})).status_code == 401
            assert len(asked) <= 2 * (time.monotonic() - started + 1)
        finally:
            http.event_hooks = {"request": []}

    def test_a_token_for_another_audience_is_refused(self, keycloak: World) -> None:
        organization = keycloak.provider.organizations["hoa-sen"]
        keycloak.provider.server.add_machine("lis-elsewhere", organization, audience=False)
        token = keycloak.provider.server.machine_token("lis-elsewhere", "organization:hoa-sen")
        assert keycloak.bearer(token).status_code == 401

    def test_an_id_token_is_no_bearer_token(self, here: World) -> None:
        browser = here.sign_in()
        session = here.who(browser).json()["session"]
        sealed = here.sql("SELECT id_token FROM directory.sessions WHERE id = %s", session)[0][0]
        token = here.identity._sessions._sealed.open(bytes(sealed), context=session)
        assert here.bearer(token).status_code == 401

    @pytest.mark.parametrize(
        "changes",
        [
            {"aud": "emr-web"}, {"aud": ["emr-web"]}, {"aud": None}, {"iss": "https://evil.example"}, {"iss": None},
            {"exp": int(time.time()) - 60}, {"exp": None}, {"exp": "never"}, {"exp": float("nan")},
            {"nbf": int(time.time()) + 3600}, {"iat": int(time.time()) + 3600}, {"iat": None},
            {"sub": None}, {"sub": 7}, {"sub": ""}, {"typ": "Refresh"}, {"typ": "ID"}, {"typ": "Logout"}, {"typ": None},
        ],
        ids=lasting,
    )  # fmt: skip
    def test_a_claim_that_is_wrong_or_missing_is_refused(self, demo: World, changes: dict[str, Any]) -> None:
        assert demo.bearer(signed(demo, **changes)).status_code == 401

    @pytest.mark.parametrize(
        "header",
        [
            {"alg": "PS256"}, {"alg": "none"}, {"alg": "HS256"}, {"alg": None}, {"kid": "other"}, {"kid": 7},
            {"kid": None}, {"crit": ["exp"], "exp": 1}, {"b64": False, "crit": ["b64"]},
        ],
        ids=lasting,
    )  # fmt: skip
    def test_a_header_that_is_wrong_is_refused(self, demo: World, header: dict[str, Any]) -> None:
        assert demo.bearer(signed_raw(demo, header)).status_code == 401

    def test_a_header_like_ours_is_taken(self, demo: World) -> None:
        assert demo.bearer(signed_raw(demo, {})).status_code == 200

    @pytest.mark.parametrize(
        "organization",
        [None, [], ["hoa-sen"], "hoa-sen", {"hoa-sen": {}}, {"hoa-sen": "x"}, {"hoa-sen": {"id": "other"}}],
        ids=lasting,
    )
    def test_an_alias_is_not_an_organization(self, demo: World, organization: Any) -> None:
        assert demo.bearer(signed(demo, organization=organization)).status_code == 403

    def test_the_id_counts_under_whatever_alias(self, demo: World) -> None:
        organization = {"any": {"id": demo.tenant("hoa-sen").organization_id}}
        assert demo.bearer(signed(demo, organization=organization)).status_code == 200

    @pytest.mark.parametrize(
        ("through", "status"),
        [
            ("hospital-hoa-sen", 200),
            ("hospital-cau-vong", 403),
            ("hospital-", 403),
            ("the-city", 200),
            (None, 200),
            (1, 200),
        ],
        ids=["own", "another", "nobodys", "everybodys", "none", "number"],
    )
    def test_who_came_through_one_hospitals_provider_is_in_no_other(
        self, demo: World, through: object, status: int
    ) -> None:
        both = {slug: {"id": demo.tenant(slug).organization_id} for slug in ("hoa-sen", "cau-vong")}
        assert demo.bearer(signed(demo, organization=both, identity_provider=through)).status_code == status

    @pytest.mark.parametrize("token", [".", "..", "a.b.c", "e30.e30.e30", "A" * 20_000, "é", "W10.e30.AA", "x y"])
    def test_rubbish_is_refused(self, demo: World, token: str) -> None:
        assert demo.bearer(token).status_code == 401

    def test_a_token_for_a_person_has_that_persons_role(self, demo: World) -> None:
        token = signed(demo, sub=subject_of(DOCTOR), name="Bác sĩ")
        assert demo.bearer(token).json()["role"] == "doctor"


class TestCache:
    def test_it_is_bounded(self, demo: World) -> None:
        tokens = demo.identity._tokens
        for number in range(4200):
            tokens._remember(number.to_bytes(32, "big"), tokens_bearer())
        assert len(tokens._verified) == 4096

    def test_it_is_forgotten_when_the_provider_changes_its_keys(self, demo: World) -> None:
        token = signed(demo)
        assert demo.bearer(token).status_code == 200
        state = demo.provider.provider.state
        former = state.signer
        fresh = jwk.RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
        state.signer = type(former)(key=fresh, issuer=former.issuer)
        try:
            demo.clock.ahead += timedelta(minutes=11)
            assert demo.bearer(signed(demo)).status_code == 200
            assert demo.bearer(token).status_code == 401
        finally:
            state.signer = former
            demo.clock.ahead += timedelta(minutes=11)
            assert demo.bearer(signed(demo)).status_code == 200


def tokens_bearer() -> Any:
    return Bearer("s", "n", frozenset(), frozenset(), time.time() + 60, authenticated_at=None, strong=False)
