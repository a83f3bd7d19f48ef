"""What a step means for those who work at the hospital, in their words."""

from typing import Final

from emr.web.i18n import mark

CONSEQUENCES: Final = {
    "trial": mark("Mỗi trang của bệnh viện ghi rõ đang dùng thử. Hồ sơ xem và ghi được."),
    "live": mark("Bệnh viện dùng hồ sơ chính thức: xem và ghi được."),
    "read-only": mark(
        "Hồ sơ xem được nhưng không ghi thêm hay sửa được. Mỗi trang ghi rõ lý do. Bác sĩ không lưu được ghi chú, máy "
        "xét nghiệm không gửi được kết quả."
    ),
    "suspended": mark(
        "Ngừng hẳn: mọi trang, FHIR và DICOM trả lời 503 với lý do này, và không việc nền nào chạy. Người đang khám "
        "bệnh mất hồ sơ ngay."
    ),
    "leaving": mark(
        "Bệnh viện bắt đầu rời hệ thống: xem và xuất được, không ghi thêm hay sửa được nữa. Bước này mở đường cho việc "
        "xóa sau khi đã giao gói xuất."
    ),
}
OUTCOMES: Final = {
    "approved": (mark("đã duyệt"), "good"),
    "declined": (mark("bị từ chối"), "warn"),
    "withdrawn": (mark("đã rút"), "off"),
    "lapsed": (mark("hết hạn"), "off"),
}
"""What became of a proposal, and its tone."""
