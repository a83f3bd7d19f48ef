"""Bearer tokens for trying FHIR clients: `emr token --tenant SLUG --role ROLE`."""

from __future__ import annotations

from pathlib import Path

import httpx

from emr_demo.provider.run import ProviderNotRunning, remembered_issuer
from emr_demo.provider.secrets_folder import token_secret


class NoSuchAccount(Exception):
    """The demo has no such role in such a hospital."""


def mint_token(folder: Path, *, tenant: str, role: str, scope: str = "") -> str:
    """A bearer token of `<role>@<tenant>`, good for an hour, from the demo provider that runs on this data folder.

    `scope`: SMART scopes that limit what the role may do, such as `user/Patient.rs`.

    Raises ProviderNotRunning when it does not answer, NoSuchAccount when it knows no such account.
    """
    asked = {
        "grant_type": "client_credentials",
        "client_id": f"{role}@{tenant}",
        "client_secret": token_secret(folder),
        "scope": f"openid organization:{tenant} {scope}".strip(),
    }
    issuer = remembered_issuer(folder)
    try:
        answer = httpx.post(f"{issuer}/token", data=asked, timeout=10, trust_env=False)
    except httpx.HTTPError as error:
        raise ProviderNotRunning(f"the demo's provider does not answer at {issuer}; is `emr demo` running?") from error
    if answer.is_client_error:
        raise NoSuchAccount(f"the demo has no account {role}@{tenant}")
    answer.raise_for_status()
    return str(answer.json()["access_token"])
