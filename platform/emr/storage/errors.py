"""Refusals of the object store."""

from emr.kernel.errors import NotFound, TooLarge, Unavailable


class StoreUnavailable(Unavailable):
    """The object store does not answer, or answers with a failure of its own."""

    def __init__(self) -> None:
        super().__init__("object-store-unavailable", "The object store does not answer; nothing was stored or changed.")


class ObjectMissing(NotFound):
    """There is no object with that key in this hospital's part of the store."""

    def __init__(self) -> None:
        super().__init__("object-missing", "The object is not in the store.")


class SealBroken(Unavailable):
    """The sealed bytes are not what was stored: changed, cut, extended, put in another order or in another place."""

    def __init__(self, why: str) -> None:
        super().__init__("object-damaged", f"The stored object cannot be opened: {why}.")


class KeyUnknown(Unavailable):
    """The key that opens this is not among those that the process was given."""

    def __init__(self, what: str) -> None:
        super().__init__("key-unknown", f"The {what} is not among the keys that this process was given.")


class BlobTooLarge(TooLarge):
    """More bytes than the caller may store."""

    def __init__(self, limit: int) -> None:
        super().__init__("content-too-large", f"The content is larger than the limit of {limit} bytes.")


class StorageFull(TooLarge):
    """The hospital has used the room that its file gives it."""

    def __init__(self, most: int) -> None:
        super().__init__(
            "hospital-storage-full", f"The hospital's {most >> 30} GiB of storage are used up.", location="file"
        )
