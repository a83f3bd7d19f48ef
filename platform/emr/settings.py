"""Every setting, typed and documented; read once from the environment or from files and then passed in.

A setting is `EMR_<GROUP>__<NAME>`; a secret may come from a file instead: `EMR_<GROUP>__<NAME>_FILE`
names a file whose first line is the value.
"""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

Profile = Literal["production", "demo", "test"]


class Database(BaseModel):
    """Where the directory and the cells are."""

    url: str = Field(
        "",
        description="The login of serve, dicom and worker: postgresql://emr_app:…@host/db. It owns nothing and can only switch roles.",
    )
    owner_url: str = Field(
        "",
        description="The login that owns every table, over the direct address; used by `emr migrate` and `emr tenants` only.",
    )
    cells: dict[str, str] = Field(
        default_factory=dict,
        description="Further cells by name: JSON object of name to URL of the login. The cell `default` is `url` unless named here.",
    )
    cell_owners: dict[str, str] = Field(
        default_factory=dict,
        description="The owner's URL in each of these cells: JSON object of the same names, over the direct addresses.",
    )
    dedicated: dict[str, str] = Field(
        default_factory=dict,
        description="Logins of hospitals of the dedicated tier: JSON object of `slug@cell` to URL. Each may become its hospital, and emr_audit to seal its trail, and nobody else.",
    )
    cell_hospitals: int = Field(300, ge=1, description="The most hospitals that a cell takes.")
    pooler: bool = Field(
        False,
        description="Whether `url` and `cells` lead to PgBouncer in transaction mode: nothing is then kept on a connection between transactions. `owner_url` never does.",
    )
    pool_size: int = Field(8, ge=1, le=100, description="Connections in each slice of a cell's pool, per process.")
    pool_slices: int = Field(
        2,
        ge=1,
        le=16,
        description="Slices of a cell's pool; a hospital belongs to one by hash, so each backend sees only its share of hospitals.",
    )
    pool_share: int = Field(
        75,
        ge=1,
        le=100,
        description="Percent of a slice's connections that one hospital may hold at a time; who waits is served in turns by hospital.",
    )
    pool_hospitals: int = Field(
        75,
        ge=1,
        description="Hospitals that a connection serves before it is closed and made anew: its backend keeps about 1 MB for each.",
    )
    statement_timeout_ms: int = Field(
        15_000, ge=100, description="Milliseconds after which a hospital's statement is cancelled."
    )


class Storage(BaseModel):
    """Where scans, images and exports lie."""

    endpoint: str = Field(
        "", description="host:port of the S3 service; empty means the folder, which production refuses."
    )
    secure: bool = Field(True, description="Whether to speak TLS to the S3 service.")
    region: str = Field("us-east-1", description="The region that the S3 service expects in signatures.")
    bucket: str = Field("emr", description="The bucket; hospitals are prefixes in it.")
    access_key: str = Field("", description="Access key of the service account.")
    secret_key: SecretStr = Field(SecretStr(""), description="Secret key of the service account.")
    folder: Path | None = Field(None, description="A folder instead of S3, for the demo.")
    upload_limit_mib: int = Field(200, ge=1, description="Largest single upload in MiB.")


class Anchors(BaseModel):
    """Where the ends of the audit trails are written down, out of the database's reach."""

    bucket: str = Field(
        "emr-anchors", description="Bucket with object lock, in the same S3 service; made with it when it is missing."
    )
    access_key: str = Field("", description="Access key of an account of its own; empty: that of the objects.")
    secret_key: SecretStr = Field(SecretStr(""), description="Its secret key.")
    folder: Path | None = Field(None, description="A folder instead, for the demo; empty: beside that of the objects.")
    every_seconds: float = Field(300, gt=0, le=3600, description="Seconds between two anchors.")
    retention_years: int = Field(
        10,
        ge=10,
        le=100,
        description="Years for which an anchor is locked; longer where a hospital keeps its record longer.",
    )
    public_keys: str = Field(
        "",
        description="Further Ed25519 keys, base64, parted by commas, whose anchors `emr audit verify` believes: those of earlier signers.",
    )


class Archives(BaseModel):
    """Where old rows of the audit trails go: sealed files beside the hospital's other objects."""

    after_days: int = Field(
        400, ge=31, description="Days after which sealed rows of a hospital's trail move from its table into a file."
    )


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


class Warehouse(BaseModel):
    """The city's data warehouse."""

    url: str = Field(
        "", description="Delta Lake table: a folder or s3://bucket/path; empty: pointers wait in the outbox."
    )
    endpoint: str = Field("", description="S3 endpoint URL of the warehouse, if it is not the provider's own.")
    region: str = Field("us-east-1", description="The region that the S3 service expects in signatures.")
    access_key: str = Field("", description="Access key for the warehouse.")
    secret_key: SecretStr = Field(SecretStr(""), description="Secret key for the warehouse.")
    batch_rows: int = Field(2_000, ge=1, description="The most resource versions in one commit.")
    poll_ms: int = Field(250, ge=10, description="Milliseconds between two looks into the outbox.")
    linger_ms: int = Field(
        1_000, ge=0, description="Milliseconds that a version waits for others at most, so that commits are not tiny."
    )


class Worker(BaseModel):
    """The process that relays, seals and tidies."""

    lease_seconds: float = Field(
        10, gt=0, description="How long after a worker's sudden end another one takes over what it held."
    )
    drain_seconds: float = Field(25, gt=0, description="The longest that a stopping worker finishes what it began.")


class Border(BaseModel):
    """The border light, which tries every hospital's doors from outside."""

    nightly: bool = Field(True, description="Whether the worker sees to it, each night and when another build serves.")
    url: str = Field("", description="Where the service is asked; empty: the address that browsers use.")
    hour: int = Field(
        2, ge=0, le=23, description="The hour of the night, in the hospital's own time, from which it is tried."
    )
    per_second: int = Field(100, ge=1, le=5_000, description="The most requests in a second.")


class Subscriptions(BaseModel):
    """What is told to other systems when something changes."""

    poll_ms: int = Field(250, ge=10, description="Milliseconds between two looks for what is to be told.")
    timeout_seconds: float = Field(
        10, gt=0, le=60, description="The longest that one call may take; a Subscription may say less, or up to 30."
    )
    retry_seconds: float = Field(
        1, gt=0, description="Pause after the first failed call; doubled with each further one, at most five minutes."
    )
    give_up_seconds: float = Field(
        86_400, gt=0, description="A Subscription whose endpoint fails for this long goes into the status error."
    )
    keep_days: float = Field(
        14, gt=0, description="Days that events can be asked for again, and that one in error waits before it is off."
    )


class Bulk(BaseModel):
    """Exports and imports of whole records."""

    keep_hours: float = Field(24, gt=0, description="Hours after which a job and its files are removed.")
    part_mib: int = Field(64, ge=1, le=4096, description="About how large a file of an export becomes, in MiB.")
    open_jobs: int = Field(4, ge=1, description="Jobs that may wait or run in one hospital at a time; more get 429.")
    poll_seconds: float = Field(
        1, ge=0, description="Who asks after a running job sooner than after so many seconds gets 429."
    )
    upload_limit_mib: int = Field(20_480, ge=1, description="Largest NDJSON file that is taken, in MiB.")
    import_processes: int = Field(
        2, ge=0, le=16, description="Processes that read and check the lines of a large import beside the worker's own."
    )


class Backup(BaseModel):
    """Backups by pgBackRest, and what it takes to look into one of them. Only `emr backup` and `emr rewind` ask."""

    config: Path | None = Field(
        None, description="pgBackRest's configuration; empty: this machine neither makes nor reads backups."
    )
    program: str = Field("pgbackrest", description="pgBackRest's program.")
    binaries: Path = Field(
        Path("/usr/lib/postgresql/15/bin"), description="PostgreSQL's programs, of the version that the cells run."
    )
    account: str = Field(
        "postgres", description="The system account that pgBackRest and a restored cell run as when root asks for them."
    )
    scratch: Path | None = Field(
        None, description="Folder in which a cell is restored for a while; the system's temporary folder by default."
    )
    memory_mib: int = Field(128, ge=16, description="MiB of buffers that a restored cell takes.")
    minutes: int = Field(120, ge=1, description="The longest that a backup, or restoring a cell, may take.")
    archive_seconds: int = Field(
        90, ge=1, description="The longest that a rewind waits until the write-ahead log of now is in the repository."
    )
    keep_days: int = Field(
        35,
        ge=1,
        description="Days that a backup is kept for; an object that no row names any more is kept as long.",
    )
    rewind_hours: int = Field(72, ge=1, le=720, description="Hours after which an opened past is closed by itself.")
    rewinds: int = Field(3, ge=1, le=20, description="Pasts of one hospital that may be open at a time.")


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


class Keys(BaseModel):
    """Secrets of the platform itself. Production refuses to start with weak or missing ones."""

    master: SecretStr = Field(
        SecretStr(""),
        description="Keys that wrap the hospitals' data keys: `id:base64(32 bytes)`, several parted by commas, the first wraps anew.",
    )
    signing: SecretStr = Field(
        SecretStr(""), description="base64(32 bytes): signs page cursors, CSRF tokens and sign-in state."
    )
    sealing: SecretStr = Field(
        SecretStr(""), description="base64(32 bytes): seals refresh tokens in the session table."
    )
    anchor: SecretStr = Field(
        SecretStr(""),
        description="base64(32 bytes): the worker's Ed25519 key for anchors; production's worker needs it, elsewhere it may follow from `signing`.",
    )


class Settings(BaseSettings):
    """All of it."""

    model_config = SettingsConfigDict(env_prefix="EMR_", env_nested_delimiter="__", extra="ignore", frozen=True)

    profile: Profile = Field(
        "production",
        description="`demo` and `test` allow what production refuses: folder storage and the demo's own identity provider.",
    )
    tenants: Annotated[Path, NoDecode] = Field(Path("tenants"), description="Folder of the hospitals' files.")
    database: Database = Database()
    storage: Storage = Storage()
    anchors: Anchors = Anchors()
    archives: Archives = Archives()
    identity: Identity = Identity()
    warehouse: Warehouse = Warehouse()
    worker: Worker = Worker()
    border: Border = Border()
    subscriptions: Subscriptions = Subscriptions()
    bulk: Bulk = Bulk()
    backup: Backup = Backup()
    telemetry: Telemetry = Telemetry()
    http: Http = Http()
    dicom: Dicom = Dicom()
    keys: Keys = Keys()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment, then secrets named by `…_FILE`; nothing else is read."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, _SecretFiles(settings_cls)


_OBJECTS: Final = frozenset({("database", "cells"), ("database", "cell_owners"), ("database", "dedicated")})
"""Settings that are objects in JSON, also in a file."""


class _SecretFiles(PydanticBaseSettingsSource):
    """Values whose variable ends in `_FILE`, read from the file that it names."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        del field
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, path in os.environ.items():
            if not (name.startswith("EMR_") and name.endswith("_FILE")):
                continue
            group, _, key = name.removeprefix("EMR_").removesuffix("_FILE").lower().partition("__")
            lines = Path(path).read_text("utf-8").splitlines()
            if key and lines:
                found.setdefault(group, {})[key] = json.loads(lines[0]) if (group, key) in _OBJECTS else lines[0]
        return found
