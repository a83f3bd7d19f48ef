"""An anchor as text: what is signed cannot be changed, and only keys that are trusted count."""

import base64
import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from emr.audit.anchors import Anchor, AnchorRefused, moment_of, read_anchor, signed, signer_of, trusted_of
from emr.audit.seals import Head
from emr.audit.signing import Signer, key_id
from emr.settings import Anchors, Keys, Settings

AT = datetime(2026, 11, 22, 3, 4, 5, 678901, tzinfo=UTC)
ANCHOR = Anchor("default", AT, {"t_abcdefghijkl": Head(3, 12, bytes(range(32))), "directory": Head()})
SIGNER = Signer(bytes(range(32)))
TRUSTED = {SIGNER.id: SIGNER.public}


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    body = json.loads(signed(ANCHOR, SIGNER))
    change(body)
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


class TestText:
    def test_what_was_signed_is_read_back(self) -> None:
        assert read_anchor(ANCHOR.name, signed(ANCHOR, SIGNER), TRUSTED) == ANCHOR

    def test_its_bytes_stay_what_they_are(self) -> None:
        assert ANCHOR.name == "default/2026/11/22/030405.678901Z"
        assert moment_of(ANCHOR.name) == AT
        assert SIGNER.id == key_id(SIGNER.public) == "56475aa75463474c"
        body = json.loads(signed(ANCHOR, SIGNER))
        signature = base64.b64decode(body.pop("signature"))
        heads = f'["directory",0,0,"{"00" * 32}"],["t_abcdefghijkl",3,12,"{bytes(range(32)).hex()}"]'
        text = (
            f'{{"at":"2026-11-22T03:04:05.678901Z","cell":"default","heads":[{heads}],"key":"56475aa75463474c","v":1}}'
        )
        Ed25519PublicKey.from_public_bytes(SIGNER.public).verify(signature, b"EMR-AUDIT-ANCHOR\x00" + text.encode())
        assert body == {
            "v": 1,
            "at": "2026-11-22T03:04:05.678901Z",
            "cell": "default",
            "heads": [["directory", 0, 0, "00" * 32], ["t_abcdefghijkl", 3, 12, bytes(range(32)).hex()]],
            "key": "56475aa75463474c",
        }

    @pytest.mark.parametrize(
        "change",
        [
            lambda body: body["heads"].pop(),
            lambda body: body["heads"][1].__setitem__(1, 4),
            lambda body: body["heads"][1].__setitem__(3, "00" * 32),
            lambda body: body.update(at="2026-11-22T03:04:05.678902Z"),
            lambda body: body.update(cell="north"),
            lambda body: body.update(signature=base64.b64encode(bytes(64)).decode()),
        ],
        ids=["stream", "batch", "hash", "moment", "cell", "signature"],
    )
    def test_what_was_changed_has_no_good_signature(self, change: Callable[[dict[str, Any]], object]) -> None:
        with pytest.raises(AnchorRefused, match="signature is not good"):
            read_anchor(ANCHOR.name, changed(change), TRUSTED)

    def test_a_strangers_signature_does_not_count(self) -> None:
        with pytest.raises(AnchorRefused, match="nobody trusted"):
            read_anchor(ANCHOR.name, signed(ANCHOR, Signer(secrets.token_bytes(32))), TRUSTED)

    def test_under_another_name_it_is_none(self) -> None:
        with pytest.raises(AnchorRefused, match="another's name"):
            read_anchor("default/2026/11/22/030405.678902Z", signed(ANCHOR, SIGNER), TRUSTED)

    @pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"null", b"\xff", b'{"signature":1}', b'{"signature":"AAAA"}'])
    def test_rubbish_is_refused(self, text: bytes) -> None:
        with pytest.raises(AnchorRefused, match="not an anchor"):
            read_anchor(ANCHOR.name, text, TRUSTED)


class TestKeys:
    def settings(self, **keys: str) -> Settings:
        return Settings(profile="test", keys=Keys(**keys))  # type: ignore[arg-type]

    def test_the_key_of_the_settings_signs(self) -> None:
        own = base64.b64encode(bytes(range(32))).decode()
        assert signer_of(self.settings(anchor=own, signing=own)).id == SIGNER.id

    def test_without_one_it_follows_from_the_signing_key(self) -> None:
        one, other = (base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2))
        assert signer_of(self.settings(signing=one)).id == signer_of(self.settings(signing=one)).id
        assert signer_of(self.settings(signing=one)).id != signer_of(self.settings(signing=other)).id

    def test_earlier_signers_are_believed_when_they_are_listed(self) -> None:
        listed = base64.b64encode(SIGNER.public).decode()
        own = base64.b64encode(secrets.token_bytes(32)).decode()
        trusted = trusted_of(self.settings(anchor=own).model_copy(update={"anchors": Anchors(public_keys=listed)}))
        assert trusted[SIGNER.id] == SIGNER.public
        assert len(trusted) == 2
