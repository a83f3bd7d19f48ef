"""What the pages of this room share: the provider that is administered, and refusals in the reader's words."""

from collections.abc import Mapping
from typing import Final, cast
from zoneinfo import ZoneInfo

from fastapi import Request, Response

from emr.administration.golive.evidence import Evidence
from emr.identity.administration import Administered
from emr.kernel.errors import Refusal
from emr.web.forms import Form
from emr.web.i18n import mark
from emr.work.unit import UnitOfWork
from emr.work.visit import Visit

_ENDINGS: Final = {"application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg"}
_GUARDED: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, no-store",
}

CONFIRM: Final = mark("Đánh dấu ô xác nhận trước khi thực hiện")
_SAID: Final[Mapping[str, str]] = {
    "member-already": mark("Tài khoản này đã là nhân viên của bệnh viện"),
    "member-oneself": mark("Không thể tự bỏ quyền của mình; hãy nhờ một quản trị viên khác"),
    "member-left": mark("Người này đã thôi truy cập; hãy mở lại trước"),
    "account-elsewhere": mark(
        "Tài khoản này còn thuộc nơi khác hoặc không do bệnh viện tạo; chủ tài khoản tự đặt lại mật khẩu"
    ),
    "account-closed": mark("Tài khoản này đã bị khóa ở dịch vụ đăng nhập; hãy hỏi đơn vị vận hành"),
    "hospital-without-organization": mark("Bệnh viện chưa có tổ chức ở dịch vụ đăng nhập; hãy hỏi đơn vị vận hành"),
    "quota-users": mark("Bệnh viện đã đủ số nhân viên được phép"),
    "evidence-kind": mark("Tệp minh chứng phải là PDF, PNG hoặc JPEG"),
    "golive-files": mark("Mục này đã đủ số tệp được phép"),
    "golive-reason": mark("Ghi lý do không cần làm"),
    "not-a-sandbox": mark("Bệnh viện này không phải bệnh viện thực hành; không có gì bị bỏ đi"),
    "request-open": mark("Đã có một yêu cầu như vậy đang chờ hoặc đang làm"),
    "package-open": mark("Đã có một gói đang làm hoặc đang chờ tải; hãy bỏ gói đó trước"),
    "bulk-jobs-open": mark("Đang có nhiều việc lớn chạy trong bệnh viện; hãy thử lại sau"),
    "provider-refused": mark("Dịch vụ đăng nhập không nhận dữ liệu này"),
    "account-unknown": mark("Không có tài khoản nào đang mở với thư điện tử này"),
    "support-running": mark("Người này đang có một quyền tạm thời; hãy thu hồi trước"),
    "patient-unknown": mark("Không có đúng một người bệnh mang mã này"),
    "purpose-length": mark("Ghi mục đích bằng lời, từ 10 đến 500 ký tự"),
    "review-under-way": mark("Đang có một đợt rà soát chưa kết thúc"),
    "review-undecided": mark("Còn người chưa được xác nhận hoặc cho thôi"),
    "endpoint-form": mark("Địa chỉ phải là https đầy đủ, không dấu"),
    "endpoint-scheme": mark("Địa chỉ phải bắt đầu bằng https://"),
    "endpoint-host": mark("Tên máy chủ trong địa chỉ không đúng"),
    "endpoint-http": mark("Địa chỉ phải bắt đầu bằng https://"),
    "endpoint-private": mark("Địa chỉ nằm trong mạng nội bộ mà bệnh viện chưa khai báo"),
    "discovery-failed": mark("Không đọc được tài liệu cấu hình ở địa chỉ này"),
    "discovery-issuer": mark("Tài liệu cấu hình ghi một địa chỉ dịch vụ (issuer) khác"),
    "discovery-incomplete": mark("Tài liệu cấu hình thiếu địa chỉ đăng nhập, mã hoặc khóa"),
}


def zone_of(where: UnitOfWork | Visit) -> ZoneInfo:
    """The hospital's time zone."""
    return ZoneInfo(where.tenant.time_zone)


def administered_of(request: Request) -> Administered:
    """The provider, as far as this installation administers it."""
    return cast("Administered", request.app.state.administered)


def explain(form: Form, refusal: Refusal, name: str = "") -> None:
    """Say at a field of the form, `name` or the refusal's own, why nothing was stored; raises what has no words."""
    said = _SAID.get(refusal.code)
    if said is None:
        raise refusal
    form.refuse(name or refusal.location or "form", said)


def handed_out(found: Evidence, code: str, number: int) -> Response:
    """The file as it was kept, never shown in place."""
    name = f"{code}-{number}.{_ENDINGS[found.media_type]}"
    headers = _GUARDED | {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(found.content, media_type=found.media_type, headers=headers)
