"""Apps as the tests register them, and what a service signs."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from emr.identity.client_assertion import ASSERTION_TYPE
from emr.identity.principal import system_principal
from emr.smart.registering import RegisterApp
from emr.smart.service import register_app
from emr.work.runtime import runtime
from emr.work.unit import UnitOfWork, unit_of_work
from emr_demo.provider.people import subject_of
from tests.house import HOA_SEN, House

R = TypeVar("R")
Json = dict[str, Any]


@dataclass(frozen=True)
class Registered:
    """An app of a hospital; `secret` where it has one."""

    id: str
    secret: str | None
    slug: str


def as_platform(house: House, slug: str, act: Callable[[UnitOfWork], Awaitable[R]]) -> R:
    """Run a verb as the platform in a hospital, from anywhere in a test."""

    async def run() -> R:
        parts = runtime(house.settings)
        await parts.open()
        try:
            tenant = parts.registry.by_slug(slug)
            async with unit_of_work(parts, tenant, system_principal("test", tenant_id=tenant.id)) as work:
                return await act(work)
        finally:
            await parts.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(run())).result()


def registered(house: House, slug: str = HOA_SEN, **wish: Any) -> Registered:
    """A new app of a hospital."""
    app, secret = as_platform(house, slug, lambda work: register_app(work, RegisterApp.of(wish)))
    return Registered(app.id, secret, slug)


def rsa(kid: str = "one") -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "alg": "RS384", "use": "sig"})


def ec(kid: str = "two") -> ECKey:
    return ECKey.generate_key("P-384", {"kid": kid, "alg": "ES384", "use": "sig"})


def service(house: House, key: RSAKey | ECKey, *scopes: str, slug: str = HOA_SEN, role: str = "lis") -> Registered:
    """A service that works as a machine of the demo's accounts."""
    return registered(
        house,
        slug,
        name="Máy xét nghiệm",
        kind="service",
        scopes=list(scopes),
        jwks={"keys": [key.as_dict(private=False)]},
        member=subject_of(f"{role}@{slug}"),
    )


def token_url(house: House, slug: str = HOA_SEN) -> str:
    return f"{house.url}/h/{slug}/smart/token"


def claims(house: House, app: Registered, **changes: Any) -> Json:
    """What a right assertion says, with other claims (None: without that one)."""
    now = int(time.time())
    whole = {"iss": app.id, "sub": app.id, "aud": token_url(house, app.slug), "exp": now + 240, "jti": str(uuid4())}
    return {name: value for name, value in (whole | changes).items() if value is not None}


def signed(said: Json, key: RSAKey | ECKey, **header: Any) -> str:
    head = {"alg": key.alg, "kid": key.kid, "typ": "JWT"} | header
    return jwt.encode(head, said, key, [head["alg"]])


def ask(house: House, assertion: str, scope: str, slug: str = HOA_SEN, **more: str) -> httpx.Response:
    """A service asks for a token."""
    form = {
        "grant_type": "client_credentials",
        "scope": scope,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
    }
    return httpx.post(token_url(house, slug), data=form | more, trust_env=False, timeout=30)


def with_token(house: House, token: str, slug: str = HOA_SEN) -> httpx.Client:
    """A client below a hospital's FHIR base."""
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=house.fhir(slug), headers=headers, timeout=30, trust_env=False)
