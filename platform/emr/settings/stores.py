"""What is kept where: databases, objects, anchors, archives, backups, and the keys to them."""

from pathlib import Path

from pydantic import BaseModel, Field, SecretStr


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
