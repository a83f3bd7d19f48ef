"""What must hold before a process starts: a login without power, secrets that are secret, a safe profile."""

import base64
import binascii
from typing import Final

from emr.db.cells import all_logins
from emr.db.roles import refuse_powerful_login
from emr.kernel.errors import Invalid
from emr.settings import Settings

_SECRET_BYTES: Final = 32
_DISTINCT: Final = 12


def demand_safe(settings: Settings) -> None:
    """Raises `Invalid` naming the setting and the rule, or `LoginTooPowerful`."""
    for name in ("signing", "sealing"):
        _demand_secret(getattr(settings.keys, name).get_secret_value(), f"EMR_KEYS__{name.upper()}")
    if not settings.database.url:
        raise _refused("EMR_DATABASE__URL", "is required")
    if settings.profile == "production":
        _demand_production(settings)
    for url in all_logins(settings.database):
        refuse_powerful_login(url)


def demand_anchor_key(settings: Settings) -> None:
    """What the worker needs besides. Raises `Invalid`: in production, anchors are signed with a key of their own."""
    text = settings.keys.anchor.get_secret_value()
    if text or settings.profile == "production":
        _demand_secret(text, "EMR_KEYS__ANCHOR")


def _demand_production(settings: Settings) -> None:
    if not settings.http.base_url.startswith("https://"):
        raise _refused("EMR_HTTP__BASE_URL", "is an https address in production")
    if not settings.identity.issuer.startswith("https://"):
        raise _refused("EMR_IDENTITY__ISSUER", "is an https address in production")
    if settings.storage.folder is not None and not settings.storage.endpoint:
        raise _refused("EMR_STORAGE__FOLDER", "is for the demo; production keeps objects in S3")
    if settings.http.docs:
        raise _refused("EMR_HTTP__DOCS", "is off in production")


def _demand_secret(text: str, name: str) -> None:
    try:
        secret = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise _refused(name, "is base64") from error
    if len(secret) != _SECRET_BYTES or len(set(secret)) < _DISTINCT:
        raise _refused(name, f"is {_SECRET_BYTES} random bytes in base64")


def _refused(name: str, rule: str) -> Invalid:
    return Invalid("setting-unsafe", f"{name} {rule}.", location=name)
