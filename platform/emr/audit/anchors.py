"""An anchor: the heads of a cell's streams at one moment, signed, as one line of text. Pure.

`platform/docs/audit-format.md` describes the bytes.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from emr.audit.seals import Head
from emr.audit.signing import Signer, holds, key_id
from emr.settings import Settings

FORMAT: Final = 1
_MAGIC: Final = b"EMR-AUDIT-ANCHOR\x00"
_CANONICAL: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
_NAME: Final = "%Y/%m/%d/%H%M%S.%fZ"


class AnchorRefused(ValueError):
    """What was read back is not an anchor that somebody trusted has signed; the message says why."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where each stream of a cell ended at a moment (UTC)."""

    cell: str
    at: datetime
    heads: Mapping[str, Head]

    @property
    def name(self) -> str:
        """The object's name: cell, then the moment, so that names sort by time."""
        return f"{self.cell}/{self.at.astimezone(UTC).strftime(_NAME)}"


def moment_of(name: str) -> datetime:
    """When the anchor of this name was written. Raises `ValueError`."""
    return datetime.strptime(name.partition("/")[2], _NAME).replace(tzinfo=UTC)


def signed(anchor: Anchor, signer: Signer) -> bytes:
    """The anchor's line of text in UTF-8."""
    body = {
        "v": FORMAT,
        "cell": anchor.cell,
        "at": anchor.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "heads": [[name, head.batch, head.last, head.hash.hex()] for name, head in sorted(anchor.heads.items())],
        "key": signer.id,
    }
    signature = base64.b64encode(signer.sign(_covered(body))).decode("ascii")
    return _CANONICAL.encode(body | {"signature": signature}).encode()


def signer_of(settings: Settings) -> Signer:
    """The key of the settings; where there is none, one that follows from the signing key (production demands one)."""
    text = settings.keys.anchor.get_secret_value()
    if text:
        return Signer(base64.b64decode(text, validate=True))
    secret = base64.b64decode(settings.keys.signing.get_secret_value(), validate=True)
    return Signer.derived(secret, b"emr audit anchor 1")


def trusted_of(settings: Settings) -> dict[str, bytes]:
    """The public keys whose anchors are believed, by id: the settings' own and those that they list."""
    listed = [base64.b64decode(each, validate=True) for each in settings.anchors.public_keys.split(",") if each.strip()]
    if settings.keys.anchor.get_secret_value() or settings.keys.signing.get_secret_value():
        listed.append(signer_of(settings).public)
    return {key_id(public): public for public in listed}


def read_anchor(name: str, text: bytes, trusted: Mapping[str, bytes]) -> Anchor:
    """The anchor that lies under this name. Raises `AnchorRefused`."""
    try:
        body: dict[str, Any] = json.loads(text)
        signature = base64.b64decode(body.pop("signature"), validate=True)
        anchor = Anchor(body["cell"], datetime.fromisoformat(body["at"]), dict(_heads(body["heads"])))
        public = trusted.get(body["key"])
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise AnchorRefused("it is not an anchor") from error
    if body["v"] != FORMAT:
        raise AnchorRefused("its format is unknown")
    if public is None:
        raise AnchorRefused("nobody trusted has the key that signed it")
    if not holds(public, _covered(body), signature):
        raise AnchorRefused("its signature is not good")
    if anchor.name != name:
        raise AnchorRefused("it lies under another's name")
    return anchor


def _covered(body: Mapping[str, Any]) -> bytes:
    return _MAGIC + _CANONICAL.encode(body).encode()


def _heads(found: Iterable[tuple[str, int, int, str]]) -> Iterable[tuple[str, Head]]:
    return ((stream, Head(batch, last, bytes.fromhex(digest))) for stream, batch, last, digest in found)
