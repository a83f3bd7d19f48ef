"""Hospitals' files in a folder of the test's own, and the `emr` command as a person runs it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from emr.settings import Settings
from tests.house import ROOT, House

FILE = """\
slug: {slug}
name: Bệnh viện Thử
facility_code: "{code}"
province: "79"
features: [outpatient]
identity: {{organization: {slug}}}
"""


@dataclass
class Folder:
    """A folder with the files of both standing hospitals and whatever a test adds."""

    path: Path
    house: House

    @property
    def settings(self) -> Settings:
        return self.house.settings.model_copy(update={"tenants": self.path})

    def write(self, slug: str, text: str = "", code: str = "12345") -> Path:
        path = self.path / f"{slug}.yaml"
        path.write_text(text or FILE.format(slug=slug, code=code), "utf-8")
        return path

    def change(self, slug: str, old: str, new: str) -> None:
        path = self.path / f"{slug}.yaml"
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")


def environment(settings: Settings) -> dict[str, str]:
    """The house's settings as a process finds them."""
    return {
        "EMR_PROFILE": "test",
        "EMR_TENANTS": str(settings.tenants),
        "EMR_DATABASE__URL": settings.database.url,
        "EMR_DATABASE__OWNER_URL": settings.database.owner_url,
        "EMR_STORAGE__FOLDER": str(settings.storage.folder),
        "EMR_IDENTITY__ISSUER": settings.identity.issuer,
        "EMR_BORDER__NIGHTLY": "false",
        "EMR_BORDER__PER_SECOND": str(settings.border.per_second),
        "EMR_WAREHOUSE__URL": settings.warehouse.url,
        "EMR_HTTP__BASE_URL": settings.http.base_url,
        "EMR_KEYS__MASTER": settings.keys.master.get_secret_value(),
        "EMR_KEYS__SIGNING": settings.keys.signing.get_secret_value(),
        "EMR_KEYS__SEALING": settings.keys.sealing.get_secret_value(),
    }


def emr(house: House, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command with the house's settings in its environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EMR_")}
    command = [Path(sys.executable).with_name("emr"), *arguments]
    return subprocess.run(
        command, env=kept | environment(house.settings) | more, cwd=ROOT, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip
