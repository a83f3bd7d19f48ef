"""Vietnamese names by sex, year of birth and ethnic group; our own short lists with rough weights.

Source of the family names' weights: published counts of surnames, rounded (Nguyễn a little under two fifths).
"""

from dataclasses import dataclass
from random import Random

Weighted = tuple[tuple[str, float], ...]

_FAMILY: Weighted = (
    ("Nguyễn", 38), ("Trần", 11), ("Lê", 9.5), ("Phạm", 7), ("Huỳnh", 3.5), ("Hoàng", 2.5), ("Võ", 3), ("Phan", 4),
    ("Vũ", 2), ("Đặng", 2.1), ("Bùi", 2), ("Đỗ", 1.5), ("Hồ", 1.4), ("Ngô", 1.3), ("Dương", 1.1), ("Lý", 0.6),
    ("Trương", 1.2), ("Đinh", 0.9), ("Mai", 0.7), ("Lâm", 0.6), ("Cao", 0.5), ("Đoàn", 0.6), ("Tạ", 0.3),
    ("Trịnh", 0.5), ("Lưu", 0.4), ("Hà", 0.4), ("Tô", 0.3), ("Thái", 0.3), ("Kiều", 0.1),
)  # fmt: skip
_FAMILY_OF: dict[str, Weighted] = {
    "02": (("Nông", 3), ("Hoàng", 2), ("Lương", 1), ("Bế", 1)),
    "04": (("Trần", 2), ("Lý", 2), ("Vương", 1.5), ("Quách", 1), ("Lâm", 1.5), ("Châu", 1), ("Huỳnh", 1)),
    "05": (("Thạch", 3), ("Sơn", 2), ("Kim", 2), ("Danh", 1)),
    "17": (("Bá", 1), ("Thiên", 1), ("Từ", 1), ("Qua", 1)),
}
_MIDDLE_WOMEN: Weighted = (
    ("Thị", 52),
    ("Ngọc", 13),
    ("Thanh", 8),
    ("Thu", 6),
    ("Kim", 6),
    ("Minh", 5),
    ("Mỹ", 5),
    ("Hồng", 5),
)
_MIDDLE_GIRLS: Weighted = (
    ("Ngọc", 20),
    ("Thị", 12),
    ("Bảo", 14),
    ("Khánh", 12),
    ("Gia", 8),
    ("Minh", 12),
    ("Phương", 12),
    ("Quỳnh", 10),
)
_MIDDLE_MEN: Weighted = (
    ("Văn", 40),
    ("Minh", 14),
    ("Hữu", 8),
    ("Thanh", 8),
    ("Đức", 9),
    ("Quốc", 9),
    ("Công", 6),
    ("Ngọc", 6),
)
_MIDDLE_BOYS: Weighted = (
    ("Gia", 20),
    ("Minh", 20),
    ("Bảo", 14),
    ("Hoàng", 12),
    ("Đức", 10),
    ("Quốc", 8),
    ("Tuấn", 8),
    ("Văn", 8),
)

_GIVEN_OLD_WOMEN = (
    "Hoa",
    "Lan",
    "Cúc",
    "Mai",
    "Sáu",
    "Bảy",
    "Năm",
    "Út",
    "Hồng",
    "Loan",
    "Nga",
    "Tuyết",
    "Liên",
    "Phượng",
    "Bé",
    "Huệ",
    "Thanh",
    "Xuân",
)
_GIVEN_WOMEN = (
    "Hương",
    "Hằng",
    "Thảo",
    "Trang",
    "Linh",
    "Ngọc",
    "Yến",
    "Dung",
    "Hạnh",
    "Thủy",
    "Hà",
    "Nhung",
    "Phương",
    "Vân",
    "Oanh",
    "Diễm",
    "Trinh",
    "Tâm",
    "Thúy",
    "Bích",
)
_GIVEN_GIRLS = (
    "An",
    "Vy",
    "Nhi",
    "Trân",
    "Ngân",
    "Hân",
    "Thư",
    "My",
    "Châu",
    "Anh",
    "Nghi",
    "Tiên",
    "Mai",
    "Uyên",
    "Diệp",
    "Khuê",
)
_GIVEN_OLD_MEN = (
    "Hùng",
    "Dũng",
    "Sơn",
    "Tư",
    "Ba",
    "Hai",
    "Thành",
    "Bình",
    "Minh",
    "Lộc",
    "Phước",
    "Hải",
    "Chiến",
    "Lợi",
    "Tài",
    "Thắng",
    "Út",
    "Quang",
)
_GIVEN_MEN = (
    "Tuấn",
    "Hưng",
    "Nam",
    "Long",
    "Phúc",
    "Đạt",
    "Trung",
    "Kiên",
    "Cường",
    "Hiếu",
    "Khoa",
    "Tùng",
    "Vinh",
    "Thịnh",
    "Hoàng",
    "Duy",
    "Nghĩa",
    "Tân",
    "Toàn",
    "Phong",
)
_GIVEN_BOYS = (
    "Khang",
    "Bảo",
    "Minh",
    "Khôi",
    "Phúc",
    "Huy",
    "Nguyên",
    "Kiệt",
    "Thiên",
    "Quân",
    "Đăng",
    "Nhân",
    "An",
    "Phát",
    "Lâm",
    "Khánh",
)


@dataclass(frozen=True)
class Name:
    """Family, middle and given name; `middle` may be empty."""

    family: str
    middle: str
    given: str

    @property
    def text(self) -> str:
        """In reading order: family name first."""
        return " ".join(part for part in (self.family, self.middle, self.given) if part)


def draw_name(rng: Random, *, female: bool, birth_year: int, ethnicity: str) -> Name:
    """A name that fits sex, generation and ethnic group."""
    family = pick(rng, _FAMILY_OF.get(ethnicity, _FAMILY))
    young = birth_year >= 2005
    if female:
        middle = pick(rng, _MIDDLE_GIRLS if young else _MIDDLE_WOMEN)
        given = _GIVEN_GIRLS if young else _GIVEN_WOMEN if birth_year >= 1975 else _GIVEN_OLD_WOMEN
    else:
        middle = pick(rng, _MIDDLE_BOYS if young else _MIDDLE_MEN)
        given = _GIVEN_BOYS if young else _GIVEN_MEN if birth_year >= 1975 else _GIVEN_OLD_MEN
    return Name(family, middle, rng.choice([one for one in given if one != middle]))


def pick(rng: Random, options: Weighted) -> str:
    """One of the options, by weight."""
    return rng.choices([option for option, _ in options], [weight for _, weight in options])[0]
