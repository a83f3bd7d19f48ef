"""What a process demands before it starts."""

import base64
import secrets

import pytest
from pydantic import SecretStr

from emr.kernel.errors import Invalid
from emr.settings import Keys, Settings
from emr.work.preconditions import demand_anchor_key


def settings(profile: str, key: str = "") -> Settings:
    return Settings(profile=profile, keys=Keys(anchor=SecretStr(key)))  # type: ignore[arg-type]


class TestAnchorKey:
    @pytest.mark.parametrize("key", ["", "short", base64.b64encode(bytes(32)).decode()], ids=["none", "short", "weak"])
    def test_production_demands_a_good_one(self, key: str) -> None:
        with pytest.raises(Invalid, match="EMR_KEYS__ANCHOR"):
            demand_anchor_key(settings("production", key))

    def test_the_demo_does_without(self) -> None:
        demand_anchor_key(settings("demo"))

    def test_a_good_one_passes(self) -> None:
        demand_anchor_key(settings("production", base64.b64encode(secrets.token_bytes(32)).decode()))
