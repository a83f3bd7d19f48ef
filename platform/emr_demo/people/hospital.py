"""The two invented hospitals, as far as made-up care depends on them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class HospitalProfile:
    """What makes one hospital's patients differ from another's."""

    slug: str
    name: str
    facility_code: str
    province: str
    record_prefix: str
    first_serial: int
    """Where this hospital's serial numbers inside CCCD and BHYT numbers begin, so that no two people share one."""
    patients: int
    birth_provinces: tuple[tuple[str, float], ...]
    """First three digits of CCCD numbers with weights: the province of birth by its code before July 2025."""
    ethnicities: tuple[tuple[str, float], ...]
    """Ethnic group codes with weights."""
    departments: tuple[tuple[str, str], ...]
    """Code and name of each department."""


HOA_SEN = HospitalProfile(
    slug="hoa-sen",
    name="Bệnh viện Hoa Sen",
    facility_code="79999",
    province="79",
    record_prefix="HS",
    first_serial=1000,
    patients=80,
    birth_provinces=(
        ("079", 58), ("080", 7), ("082", 6), ("083", 6), ("074", 5),
        ("052", 5), ("049", 4), ("038", 3), ("036", 3), ("001", 3),
    ),
    ethnicities=(("01", 92), ("04", 6), ("05", 1.5), ("17", 0.5)),
    departments=(
        ("kham", "Khoa Khám bệnh"), ("noi", "Khoa Nội tổng hợp"), ("nhi", "Khoa Nhi"), ("san", "Khoa Phụ sản"),
        ("ngoai", "Khoa Ngoại tổng hợp"), ("cap-cuu", "Khoa Cấp cứu"), ("xn", "Khoa Xét nghiệm"),
        ("cdha", "Khoa Chẩn đoán hình ảnh"),
    ),
)  # fmt: skip

CAU_VONG = HospitalProfile(
    slug="cau-vong",
    name="Trung tâm Y tế Cầu Vồng",
    facility_code="82999",
    province="82",
    record_prefix="CV",
    first_serial=5000,
    patients=60,
    birth_provinces=(("082", 55), ("087", 24), ("080", 7), ("083", 6), ("079", 4), ("052", 2), ("040", 2)),
    ethnicities=(("01", 95), ("04", 2.5), ("05", 1.5), ("02", 1)),
    departments=(
        ("kham", "Khoa Khám bệnh"), ("noi", "Khoa Nội - Nhi - Nhiễm"), ("san", "Khoa Sản - Phụ"),
        ("cap-cuu", "Khoa Cấp cứu"), ("xn", "Khoa Xét nghiệm - Chẩn đoán hình ảnh"),
    ),
)  # fmt: skip

PROFILES = {profile.slug: profile for profile in (HOA_SEN, CAU_VONG)}
