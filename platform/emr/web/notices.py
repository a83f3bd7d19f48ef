"""What is said once after something was stored. The cookie carries a code, never a word about a patient."""

from emr.web.i18n import mark

NOTICE_COOKIE = "emr_notice"
NOTICES = {
    "vitals-saved": mark("Đã lưu sinh hiệu"),
    "note-saved": mark("Đã lưu ghi chú"),
    "problem-saved": mark("Đã lưu vấn đề sức khỏe"),
    "allergy-saved": mark("Đã lưu dị ứng"),
    "document-saved": mark("Đã lưu tài liệu"),
    "document-saved-near-full": mark("Đã lưu tài liệu. Bệnh viện sắp hết dung lượng lưu tệp; hãy báo người quản trị"),
    "document-retracted": mark("Đã thu hồi tài liệu"),
    "member-saved": mark("Đã lưu nhân viên"),
    "member-left": mark("Đã cho thôi truy cập; có hiệu lực ngay"),
    "member-left-untold": mark("Đã cho thôi truy cập ở đây; dịch vụ đăng nhập chưa trả lời, hãy báo lại sau"),
    "member-back": mark("Đã mở lại quyền truy cập"),
    "accounts-finished": mark("Dịch vụ đăng nhập đã được báo"),
    "support-granted": mark("Đã cấp quyền tạm thời; cán bộ bảo vệ dữ liệu được báo"),
    "support-ended": mark("Đã thu hồi quyền tạm thời; có hiệu lực ngay"),
    "support-noted": mark("Đã ghi nhận là bạn đã biết"),
    "session-ended": mark("Đã kết thúc phiên làm việc"),
    "sandbox-asked": mark("Đã yêu cầu làm lại từ đầu"),
    "golive-saved": mark("Đã lưu danh mục triển khai"),
    "review-opened": mark("Đã mở đợt rà soát"),
    "review-saved": mark("Đã lưu đợt rà soát"),
    "review-closed": mark("Đã kết thúc đợt rà soát"),
    "machine-removed-untold": mark("Đã thu hồi ở đây; dịch vụ đăng nhập chưa trả lời, hãy thu hồi lại sau"),
    "machine-removed": mark("Đã thu hồi hệ thống"),
    "provider-saved": mark("Đã lưu dịch vụ đăng nhập của bệnh viện"),
    "provider-removed": mark("Đã gỡ dịch vụ đăng nhập của bệnh viện"),
    "pin-set": mark("Đã đặt mã PIN"),
    "app-taken-back": mark("Đã thu hồi quyền của ứng dụng"),
    "glass-ended": mark("Đã kết thúc truy cập khẩn cấp"),
    "glass-reviewed": mark("Đã lưu kết luận"),
    "study-matched": mark("Đã ghép hình ảnh vào bệnh án"),
}
