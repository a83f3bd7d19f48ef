"""Folding: a Vietnamese name is found however its accents were typed."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr.kernel.text import fold, words


class TestFold:
    @pytest.mark.parametrize(
        ("written", "folded"),
        [
            ("Nguyễn Thị Ánh", "nguyen thi anh"),
            ("ĐẶNG  ĐỨC\tĐạt ", "dang duc dat"),
            ("Trương Mỹ Hoà", "truong my hoa"),
            ("Trương Mỹ Hòa", "truong my hoa"),
            ("phường Ô Chợ Dừa", "phuong o cho dua"),
            ("ưỡn ượng ửng ữ", "uon uong ung u"),
            ("Straße Œuvre Łódź", "strasse oeuvre lodz"),
            ("", ""),
            ("  ", ""),
        ],
    )
    def test_accents_and_case_do_not_count(self, written: str, folded: str) -> None:
        assert fold(written) == folded

    @given(st.text())
    def test_folding_twice_changes_nothing(self, text: str) -> None:
        assert fold(fold(text)) == fold(text)

    @given(st.text())
    def test_composed_and_decomposed_spellings_fold_alike(self, text: str) -> None:
        assert fold(unicodedata.normalize("NFC", text)) == fold(unicodedata.normalize("NFD", text))

    @given(st.text("aàáảãạăằắẳẵặâầấẩẫậđeèéẻẽẹêềếểễệiìíỉĩịoòóỏõọôồốổỗộơờớởỡợuùúủũụưừứửữựyỳýỷỹỵ"))
    def test_every_vietnamese_letter_becomes_plain(self, text: str) -> None:
        assert fold(text).isascii()
        assert fold(text.upper()) == fold(text)

    def test_khmer_keeps_its_vowels(self) -> None:
        assert fold("ថាច់ ស៊ីណា") == "ថាច់ ស៊ីណា"


class TestWords:
    def test_letters_and_digits_in_order(self) -> None:
        assert words("Lê-Thị (Hoa), số 12/3") == ["le", "thi", "hoa", "so", "12", "3"]

    def test_combining_signs_belong_to_their_word(self) -> None:
        assert words("ថាច់ ស៊ីណា") == ["ថាច់", "ស៊ីណា"]

    @given(st.text())
    def test_words_of_the_folded_text_are_the_same(self, text: str) -> None:
        assert words(fold(text)) == words(text)
