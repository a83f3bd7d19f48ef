"""What an app asks of the authorization endpoint, and whether it may (SMART App Launch 2.2, app-launch.html). Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, Self
from urllib.parse import urlencode, urlsplit, urlunsplit

from emr.identity.app_grants import about_one_patient
from emr.identity.apps import App
from emr.identity.errors import ScopeInvalid
from emr.kernel.errors import Malformed
from emr.smart.negotiating import asked_scopes, granted_scopes

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_STATE: Final = re.compile(r"[\x20-\x7e]{1,500}")


class AskedWrongly(Malformed):
    """The app's mistake, which the app is told by the way back (RFC 6749, 4.1.2.1): `error` is OAuth's word."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__("authorization-refused", message)
        self.error = error


class AppUnknown(Malformed):
    """No app of this hospital, or an address that it has not registered: nobody is sent anywhere."""

    def __init__(self) -> None:
        super().__init__("app-unknown", "This app, or the address to go back to, is not registered in this hospital.")


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that is right so far. `patient`: the Patient in context, "" while none is chosen.

    `until`: seconds since 1970 after which it must be asked anew.
    """

    app: str
    redirect_uri: str
    state: str
    challenge: str
    scopes: tuple[str, ...]
    until: float
    patient: str = ""

    @property
    def wants_patient(self) -> bool:
        """Whether it cannot be granted before a patient is chosen."""
        return not self.patient and ("launch/patient" in self.scopes or about_one_patient(self.scopes))

    def text(self) -> str:
        """As it travels, sealed, through the pages."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str) -> Self:
        """From what `text` gave."""
        given = json.loads(text)
        return cls(**given | {"scopes": tuple(given["scopes"])})


def way_back(app: App | None, query: Mapping[str, str]) -> str:
    """The registered address of the request. Raises `AppUnknown`; then the browser must not be sent anywhere."""
    address = query.get("redirect_uri", "")
    if app is None or not app.active or app.kind == "service" or address not in app.redirect_uris:
        raise AppUnknown
    return address


def understood(app: App, query: Mapping[str, str], *, audience: str, until: float) -> Ask:
    """The request, its scopes cut to what the app was registered for. Raises `AskedWrongly`."""
    if query.get("response_type") != "code":
        raise AskedWrongly("unsupported_response_type", "response_type is code.")
    if query.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(query.get("code_challenge", "")):
        raise AskedWrongly("invalid_request", "PKCE with S256 is required.")
    if not _STATE.fullmatch(query.get("state", "")):
        raise AskedWrongly("invalid_request", "state is required, at most 500 letters.")
    if query.get("aud", "").rstrip("/") != audience:
        raise AskedWrongly("invalid_request", "aud is the FHIR address of this hospital.")
    try:
        scopes = granted_scopes(app, asked_scopes(query.get("scope", "")))
    except ScopeInvalid as refusal:
        raise AskedWrongly("invalid_scope", refusal.message) from refusal
    if "launch" not in query:
        scopes -= {"launch"}
    elif "launch" not in scopes:
        raise AskedWrongly("invalid_scope", "A launch from a chart needs the scope launch.")
    return Ask(app.id, query["redirect_uri"], query["state"], query["code_challenge"], tuple(sorted(scopes)), until)


def with_answer(address: str, **answer: str) -> str:
    """The app's address with the answer added to its own query (RFC 6749, 4.1.2)."""
    parts = urlsplit(address)
    query = "&".join(filter(None, [parts.query, urlencode(answer)]))
    return urlunsplit(parts._replace(query=query))


def origin_of(address: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}".lower()
