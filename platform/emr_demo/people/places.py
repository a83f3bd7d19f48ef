"""Where the made-up patients live: official wards and communes of two provinces since 1 July 2025, and ethnic groups.

There is no district level any more. Source of names and codes: Decision 19/2025/QĐ-TTg and the resolutions on the
34 provinces, state of 30 April 2026; ethnic groups: Decision 421-TCTK/PPCĐ (1979). A handful of each, for the demo.
"""

from dataclasses import dataclass
from random import Random

PROVINCES = {"79": "Thành phố Hồ Chí Minh", "68": "Tỉnh Lâm Đồng"}

ETHNIC_GROUPS = {
    "01": "Kinh", "02": "Tày", "04": "Hoa", "05": "Khơ-me", "07": "Nùng", "16": "Cơ-ho", "17": "Chăm",
}  # fmt: skip


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
    Ward("25000", "Xã Di Linh", "68"),
    Ward("24958", "Xã Đức Trọng", "68"),
    Ward("24931", "Xã Đơn Dương", "68"),
    Ward("24848", "Xã Lạc Dương", "68"),
    Ward("25054", "Xã Bảo Lâm 1", "68"),
    Ward("24823", "Phường 1 Bảo Lộc", "68"),
    Ward("24778", "Phường Lâm Viên - Đà Lạt", "68"),
    Ward("24787", "Phường Cam Ly - Đà Lạt", "68"),
    Ward("24886", "Xã Đam Rông 1", "68"),
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
        return Address(f"Thôn {rng.randint(1, 9)}", ward)
    return Address(f"{rng.randint(2, 480)} {rng.choice(_STREETS)}", ward)
