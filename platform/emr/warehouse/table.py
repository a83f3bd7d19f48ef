"""The Delta Lake table of resource versions, as something that one process at a time appends to.

Everything here blocks; callers use a thread. A commit carries the batch's number as a transaction of its cell, and the
library refuses to put a second commit with the same cell's transaction over one that it has not seen.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import pyarrow as pa
import pyarrow.dataset as arrow
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from emr.kernel.errors import Unavailable
from emr.settings import Warehouse

SCHEMA: Final = pa.schema(
    [
        pa.field("hospital", pa.string(), nullable=False),
        pa.field("facility_code", pa.string(), nullable=False),
        pa.field("tenant_id", pa.string(), nullable=False),
        pa.field("cell", pa.string(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("last_updated", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("deleted", pa.bool_(), nullable=False),
        pa.field("body", pa.string(), nullable=True),
        pa.field("batch", pa.int64(), nullable=False),
        pa.field("month", pa.string(), nullable=False),
    ]
)
"""`hospital` is the slug and `tenant_id` the id that never changes; `body` is the JSON text as stored, null for a
deletion; `month` is that of `last_updated` in UTC, `YYYY-MM`."""

_APP: Final = "emr/cell/"
_BATCH: Final = "emr.batch"
_LOOK_BACK: Final = 200
_SMALL_BYTES: Final = 128 * 1024 * 1024

Key = tuple[str, str, int]
"""type, id, version"""


class TableBusy(Unavailable):
    """Another process wrote as this cell at the same time; nothing was stored twice, the batch is looked at again."""


@dataclass(frozen=True, slots=True)
class Source:
    """Whose versions these are."""

    hospital: str
    facility_code: str
    tenant_id: str


@dataclass(frozen=True, slots=True)
class Version:
    """One row. `body` is empty for a deletion."""

    source: Source
    type: str
    id: str
    version: int
    last_updated: datetime
    deleted: bool
    body: bytes


class Table:
    """The table as one cell sees it. Raises `Unavailable` when the place does not answer."""

    def __init__(self, settings: Warehouse, cell: str) -> None:
        self._url = settings.url
        self._options = storage_options(settings)
        self._cell = cell
        self._app = _APP + cell
        self._open: DeltaTable | None = None

    def delivered(self) -> int:
        """The number of this cell's last batch in the table as it stands now; 0 before the first."""
        with self._translated():
            number: int | None = self._fresh().transaction_version(self._app)
        return number or 0

    def append(self, number: int, versions: Sequence[Version]) -> int:
        """Add the rows of a batch and answer the table's version that holds them.

        Raises `TableBusy` when another commit of this cell came between this and the last call of `delivered`.
        """
        table = self._open
        if table is None:
            raise ValueError("ask what is delivered before appending")
        properties = CommitProperties(
            custom_metadata={_BATCH: f"{self._cell}/{number}"},
            app_transactions=[Transaction(self._app, number)],
            max_commit_retries=5,
        )
        with self._translated():
            write_deltalake(table, self._rows(number, versions), mode="append", commit_properties=properties)
            version: int = table.version()
        return version

    def version_of(self, number: int) -> int | None:
        """The table's version that holds a batch, if it is among the last ones."""
        with self._translated():
            for commit in self._fresh().history(_LOOK_BACK):
                if commit.get(_BATCH) == f"{self._cell}/{number}":
                    found: int = commit["version"]
                    return found
        return None

    def keys(self, tenant_id: str) -> Iterator[Key]:
        """Every (type, id, version) that the table holds of a hospital; one that is there twice comes twice."""
        with self._translated():
            rows = self._fresh().to_pyarrow_dataset()
            columns = ["type", "id", "version"]
            for part in rows.to_batches(columns=columns, filter=arrow.field("tenant_id") == tenant_id):
                yield from zip(*(part.column(name).to_pylist() for name in columns), strict=True)

    def moments(self, tenant_id: str) -> dict[Key, datetime]:
        """When each version that the table holds of a hospital was written."""
        columns = ["type", "id", "version", "last_updated"]
        found: dict[Key, datetime] = {}
        with self._translated():
            rows = self._fresh().to_pyarrow_dataset()
            for part in rows.to_batches(columns=columns, filter=arrow.field("tenant_id") == tenant_id):
                for *key, moment in zip(*(part.column(name).to_pylist() for name in columns), strict=True):
                    found[key[0], key[1], key[2]] = moment
        return found

    def tidy(self) -> None:
        """Put small files together. Readers see the same rows; the process must hold the lease."""
        with self._translated():
            self._fresh().optimize.compact(target_size=_SMALL_BYTES)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The library's errors in our words; its texts hold addresses, so they stay behind."""
        try:
            yield
        except CommitFailedError as error:
            self._open = None
            raise TableBusy("warehouse-busy", "Another process wrote to the warehouse at the same time.") from error
        except (DeltaError, OSError) as error:
            self._open = None
            raise Unavailable("warehouse-unavailable", "The warehouse does not answer.") from error

    def _fresh(self) -> DeltaTable:
        if self._open is None:
            DeltaTable.create(
                self._url, schema=SCHEMA, mode="ignore", partition_by=["month"], storage_options=self._options,
                name="resource_versions", description="Every version of every FHIR resource, in append order.",
            )  # fmt: skip
            self._open = DeltaTable(self._url, storage_options=self._options)
        else:
            self._open.update_incremental()
        return self._open

    def _rows(self, number: int, versions: Iterable[Version]) -> pa.Table:
        rows = [
            (
                each.source.hospital,
                each.source.facility_code,
                each.source.tenant_id,
                self._cell,
                each.type,
                each.id,
                each.version,
                each.last_updated,
                each.deleted,
                each.body.decode("utf-8") if each.body else None,
                number,
                each.last_updated.astimezone(UTC).strftime("%Y-%m"),
            )
            for each in versions
        ]
        columns = list(zip(*rows, strict=True))
        return pa.table(
            [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
        )


def storage_options(settings: Warehouse) -> dict[str, str]:
    """What the library needs to reach the place; nothing for a folder.

    A commit on S3 is a conditional PUT: of two writers of one version only one succeeds.
    """
    if not settings.url.startswith("s3://"):
        return {}
    options = {
        "AWS_REGION": settings.region,
        "AWS_CONDITIONAL_PUT": "etag",
        "TIMEOUT": "30s",
        "CONNECT_TIMEOUT": "5s",
        "MAX_RETRIES": "2",
        "RETRY_TIMEOUT": "10s",
    }
    if settings.endpoint:
        options["AWS_ENDPOINT_URL"] = settings.endpoint
        options["AWS_ALLOW_HTTP"] = str(settings.endpoint.startswith("http://")).lower()
    if settings.access_key:
        options["AWS_ACCESS_KEY_ID"] = settings.access_key
        options["AWS_SECRET_ACCESS_KEY"] = settings.secret_key.get_secret_value()
    return options
