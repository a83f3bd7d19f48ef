"""Where the platform listens, who vouches for those who come, and what it tells of itself."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, SecretStr


class Http(BaseModel):
    """The web service."""

    base_url: str = Field("http://127.0.0.1:8000", description="The address that browsers and FHIR clients use.")
    body_limit_mib: int = Field(16, ge=1, description="Largest JSON body in MiB; uploads have their own limit.")
    bodies_limit_mib: int = Field(
        64, ge=1, description="MiB of JSON bodies in memory at one time, per process; beyond it 503 and Retry-After."
    )
    docs: bool = Field(False, description="Whether the OpenAPI page is served.")
    replicas: int = Field(
        1, ge=1, description="How many `emr serve` run: each lets a hospital ask its part of the quota of requests."
    )
    contact: str = Field(
        "", description="Whom to call when a hospital is not served: words and a number, on the page that says so."
    )
    proxies: str = Field("127.0.0.1", description="Addresses whose X-Forwarded headers are believed, parted by commas.")


class Identity(BaseModel):
    """The OpenID provider."""

    issuer: str = Field("", description="The issuer, fixed: every token must name exactly this.")
    client_id: str = Field("emr-web", description="The confidential client for people's sign-in.")
    client_secret: SecretStr = Field(SecretStr(""), description="Its secret.")
    audience: str = Field("emr-api", description="What a bearer token's `aud` must hold.")
    admin_url: str = Field(
        "",
        description="Base address of Keycloak, for onboarding and for hospitals' administrators; empty: the platform administers no identity provider.",
    )
    admin_realm: str = Field("emr", description="The realm that holds organizations and users.")
    admin_client_id: str = Field(
        "emr-admin",
        description="Service account that administers the realm; its four roles: docs/identity-administration.md.",
    )
    admin_client_secret: SecretStr = Field(SecretStr(""), description="Its secret.")
    upkeep_realm: str = Field("", description="The realm of the account of `emr realm`; empty: the realm itself.")
    upkeep_client_id: str = Field(
        "emr-upkeep",
        description="Service account that may change the realm's clients, flows and providers; `emr realm` alone is given it.",
    )
    upkeep_client_secret: SecretStr = Field(SecretStr(""), description="Its secret.")
    session_idle_minutes: int = Field(
        240, ge=1, description="A session that nobody used for this long is over; its hospital locks it much earlier."
    )
    recheck_seconds: int = Field(
        40, ge=5, le=50, description="How long what the provider said of a session counts before it is asked again."
    )
    second_factor: Literal["enforced", "off"] = Field(
        "enforced", description="`off`: administrators, privacy officers and operators may do without a second factor."
    )
    strong_acr: str = Field(
        "2", description="Values of the claim `acr` that prove a second factor, by spaces; the first is asked for."
    )
    strong_amr: str = Field("mfa", description="Values of the claim `amr` that prove a second factor, by spaces.")
    session_hours: int = Field(12, ge=1, description="The longest that a session may live.")
    keys_grace_hours: int = Field(
        24, ge=0, description="How long cached signing keys are trusted while the provider is down."
    )


class Dicom(BaseModel):
    """The DICOM listener."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(11112, ge=0, le=65535, description="Port to listen on.")
    spool: Path | None = Field(
        None, description="Folder for instances on their way in; the system's temporary folder by default."
    )
    max_associations: int = Field(20, ge=1, description="Associations at one time.")
    instance_limit_mib: int = Field(2048, ge=1, description="Largest single instance in MiB, over DIMSE and STOW-RS.")
    request_limit_mib: int = Field(4096, ge=1, description="Largest STOW-RS request in MiB.")


class Telemetry(BaseModel):
    """What operators see."""

    otlp_endpoint: str = Field(
        "", description="OTLP/HTTP endpoint of the collector, e.g. http://collector:4318; empty: no traces leave."
    )
    sample_ratio: float = Field(
        0.05, ge=0, le=1, description="Share of requests that are traced; a caller's sampled trace is always continued."
    )
    management_host: str = Field(
        "127.0.0.1", description="Address of the management port; a pod sets 0.0.0.0 and fences it by network policy."
    )
    log_format: Literal["json", "text"] = Field("json", description="JSON lines, or readable text for a terminal.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least severity that is written."
    )
