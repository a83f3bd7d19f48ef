"""What workers do, and how much of it at a time."""

from pathlib import Path

from pydantic import BaseModel, Field, SecretStr


class Worker(BaseModel):
    """The process that relays, seals and tidies."""

    lease_seconds: float = Field(
        10, gt=0, description="How long after a worker's sudden end another one takes over what it held."
    )
    drain_seconds: float = Field(25, gt=0, description="The longest that a stopping worker finishes what it began.")


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
    package_folder: Path | None = Field(
        None,
        description="Folder in which a worker writes exit packages before it seals them into the object store; "
        "empty: the system's temporary folder.",
    )
    open_jobs: int = Field(4, ge=1, description="Jobs that may wait or run in one hospital at a time; more get 429.")
    poll_seconds: float = Field(
        1, ge=0, description="Who asks after a running job sooner than after so many seconds gets 429."
    )
    upload_limit_mib: int = Field(20_480, ge=1, description="Largest NDJSON file that is taken, in MiB.")
    import_processes: int = Field(
        2, ge=0, le=16, description="Processes that read and check the lines of a large import beside the worker's own."
    )
