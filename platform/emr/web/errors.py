"""The one table that turns refusals into HTTP: a status, and a body in the language of the path.

`OperationOutcome` under `/fhir`, a page for a browser, `application/problem+json` (RFC 9457) for everybody else.
"""

from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from emr.kernel import errors, json
from emr.telemetry.activity import request_id
from emr.telemetry.logs import exception_facts, get_logger
from emr.web.answers import render_public
from emr.web.i18n import mark

STATUS: Final[tuple[tuple[type[errors.Refusal], int, str], ...]] = (
    (errors.Gone, 410, "deleted"),
    (errors.NotFound, 404, "not-found"),
    (errors.Unauthenticated, 401, "login"),
    (errors.Forbidden, 403, "forbidden"),
    (errors.PreconditionFailed, 412, "conflict"),
    (errors.Conflict, 409, "conflict"),
    (errors.UnsupportedMedia, 415, "not-supported"),
    (errors.NotAcceptable, 406, "not-supported"),
    (errors.Malformed, 400, "invalid"),
    (errors.Invalid, 422, "processing"),
    (errors.TooLarge, 413, "too-long"),
    (errors.TooManyRequests, 429, "throttled"),
    (errors.Unavailable, 503, "transient"),
)
"""Class, HTTP status, and the code of OperationOutcome.issue.code; the first that fits."""

_ISSUE_CODES: Final = {
    "unknown-element": "structure",
    "cardinality": "structure",
    "resource-type": "structure",
    "choice": "structure",
    "bundle": "structure",
    "contained": "structure",
    "empty": "value",
    "reference": "value",
    "attachment": "value",
    "invariant": "invariant",
    "extension": "extension",
    "fixed": "value",
    "pattern": "value",
    "slice": "structure",
    "profile": "structure",
    "profile-unknown": "not-found",
    "not-checked": "not-supported",
    "too-long": "too-long",
    "wrong-type": "structure",
    "required": "required",
    "format": "value",
    "code": "code-invalid",
    "duplicate": "duplicate",
    "search-unsupported": "not-supported",
    "search-modifier": "not-supported",
    "search-parameter-unknown": "not-found",
    "multiple-matches": "multiple-matches",
    "reference-broken": "not-found",
    "too-costly": "too-costly",
    "code-system-unknown": "not-found",
    "code-system-incomplete": "incomplete",
}
_SIGN_IN: Final = "/auth/sign-in?to="
_REFUSED_BACK: Final = "sign-in-refused"
_ASK_AGAIN: Final = {
    "second-factor-needed": "/auth/step-up?ask=second-factor&to=",
    "recent-sign-in-needed": "/auth/step-up?ask=again&to=",
}
"""What a page does about a refusal that proving oneself once more can mend."""
_SAID: Final = {
    401: (mark("Cần đăng nhập"), mark("Phiên làm việc đã hết hoặc chưa bắt đầu. Hãy đăng nhập rồi thử lại.")),
    403: (mark("Không có quyền"), mark("Tài khoản này không được phép mở trang hoặc làm việc này.")),
    404: (mark("Không tìm thấy"), mark("Không có gì ở địa chỉ này, hoặc nó không thuộc bệnh viện này.")),
    409: (mark("Chưa lưu được"), mark("Dữ liệu vừa được người khác thay đổi. Hãy mở lại rồi thử lại.")),
    410: (mark("Đã xóa"), mark("Nội dung này đã được xóa; lịch sử của nó vẫn được giữ.")),
    412: (mark("Chưa lưu được"), mark("Dữ liệu vừa được người khác thay đổi. Hãy mở lại rồi thử lại.")),
    413: (mark("Quá lớn"), mark("Nội dung gửi lên vượt quá giới hạn. Chưa có gì được lưu.")),
    429: (mark("Quá nhiều yêu cầu cùng lúc"), mark("Chưa có gì được lưu. Hãy chờ vài giây rồi thử lại.")),
    500: (mark("Có lỗi ở phía hệ thống"), mark("Lỗi đã được ghi nhận. Chưa có gì được lưu; hãy thử lại.")),
    503: (mark("Tạm thời chưa phục vụ được"), mark("Một phần của hệ thống chưa trả lời. Hãy thử lại sau ít phút.")),
}
_NOT_IN: Final = (
    mark("Chưa đăng nhập được"),
    mark("Lần này quá lâu, bị hủy, đã dùng rồi hoặc bắt đầu ở trình duyệt khác. Chưa mở gì cả; hãy đăng nhập lại."),
)
_OTHERWISE: Final = (mark("Không thực hiện được"), mark("Yêu cầu không đúng quy cách. Chưa có gì được lưu."))
_DETAILS: Final = {
    "department-not-in-pilot": mark(
        "Khoa của bạn chưa tham gia thí điểm nên chưa ghi được mục này. Chưa có gì được lưu; hãy ghi như trước đây."
    ),
    "hospital-being-upgraded": mark("Dữ liệu của bệnh viện này đang được nâng cấp."),
    "hospital-moving": mark("Hồ sơ đang được chuyển sang máy chủ khác. Chưa có gì được lưu; hãy thử lại sau một phút."),
    "hospital-read-only": mark("Hồ sơ của bệnh viện này đang ở chế độ chỉ đọc."),
    "hospital-requests-per-second": mark("Bệnh viện đang gửi nhiều yêu cầu mỗi giây hơn mức đã đăng ký."),
    "hospital-concurrent-requests": mark("Bệnh viện đang có nhiều yêu cầu chạy cùng lúc hơn mức đã đăng ký."),
    "not-a-member": mark("Tài khoản này không thuộc bệnh viện này."),
    "not-an-operator": mark("Trang này chỉ dành cho người vận hành của Sở Y tế."),
    "parameter-refused": mark("Địa chỉ có tham số mà trang này không dùng, hoặc giá trị không đúng."),
    "session-locked": mark("Phiên làm việc đang khóa. Hãy mở khóa bằng mã PIN hoặc đăng nhập lại."),
    "second-factor-needed": mark("Vai trò này phải đăng nhập bằng hai lớp: mật khẩu và mã trên điện thoại."),
    "second-factor-missing": mark(
        "Dịch vụ đăng nhập đã không hỏi lớp xác thực thứ hai, nên tài khoản này chưa vào được. Hãy báo đơn vị vận hành "
        "bật bước đó (mã trên điện thoại hoặc khóa bảo mật), rồi đăng nhập lại."
    ),
    "recent-sign-in-needed": mark("Việc này cần bạn xác thực lại ngay trước khi làm."),
    "foreign-form": mark("Biểu mẫu đã cũ. Hãy mở lại trang rồi gửi lại."),
    "identity-provider-unavailable": mark("Dịch vụ đăng nhập chưa trả lời. Ai đang làm việc vẫn tiếp tục được."),
    "identity-admin-unavailable": mark("Dịch vụ đăng nhập chưa trả lời nên chưa có gì thay đổi ở đó. Hãy thử lại."),
    "identity-admin-refused": mark("Dịch vụ đăng nhập từ chối tài khoản của hệ thống. Hãy báo đơn vị vận hành."),
    "identity-admin-rights": mark("Tài khoản của hệ thống thiếu quyền ở dịch vụ đăng nhập. Hãy báo đơn vị vận hành."),
    "identity-not-administered": mark("Bản cài đặt này không quản lý dịch vụ đăng nhập; hãy làm việc này tại đó."),
    "audit-unavailable": mark("Không ghi được nhật ký truy cập, nên không có gì được hiển thị."),
}


def status_of(refusal: errors.Refusal) -> int:
    """The HTTP status of a refusal."""
    return _entry(refusal)[1]


def outcome_of(refusal: errors.Refusal) -> dict[str, Any]:
    """The refusal as an OperationOutcome."""
    fallback = _entry(refusal)[2]
    issues: list[dict[str, Any]] = []
    for issue in refusal.issues:
        # A message may repeat a name that the client gave, with the one character that JSON here does not hold.
        message, location = (text and text.replace("\0", "\N{REPLACEMENT CHARACTER}") for text in issue[1:])
        said: dict[str, Any] = {
            "severity": "error",
            "code": _ISSUE_CODES.get(issue.code, fallback),
            "details": {"coding": [{"system": "urn:emr:issue", "code": issue.code}], "text": message},
            "diagnostics": message,
        }
        if location:
            said["expression"] = [location]
        issues.append(said)
    return {"resourceType": "OperationOutcome", "issue": issues}


_PERHAPS_HIDDEN: Final = frozenset({"not-found", "outside-hours"})
_ELSEWHERE: Final = frozenset({"hospital-unknown", "not-a-member", "hospital-suspended", "hospital-being-upgraded"})
"""Refusals after which nothing in this hospital can be the next step."""


def install(app: FastAPI) -> None:
    """Give the application its answers to everything that goes wrong."""
    app.add_exception_handler(errors.Refusal, refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(Exception, failed)


async def refused(request: Request, error: Exception) -> Response:
    """The answer to a refusal; a browser is sent to where it can be mended: signing in, proving more, the lock."""
    assert isinstance(error, errors.Refusal)
    status = status_of(error)
    if _wants_page(request) and request.method in ("GET", "HEAD"):
        where = _lock_of(request) if error.code == "session-locked" else _mended_at(request, error, status)
        if where:
            return RedirectResponse(where, 303, {"Cache-Control": "no-store"})
    return answer(request, error, status)


def _mended_at(request: Request, refusal: errors.Refusal, status: int) -> str:
    begin = _ASK_AGAIN.get(refusal.code, _SIGN_IN if status == 401 else "")
    return begin and begin + quote(request.url.path, safe="/")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kinds: dict[int, type[errors.Refusal]] = {404: errors.NotFound, 405: errors.Malformed}
    refusal = kinds.get(error.status_code, errors.Malformed)("no-such-route", "There is nothing at this address.")
    response = answer(request, refusal, error.status_code)
    response.headers.update(error.headers or {})
    return response


async def _not_understood(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    issues = tuple(
        errors.Issue("request-invalid", str(each["msg"]), ".".join(str(part) for part in each["loc"]))
        for each in error.errors()
    )
    return answer(request, errors.Malformed("request-invalid", "The request cannot be read.", issues=issues), 400)


async def failed(request: Request, error: Exception) -> Response:
    """The answer to a failure of ours, which is noted without what it says."""
    get_logger().error("request failed", **exception_facts(error))
    refusal = errors.Unavailable("internal", "Something went wrong on our side; it has been noted.")
    return answer(request, refusal, 500)


def answer(request: Request, refusal: errors.Refusal, status: int) -> Response:
    """A refusal in the form that the path and the caller speak."""
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status in (429, 503):
        headers["Retry-After"] = str(refusal.retry_after if isinstance(refusal, errors.Unavailable) else 5)
    if _speaks_fhir(request):
        return Response(json.dumps(outcome_of(refusal)), status, headers, "application/fhir+json")
    if _wants_page(request):
        page = _page(request, refusal, status)
        page.headers.update(headers)
        return page
    problem = {
        "type": f"urn:emr:problem:{refusal.code}",
        "title": refusal.message,
        "status": status,
        "code": refusal.code,
        "errors": [
            {"code": issue.code, "detail": issue.message, "pointer": issue.location or ""} for issue in refusal.issues
        ],
    }
    return Response(json.dumps(problem), status, headers, "application/problem+json")


def _page(request: Request, refusal: errors.Refusal, status: int) -> Response:
    if isinstance(refusal, errors.HospitalSuspended):
        return _closed(request)
    title, text = _NOT_IN if refusal.code == _REFUSED_BACK else _SAID.get(status, _OTHERWISE)
    parts = request.url.path.split("/")
    steps: list[tuple[str, str]] = []
    if refusal.code == "session-locked":
        steps.append((_lock_of(request), mark("Mở khóa")))
    elif status == 401:
        steps.append((_SIGN_IN + quote(request.url.path, safe="/"), mark("Đăng nhập")))
    elif refusal.code == _REFUSED_BACK:
        steps.append((f"{_SIGN_IN}/", mark("Đăng nhập lại")))
    elif refusal.code in _ASK_AGAIN:
        steps.append((_ASK_AGAIN[refusal.code] + quote(request.url.path, safe="/"), mark("Xác thực lại")))
    elif len(parts) > 3 and parts[1] == "h" and refusal.code not in _ELSEWHERE:
        steps.append((f"/h/{parts[2]}/", mark("Về trang tìm người bệnh")))
        if refusal.code in _PERHAPS_HIDDEN and _hides(request, parts[2]):
            steps.append((f"/h/{parts[2]}/emergency", mark("Truy cập khẩn cấp")))
    elif parts[1] == "ops" and refusal.code != "not-an-operator":
        steps.append(("/ops/", mark("Về bảng điều hành")))
    return render_public(
        request,
        "web/error.html",
        status=status,
        title=title,
        text=text,
        detail=_DETAILS.get(refusal.code, ""),
        steps=[*steps, ("/", mark("Về trang chọn bệnh viện"))],
        request_id=request_id(),
    )


def _closed(request: Request) -> Response:
    """The one page of a suspended hospital: why, since when, and whom to call."""
    parts = request.app.state.runtime
    tenant = parts.registry.by_slug(request.url.path.split("/")[2])
    return render_public(
        request,
        "web/closed.html",
        status=503,
        tenant=tenant,
        since=tenant.state_since
        and tenant.state_since.astimezone(ZoneInfo(tenant.time_zone)).strftime("%d/%m/%Y %H:%M"),
        contact=parts.settings.http.contact,
        request_id=request_id(),
    )


def _lock_of(request: Request) -> str:
    slug = request.url.path.split("/")[2]
    return f"/h/{slug}/me/locked?to={quote(request.url.path, safe='/')}"


def _hides(request: Request, slug: str) -> bool:
    """Whether a hospital hides anything from anybody: the answer must not depend on what was asked for."""
    access = request.app.state.runtime.registry.by_slug(slug).access
    return bool(access.kept or access.windows)


def _entry(refusal: errors.Refusal) -> tuple[type[errors.Refusal], int, str]:
    return next(entry for entry in STATUS if isinstance(refusal, entry[0]))


def _speaks_fhir(request: Request) -> bool:
    parts = request.url.path.split("/")
    return len(parts) > 3 and parts[1] == "h" and parts[3] == "fhir"


def _wants_page(request: Request) -> bool:
    parts = request.url.path.split("/")
    machine = len(parts) > 3 and parts[1] == "h" and parts[3] in ("fhir", "dicomweb")
    machine = machine or parts[1:3] == ["ops", "api"]
    return not machine and "text/html" in request.headers.get("accept", "")
