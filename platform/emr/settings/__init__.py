"""Every setting, typed and documented; read once from the environment or from files and then passed in.

A setting is `EMR_<GROUP>__<NAME>`; a secret may come from a file instead: `EMR_<GROUP>__<NAME>_FILE`
names a file whose first line is the value.
"""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from emr.settings.entrances import Dicom, Http, Identity, Telemetry
from emr.settings.jobs import Border, Bulk, Subscriptions, Warehouse, Worker
from emr.settings.stores import Anchors, Archives, Backup, Database, Keys, Storage

__all__ = [
    "Anchors",
    "Archives",
    "Backup",
    "Border",
    "Bulk",
    "Database",
    "Dicom",
    "Http",
    "Identity",
    "Keys",
    "Profile",
    "Settings",
    "Storage",
    "Subscriptions",
    "Telemetry",
    "Warehouse",
    "Worker",
]

Profile = Literal["production", "demo", "test"]


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
