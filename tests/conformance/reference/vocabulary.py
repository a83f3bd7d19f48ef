"""The few words, codes, dates and numbers that made-up resources share, so that searches often hit and often just miss."""

from decimal import Decimal

FAMILIES = [
    "Nguyễn",
    "NGUYỄN",
    "Nguyễn Thị",
    "Trần",
    "Đặng",
    "Dang",
    "Đinh-Lê",
    "Lê",
    "Phạm  Văn",
    "O'Brien",
    "van de Ven",
]
GIVENS = [
    "An",
    "Ánh",
    "Bình",
    "Đức",
    "Duc",
    "Hoà",
    "Hòa",
    "Hoa",
    "Thùy Dương",
    "Minh",
    "Mi,nh",
    "Ân",
    "a$b",
    "x|y",
    "c\\d",
]
DECOMPOSED = ["Nguye\u0302\u0303n", "Đu\u031b\u0301c", "A\u0301nh"]
CITIES = ["Hà Nội", "Ha Noi", "Huế", "Đà Nẵng", "Thành phố Hồ Chí Minh", "Cần Thơ"]
WORDS = [
    "sốt",
    "Sốt cao",
    "ho khan",
    "đau đầu",
    "đau",
    "viêm phổi",
    "phổi",
    "tăng huyết áp",
    "fever-like",
    "X-quang",
    "3 ngày",
]
SYSTEMS = ["urn:lis", "urn:his", "http://loinc.example", "http://loinc.example/v2", None]
CODES = ["a", "A", "b", "c1", "c10", "c,2", "d|e", "8867-4", "tim mạch", "HH"]
TAGS = ["vip", "VIP", "nghiên-cứu", "demo"]
DATES = [
    "1979", "1980", "1980-01", "1980-02", "1980-02-28", "1980-02-29", "1980-03-01", "1980-12-31", "1981", "1981-01-01",
    "1999-12-31", "2000-01-01", "2024-02", "2024-02-29", "2024-12-31", "2025-01-01", "2026-11-21", "2026-11-22", "1975-06-12",
    "1900-01-01", "1800-01-01", "9999-12-31", "9999",
]  # fmt: skip
TIMES = [
    "1980-02-29T00:00:00+07:00", "1980-02-28T17:00:00Z", "1980-02-29T23:59:59+07:00", "1980-02-29T23:59:59.999+07:00",
    "2024-02-29T12:00:00Z", "2024-02-29T12:00:00.000Z", "2024-02-29T12:00:00.5Z", "2024-02-29T19:00:00+07:00", "2024-12-31T23:59:59-12:00",
    "2025-01-01T00:00:00+14:00", "2026-11-21T17:00:00Z", "2026-11-22T00:00:00+07:00", "2026-11-22T08:30:15.123+07:00",
    "2026-11-22T08:30:15.123456+07:00", "2026-11-22T08:31:00+07:00", "2024-02-29T12:00:60Z",
]  # fmt: skip
NUMBERS = [
    "0", "1", "-1", "5", "5.0", "5.4", "5.40", "5.45", "5.35", "99.5", "100", "100.0", "100.4", "100.5", "0.0054", "5400",
    "5.4e3", "1e2", "37", "37.0", "310.15", "0.1", "0.25", "120", "60", "1440", "1000", "0.5", "1.5", "-0.05", "95", "105",
]  # fmt: skip
FRACTIONS = ["0", "0.1", "0.10", "0.25", "0.3333", "0.5", "0.95", "1", "1.0", "5e-1"]
UNITS = [
    "g",
    "mg",
    "kg",
    "ug",
    "mg/dL",
    "g/L",
    "mmol/L",
    "mm[Hg]",
    "kPa",
    "Cel",
    "K",
    "min",
    "h",
    "d",
    "%",
    "1",
    "{score}",
]
LOOSE_UNITS = ["viên", "mg", "lần/phút", "ống"]
AGES = ["a", "mo", "wk", "d"]
URLS = [
    "http://example.org/vs", "http://example.org/vs/", "http://example.org/vs/a", "http://example.org/vs/a/b", "http://example.org/vsa",
    "http://example.org", "https://example.org/vs/a", "urn:oid:1.2.3", "urn:oid:1.2.3.4", "http://example.org/vs/A",
    "http://example.org/vs/a%20b", "http://example.org/q,1",
]  # fmt: skip
ELSEWHERE = [
    "http://other.example/fhir/Patient/p1",
    "http://other.example/fhir/Group/g1",
    "https://other.example/r/Device/7",
]


def decimal(text: str) -> Decimal:
    return Decimal(text)
