"""What the wizard says: steps, parts of the record, and the rule of each field in the reader's words."""

from collections.abc import Mapping
from typing import Final

from emr.web.i18n import mark

FEATURES: Final[Mapping[str, str]] = {
    "outpatient": mark("Ngoại trú"),
    "inpatient": mark("Nội trú"),
    "imaging": mark("Chẩn đoán hình ảnh"),
    "documents": mark("Giấy tờ quét"),
    "laboratory": mark("Xét nghiệm"),
    "pharmacy": mark("Dược"),
}
CATALOGUE: Final[Mapping[str, str]] = {
    "HIV": mark("HIV"),
    "PSY": mark("Tâm thần"),
    "EMP": mark("Nhân viên của bệnh viện"),
    "CEL": mark("Người nổi tiếng"),
}
"""Kinds of facts that the platform's catalogue of labels hides from most."""
TIERS: Final[Mapping[str, str]] = {"shared": mark("dùng chung"), "dedicated": mark("dành riêng")}
STEPS: Final[Mapping[str, str]] = {
    "make": mark("Cơ sở dữ liệu: bảng, khóa mã hóa và quyền"),
    "organization": mark("Tổ chức ở dịch vụ đăng nhập"),
    "objects": mark("Thử kho tệp bằng khóa của bệnh viện"),
    "administrator": mark("Mời người quản trị đầu tiên"),
    "sandbox": mark("Nạp người bệnh mẫu"),
}
"""In the order in which they are taken."""
STEP_STATES: Final = {
    "waiting": (mark("chưa tới"), "off", ""),
    "doing": (mark("đang làm"), "info", "…"),
    "done": (mark("xong"), "good", "✓"),
    "failed": (mark("không được"), "bad", "✕"),
    "left-out": (mark("không làm ở đây"), "off", ""),
}
REQUEST_STATES: Final = {
    "waiting": (mark("đang chờ"), "off", ""),
    "running": (mark("đang làm"), "info", "…"),
    "done": (mark("xong"), "good", "✓"),
    "failed": (mark("chưa xong"), "bad", "✕"),
}
RULES: Final[Mapping[str, str]] = {
    "slug": mark("Mã chỉ gồm chữ thường không dấu, số và gạch nối ở giữa, nhiều nhất 40 ký tự"),
    "name": mark("Tên có từ 3 đến 200 ký tự"),
    "facility_code": mark("Mã cơ sở có đúng năm chữ số"),
    "province": mark("Mã tỉnh, thành phố có đúng hai chữ số"),
    "tier": mark("Chọn một mục trong danh sách"),
    "cell": mark("Chọn một mục trong danh sách"),
    "storage": mark("Hạn mức là số nguyên không âm; 0 là không giới hạn"),
    "users": mark("Hạn mức là số nguyên không âm; 0 là không giới hạn"),
    "requests": mark("Hạn mức là số nguyên không âm; 0 là không giới hạn"),
    "concurrent": mark("Hạn mức là số nguyên không âm; 0 là không giới hạn"),
    "ae_title": mark("AE title có nhiều nhất 16 ký tự: chữ hoa không dấu, số, _ . -"),
    "peers": mark("Mỗi dòng một thiết bị: AE title, dấu cách, mạng, ví dụ CT1 10.20.0.0/24"),
    "domains": mark("Tên miền dạng benhvien.vn, chữ thường, cách nhau bằng dấu cách"),
    "admin_name": mark("Tên người quản trị có từ 2 đến 200 ký tự"),
    "admin_email": mark("Ghi đủ thư điện tử, ví dụ quantri@benhvien.vn"),
}
"""The rule of each field of the form."""
FAULTS: Final[Mapping[str, str]] = {
    "slug-taken": mark("Đã có bệnh viện mang mã {value}"),
    "slug-asked": mark("Bệnh viện {value} đã được yêu cầu và đang chờ hoặc đang làm"),
    "claim-taken": mark("«{value}» đã là của bệnh viện {owner}"),
    "claim-asked": mark("«{value}» đã ghi cho bệnh viện {owner}, đang được tạo"),
    "cell-unknown": mark("Không có cụm {value}; có {owner}"),
    "cell-full": mark("Cụm {value} đã có {owner} bệnh viện, không nhận thêm"),
    "dedicated-login-missing": mark("Hạng dành riêng cần một tài khoản cơ sở dữ liệu cho {value} ở cụm {owner}"),
}
RESERVED_WORD: Final = mark("«{value}» là từ dành riêng của hệ thống; hãy ghi tên của chính bệnh viện")
