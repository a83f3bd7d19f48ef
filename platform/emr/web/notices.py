"""What is said once after something was stored. The cookie carries a code, never a word about a patient."""

from emr.web.i18n import mark

NOTICE_COOKIE = "emr_notice"
NOTICES = {
    "vitals-saved": mark("Đã lưu sinh hiệu"),
    "note-saved": mark("Đã lưu ghi chú"),
    "problem-saved": mark("Đã lưu vấn đề sức khỏe"),
    "allergy-saved": mark("Đã lưu dị ứng"),
    "document-saved": mark("Đã lưu tài liệu"),
    "document-retracted": mark("Đã thu hồi tài liệu"),
    "study-matched": mark("Đã ghép hình ảnh vào bệnh án"),
}
