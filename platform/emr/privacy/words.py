"""A row of the trail in plain words: who, as what, did what, and why. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from emr.identity.principal import DEPARTMENT_ROLES, SUPPORT_ROLES
from emr.identity.visits import PREFIX
from emr.privacy.hints import Facts
from emr.privacy.resources import action_of
from emr.privacy.trail import Entry
from emr.web.answers import ROLE_NAMES
from emr.web.i18n import mark

Kind = Literal["", "looked", "changed", "taken", "emergency", "refused", "managed"]

KINDS: Final[Mapping[Kind, str]] = {
    "": mark("Mọi việc"),
    "looked": mark("Xem"),
    "changed": mark("Ghi, sửa, xóa"),
    "taken": mark("Lấy ra ngoài"),
    "emergency": mark("Truy cập khẩn cấp"),
    "refused": mark("Bị từ chối"),
    "managed": mark("Quản trị và đăng nhập"),
}
_TAKEN: Final = frozenset({"bulk.export-begun", "bulk.file-downloaded", "document.downloaded", "subscription.notified"})
_MANAGED: Final = (
    *("member.", "members.", "machine.", "machines.", "session.", "sessions.", "access-review", "app.", "pin."),
    *("own-provider.", "leavers.", "support.", "audit.", "border.", "accounts.", "wards.", "profile."),
)
_WHAT: Final = {
    "chart.read": mark("mở bệnh án"),
    "chart.results-read": mark("xem kết quả xét nghiệm"),
    "chart.encounters-read": mark("xem các lượt khám"),
    "chart.encounter-read": mark("xem một lượt khám"),
    "chart.note-read": mark("đọc ghi chú"),
    "patient.searched": mark("tìm người bệnh"),
    "patient.recent-shown": mark("xem danh sách người bệnh mới khám"),
    "record.read": mark("đọc hồ sơ qua phần mềm"),
    "record.searched": mark("tìm trong hồ sơ qua phần mềm"),
    "record.history": mark("xem lịch sử thay đổi"),
    "record.everything": mark("lấy toàn bộ hồ sơ của người bệnh"),
    "record.document": mark("lập văn bản từ hồ sơ"),
    "record.last-observations": mark("xem các chỉ số gần nhất"),
    "record.created": mark("ghi mới qua phần mềm"),
    "record.updated": mark("sửa qua phần mềm"),
    "record.patched": mark("sửa một phần qua phần mềm"),
    "record.deleted": mark("xóa qua phần mềm"),
    "record.transaction": mark("ghi một loạt qua phần mềm"),
    "record.imported": mark("nhập từ tệp"),
    "record.lines-imported": mark("nhập từ tệp"),
    "vitals.recorded": mark("ghi sinh hiệu"),
    "vitals.compared": mark("so sinh hiệu"),
    "note.written": mark("viết ghi chú"),
    "problem.added": mark("thêm vấn đề sức khỏe"),
    "allergy.added": mark("thêm dị ứng"),
    "document.listed": mark("xem danh sách giấy tờ"),
    "document.opened": mark("mở giấy tờ"),
    "document.page-shown": mark("xem một trang giấy tờ"),
    "document.downloaded": mark("tải giấy tờ về"),
    "document.uploaded": mark("đưa giấy tờ lên"),
    "document.retracted": mark("rút giấy tờ"),
    "binary.read": mark("đọc một tệp"),
    "imaging.listed": mark("xem danh sách hình ảnh"),
    "imaging.searched": mark("tìm hình ảnh"),
    "imaging.retrieved": mark("xem hình ảnh"),
    "imaging.metadata": mark("đọc thông tin hình ảnh"),
    "imaging.stored": mark("gửi hình ảnh vào"),
    "imaging.matched": mark("ghép hình ảnh với người bệnh"),
    "bulk.export-begun": mark("bắt đầu lấy cả kho hồ sơ"),
    "bulk.file-downloaded": mark("tải tệp đã lấy ra"),
    "bulk.part-written": mark("viết tệp lấy ra"),
    "package.requested": mark("yêu cầu gói toàn bộ hồ sơ bệnh viện"),
    "package.downloaded": mark("tải gói toàn bộ hồ sơ bệnh viện"),
    "package.removed": mark("bỏ gói toàn bộ hồ sơ bệnh viện"),
    "subscription.notified": mark("báo cho phần mềm khác"),
    "care.glass-sought": mark("tìm người bệnh để truy cập khẩn cấp"),
    "care.glass-broken": mark("truy cập khẩn cấp"),
    "care.glass-ended": mark("kết thúc truy cập khẩn cấp"),
    "care.glass-reviewed": mark("xem xét một lần truy cập khẩn cấp"),
    "care.glass-listed": mark("mở trang truy cập khẩn cấp"),
    "care.glass-queue-read": mark("mở trang xem xét truy cập khẩn cấp"),
    "care.glass-counted": mark("xem số lần truy cập khẩn cấp chờ xem xét"),
    "support.granted": mark("cho người ngoài vào xem tạm thời"),
    "support.ended": mark("thu hồi quyền tạm thời"),
    "support.ended-by-officer": mark("thu hồi quyền tạm thời"),
    "support.noted": mark("xác nhận đã biết một quyền tạm thời"),
    "audit.searched": mark("tra cứu nhật ký"),
    "audit.patient-reported": mark("xem báo cáo ai đã xem người bệnh này"),
    "audit.archived": mark("chuyển nhật ký cũ vào kho lưu trữ"),
    "past.compared": mark("so hồ sơ lúc trước với hôm nay"),
    "past.bring-back-foreseen": mark("xem trước những gì sẽ được khôi phục"),
    "past.bring-back-ordered": mark("yêu cầu khôi phục hồ sơ như lúc trước"),
    "past.order-shown": mark("xem một yêu cầu khôi phục"),
    "past.order-decided": mark("quyết định một yêu cầu khôi phục"),
    "past.brought-back": mark("khôi phục hồ sơ như lúc trước"),
    "past.bring-back-noted": mark("ký ghi chú về phần đã khôi phục"),
    "request.refused": mark("bị từ chối"),
}
_MACHINES: Final = {
    "lis": mark("phần mềm xét nghiệm (LIS)"),
    "his": mark("phần mềm quản lý bệnh viện (HIS)"),
    "pacs": mark("kho hình ảnh (PACS)"),
    "warehouse": mark("kho dữ liệu"),
}
_OTHERWISE: Final = {
    "read": mark("xem"),
    "write": mark("ghi"),
    "manage": mark("việc quản trị"),
}
_WHY: Final = {
    "BTG": mark("khẩn cấp"),
    "TREAT": mark("điều trị"),
    "ETREAT": mark("điều trị cấp cứu"),
    "HSYSADMIN": mark("hỗ trợ, bằng quyền tạm thời"),
}
_REFUSED: Final = {
    "not-a-member": mark("không thuộc bệnh viện này"),
    "role-may-not": mark("vai trò không được làm việc này"),
    "role-may-not-see": mark("vai trò không được xem loại hồ sơ này"),
    "role-may-not-change": mark("vai trò không được sửa loại hồ sơ này"),
    "scope-may-not": mark("phần mềm không được cấp quyền này"),
    "department-not-in-pilot": mark("khoa chưa tham gia thí điểm"),
    "outside-hours": mark("ngoài giờ cho phép"),
    "second-factor-needed": mark("thiếu bước xác thực thứ hai"),
    "recent-sign-in-needed": mark("phải đăng nhập lại"),
    "session-locked": mark("phiên đang khóa"),
}
_REFUSED_AS: Final = (
    (("Unauthenticated", "NotSignedIn", "TokenRefused"), mark("chưa đăng nhập")),
    (("Forbidden", "Form", "Needed", "Missing"), mark("không được phép")),
    (("NotFound", "Gone"), mark("không có, hoặc không được thấy")),
    (("Conflict", "Taken", "Held", "Elsewhere"), mark("trùng với một thay đổi khác")),
    (("Unavailable", "Suspended", "Moving", "Busy", "Requests"), mark("hệ thống tạm thời không phục vụ")),
    (("",), mark("nội dung gửi lên không hợp lệ")),
)
"""What a kind of refusal ends with, and what it means."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row as it is read out. number: its place in the trail. code: the trail's own name of the act.

    hints: what makes one look twice, in words (`HINTS`).
    """

    number: int
    at: datetime
    who: str
    role: str
    what: str
    code: str
    why: str
    patients: tuple[str, ...]
    refused: bool
    hints: tuple[str, ...]


HINTS: Final = {
    "same-name": mark("trùng họ tên với người bệnh"),
    "same-address": mark("cùng địa chỉ với người bệnh"),
    "no-visit": mark("không có lượt khám nào quanh lúc đó"),
    "emergency": mark("khẩn cấp"),
    "outside": mark("người ngoài bệnh viện"),
}


def kind_of(entry: Entry) -> Kind:
    """Under which heading an entry stands."""
    action = str(entry.text["action"])
    if entry.text["outcome"] != "success":
        return "refused"
    if action.startswith("care.glass-"):
        return "emergency"
    if action in _TAKEN:
        return "taken"
    if action.startswith(_MANAGED):
        return "managed"
    return "changed" if action_of(entry) in ("C", "U", "D") else "looked"


def from_outside(entry: Entry) -> bool:
    """Whether it was done by somebody who is no member: the department, support, or a person of another hospital.

    The border light's own knocking is not: its result has a page of its own.
    """
    actor: Mapping[str, Any] = entry.text["actor"] or {}
    if str(actor.get("subject") or "").startswith(PREFIX):
        return False
    codes = (entry.text.get("detail") or {}).get("codes", ())
    return actor.get("role") in (*DEPARTMENT_ROLES, *SUPPORT_ROLES) or "not-a-member" in codes


def lines(entries: Iterable[Entry], zone: ZoneInfo, facts: Facts) -> Sequence[Line]:
    """Entries read out, in their order, with the hints that `facts` give."""
    return [_line(entry, zone, facts) for entry in entries]


def _line(entry: Entry, zone: ZoneInfo, facts: Facts) -> Line:
    text = entry.text
    actor: Mapping[str, Any] = text["actor"] or {}
    detail: Mapping[str, Any] = text.get("detail") or {}
    role, name = str(actor.get("role") or ""), str(actor.get("name") or "")
    hints = [
        *facts.hints(text),
        *(["emergency"] if kind_of(entry) == "emergency" or detail.get("purpose") in ("BTG", "ETREAT") else []),
        *(["outside"] if from_outside(entry) else []),
    ]
    return Line(
        number=entry.number,
        at=datetime.fromisoformat(text["at"]).astimezone(zone),
        who=name or str(actor.get("subject") or ""),
        role=ROLE_NAMES.get(role) or _MACHINES.get(role, role),
        what=_what(entry),
        code=str(text["action"]),
        why=_why(detail),
        patients=tuple(text["patients"]),
        refused=text["outcome"] != "success",
        hints=tuple(HINTS[each] for each in hints),
    )


def _why(detail: Mapping[str, Any]) -> str:
    """The purpose of use, or for what reason it was refused."""
    purpose, kind = _WHY.get(str(detail.get("purpose", "")), ""), str(detail.get("kind", ""))
    if purpose or not detail.get("codes"):
        return purpose
    refused = [_REFUSED[code] for code in detail["codes"] if code in _REFUSED]
    return refused[0] if refused else next(words for endings, words in _REFUSED_AS if kind.endswith(endings))


def _what(entry: Entry) -> str:
    said = _WHAT.get(entry.text["action"])
    if said:
        return said
    kind = kind_of(entry)
    return _OTHERWISE["manage" if kind == "managed" else "write" if kind == "changed" else "read"]
