"""Where the made-up patients live: official wards and communes of two provinces since 1 July 2025, and ethnic groups.

There is no district level any more. Source of names and codes: Decision 19/2025/QĐ-TTg and the resolutions on the
34 provinces, state of 30 April 2026; ethnic groups: Decision 421-TCTK/PPCĐ (1979). A handful of each, for the demo.
"""

from dataclasses import dataclass
from random import Random

PROVINCES = {"79": "Thành phố Hồ Chí Minh", "82": "Tỉnh Đồng Tháp"}

ETHNIC_GROUPS = {"01": "Kinh", "02": "Tày", "04": "Hoa", "05": "Khơ-me", "17": "Chăm"}


@dataclass(frozen=True)
class Ward:
    """A second-level unit: five-digit code, full name, two-digit code of its province."""

    code: str
    name: str
    province: str


WARDS = (
    Ward("26743", "Phường Bến Thành", "79"),
    Ward("26740", "Phường Sài Gòn", "79"),
    Ward("26737", "Phường Tân Định", "79"),
    Ward("26758", "Phường Cầu Ông Lãnh", "79"),
    Ward("27139", "Phường Xuân Hoà", "79"),
    Ward("27154", "Phường Bàn Cờ", "79"),
    Ward("27259", "Phường Xóm Chiếu", "79"),
    Ward("27343", "Phường Chợ Lớn", "79"),
    Ward("27367", "Phường Bình Tây", "79"),
    Ward("27418", "Phường Chánh Hưng", "79"),
    Ward("26929", "Phường Bình Thạnh", "79"),
    Ward("26884", "Phường Gò Vấp", "79"),
    Ward("27073", "Phường Phú Nhuận", "79"),
    Ward("27004", "Phường Tân Bình", "79"),
    Ward("27655", "Xã Nhà Bè", "79"),
    Ward("27559", "Xã Hóc Môn", "79"),
    Ward("28519", "Xã Châu Thành", "82"),
    Ward("28594", "Xã Chợ Gạo", "82"),
    Ward("28360", "Xã Cái Bè", "82"),
    Ward("30037", "Xã Tháp Mười", "82"),
    Ward("30169", "Xã Lấp Vò", "82"),
    Ward("28261", "Phường Mỹ Tho", "82"),
    Ward("28439", "Phường Cai Lậy", "82"),
    Ward("29869", "Phường Cao Lãnh", "82"),
    Ward("29905", "Phường Sa Đéc", "82"),
)

_STREETS = (
    "Lê Lợi", "Trần Hưng Đạo", "Nguyễn Trãi", "Hai Bà Trưng", "Lý Thường Kiệt", "Nguyễn Huệ", "Phan Bội Châu",
    "Hùng Vương", "Nguyễn Du", "Lê Hồng Phong", "Võ Thị Sáu", "Phan Đình Phùng", "Hoàng Diệu", "Bùi Thị Xuân",
)  # fmt: skip


@dataclass(frozen=True)
class Address:
    """Two levels and a line."""

    line: str
    ward: Ward

    @property
    def text(self) -> str:
        """As written on an envelope."""
        return f"{self.line}, {self.ward.name}, {PROVINCES[self.ward.province]}"


def draw_address(rng: Random, province: str) -> Address:
    """A house in one of the province's wards; communes have hamlets instead of streets."""
    ward = rng.choice([ward for ward in WARDS if ward.province == province])
    if ward.name.startswith("Xã"):
        return Address(f"Ấp {rng.randint(1, 9)}", ward)
    return Address(f"{rng.randint(2, 480)} {rng.choice(_STREETS)}", ward)
