import json
import re
from decimal import Decimal

import pytest

from emr.chart.lexicon import lexicon
from emr.web.i18n import Said, Speech, read_catalogues
from tests.web.texts import ROOMS, templates, texts, untold

CATALOGUE = read_catalogues(ROOMS)
# A language's own name, abbreviations of the trade, and names of substances stand as they are.
KEPT = {"Tiếng Việt"}


class TestCatalogue:
    def test_every_text_has_an_english_translation(self) -> None:
        assert sorted(set(texts()) - set(CATALOGUE)) == []

    def test_every_measured_thing_has_an_english_name(self) -> None:
        names = {name for term in lexicon().terms.values() for name in (term.name, term.group)}
        assert sorted(names - set(CATALOGUE)) == []

    def test_both_languages_have_the_same_places(self) -> None:
        places = re.compile(r"\{[a-z]*\}")
        wrong = [vi for vi, en in CATALOGUE.items() if sorted(places.findall(vi)) != sorted(places.findall(en))]
        assert wrong == []

    def test_no_translation_is_empty(self) -> None:
        assert [vi for vi, en in CATALOGUE.items() if not en.strip()] == []

    @pytest.mark.parametrize("file", sorted(ROOMS.glob("*/locale/en.json")), ids=lambda file: file.parent.parent.name)
    def test_a_text_stands_once_in_its_file(self, file: object) -> None:
        pairs = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=list)  # type: ignore[attr-defined]
        assert len(pairs) == len(dict(pairs))


class TestTemplates:
    @pytest.mark.parametrize("path", list(templates()), ids=lambda path: f"{path.parent.parent.name}/{path.name}")
    def test_no_vietnamese_text_stands_outside_the_translation(self, path: object) -> None:
        found = [line for line in untold(path) if not any(kept in line for kept in KEPT)]  # type: ignore[arg-type]
        assert found == []

    @pytest.mark.parametrize("path", list(templates()), ids=lambda path: f"{path.parent.parent.name}/{path.name}")
    def test_nothing_inline_that_the_policy_would_refuse(self, path: object) -> None:
        source = path.read_text(encoding="utf-8")  # type: ignore[attr-defined]
        assert re.findall(r"\sstyle=|<style|\son[a-z]+=\"|<script(?! src=)|javascript:", source) == []

    @pytest.mark.parametrize("path", list(templates()), ids=lambda path: f"{path.parent.parent.name}/{path.name}")
    def test_every_form_that_posts_into_a_hospital_carries_the_csrf_token(self, path: object) -> None:
        source = path.read_text(encoding="utf-8")  # type: ignore[attr-defined]
        forms = re.findall(r"<form\b.*?</form>", source, flags=re.DOTALL)
        posted = [form for form in forms if 'method="post"' in form and "scene.prefix" in form]
        assert [form[:90] for form in posted if "tokens(scene" not in form and "scene.hidden()" not in form] == []


class TestSpeech:
    def test_vietnamese_is_the_source(self) -> None:
        assert Speech("vi", CATALOGUE).say("{n} tuổi", n=67) == "67 tuổi"

    def test_english_comes_from_the_catalogue(self) -> None:
        assert Speech("en", CATALOGUE).say("{n} tuổi", n=67) == "67 years"

    def test_a_label_within_a_text_is_translated_too(self) -> None:
        assert (
            Speech("en", CATALOGUE).say("{label}: phải là số nguyên", label="Mạch") == "Pulse: must be a whole number"
        )

    def test_the_decimal_comma_is_vietnamese(self) -> None:
        assert Speech("vi", {}).number(Decimal("7.80")) == "7,80"

    def test_the_decimal_point_is_english(self) -> None:
        assert Speech("en", {}).number(Decimal("7.80")) == "7.80"

    def test_figures_within_a_text_have_the_sign_of_the_language(self) -> None:
        said = Said("{low} – {high}", {"low": Decimal("3.5"), "high": Decimal("5.1")})
        assert Speech("vi", {}).say(said.text, **said.values) == "3,5 – 5,1"
