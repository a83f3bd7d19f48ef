import gzip
import json
from pathlib import Path

import pytest

from emr.kernel.errors import NotFound, Unavailable
from emr.web.assets import STATIC, read_assets

SCRIPT_BUDGET = 60 * 1024


class TestReadAssets:
    def test_a_build_that_is_missing_says_how_to_make_it(self, tmp_path: Path) -> None:
        with pytest.raises(Unavailable, match="npm run build"):
            read_assets(tmp_path)

    def test_a_name_that_is_not_of_the_build_is_not_found(self) -> None:
        with pytest.raises(NotFound):
            read_assets().get("../i18n.py")

    def test_both_forms_of_a_file_are_the_same(self) -> None:
        assets = read_assets()
        assert all(gzip.decompress(file.gzipped) == file.plain for file in assets.files.values())


class TestBudget:
    def test_the_script_is_small_enough(self) -> None:
        names = json.loads((STATIC / "manifest.json").read_text("utf-8"))
        assert (STATIC / f"{names['app.js']}.gz").stat().st_size <= SCRIPT_BUDGET

    def test_no_style_or_script_comes_from_elsewhere(self) -> None:
        style = read_assets().get(read_assets().names["style.css"]).plain.decode()
        assert "http" not in style
        assert "@import" not in style
