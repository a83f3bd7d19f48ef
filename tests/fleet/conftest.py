import shutil
from pathlib import Path

import pytest

from tests.fleet.world import Folder
from tests.house import ROOT, House


@pytest.fixture
def folder(standing: House, tmp_path: Path) -> Folder:
    place = tmp_path / "tenants"
    place.mkdir()
    for path in (ROOT / "tenants").glob("*.yaml"):
        shutil.copy(path, place)
    return Folder(place, standing)
