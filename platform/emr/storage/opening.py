"""Which object store a process uses, by its settings."""

from collections.abc import Callable
from dataclasses import dataclass, field

from emr.kernel.errors import Invalid
from emr.settings import Settings
from emr.storage.blobs import BlobStore, Limits, Statements
from emr.storage.folder import FolderStore
from emr.storage.keys import Keyring, MasterKeys
from emr.storage.observed import Measure, ObservedStore
from emr.storage.ports import ObjectStore
from emr.storage.room import Room
from emr.storage.s3 import S3Address, S3Client, S3Store
from emr.telemetry.metrics import storage_call


@dataclass(frozen=True, slots=True)
class Stores:
    """The object stores of a process: ask it for one hospital's. `masters` unwrap the hospitals' data keys."""

    masters: MasterKeys
    measure: Measure
    make: Callable[[str], ObjectStore] = field(repr=False)
    client: S3Client | None = None
    _known: dict[str, ObjectStore] = field(default_factory=dict, repr=False)
    _rooms: dict[str, Room] = field(default_factory=dict, repr=False)

    def of(self, prefix: str) -> ObjectStore:
        """The store of the hospital with this prefix (`Tenant.schema`)."""
        known = self._known.get(prefix)
        if known is None:
            known = self._known[prefix] = ObservedStore(self.make(prefix), self.measure)
        return known

    def blobs(self, prefix: str, keyring: Keyring, rows: Statements, most: int = 0) -> BlobStore:
        """The blobs of a hospital inside a transaction that is already its own; `most`: bytes that it may have."""
        room = self._rooms.get(prefix)
        if room is None:
            room = self._rooms[prefix] = Room()
        return BlobStore(self.of(prefix), keyring, rows, Limits(most, room))

    async def check(self) -> None:
        """Whether the store answers, for `/readyz`; raises `StoreUnavailable`."""
        if self.client is not None:
            await self.client.check()

    def close(self) -> None:
        """Let go of threads and connections."""
        if self.client is not None:
            self.client.close()


def open_stores(settings: Settings, measure: Measure = storage_call) -> Stores:
    """The stores that the settings describe. Raises `Invalid` naming the setting; production refuses a folder."""
    masters, storage = _masters(settings), settings.storage
    if storage.endpoint:
        client = S3Client(
            S3Address(
                host=storage.endpoint,
                bucket=storage.bucket,
                access_key=storage.access_key,
                secret_key=storage.secret_key.get_secret_value(),
                region=storage.region,
                secure=storage.secure,
            )
        )
        return Stores(masters, measure, lambda prefix: S3Store(client, prefix), client)
    folder = storage.folder
    if folder is None:
        raise Invalid(
            "setting-missing", "Neither an S3 endpoint nor a folder is set.", location="EMR_STORAGE__ENDPOINT"
        )
    if settings.profile == "production":
        raise Invalid(
            "folder-in-production", "Production keeps objects in S3, not in a folder.", location="EMR_STORAGE__FOLDER"
        )
    return Stores(masters, measure, lambda prefix: FolderStore(folder, prefix))


def _masters(settings: Settings) -> MasterKeys:
    try:
        return MasterKeys.parse(settings.keys.master.get_secret_value())
    except ValueError as error:
        raise Invalid("setting-invalid", f"{error}.", location="EMR_KEYS__MASTER") from error
