"""The form of one point of the checklist, for the hospital and for the department alike."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from emr.tenancy.golive import LONGEST_NOTE, LONGEST_OWNER, Change, Item
from emr.web.forms import Form
from emr.web.i18n import mark

STATES: Final[Mapping[str, str]] = {
    "open": mark("Chưa làm"),
    "doing": mark("Đang làm"),
    "done": mark("Xong"),
    "not-needed": mark("Không cần"),
}
TONES: Final = {"open": "off", "doing": "info", "done": "good", "not-needed": "off"}


def change_of(form: Form, code: str, by: tuple[str, str]) -> Change:
    """What the form says of a point; what is wrong is refused at its field. by: subject and name."""
    state = form.choice("state", STATES, required=mark("Chọn tình trạng"))
    note = form.text("note", limit=LONGEST_NOTE)
    if state == "not-needed" and not note:
        form.refuse("note", mark("Ghi lý do không cần làm"))
    due = _day(form)
    return Change(code, state, form.text("owner", limit=LONGEST_OWNER), due, note, by)


def filled(found: Item) -> Form:
    """The form with what stands."""
    due = found.due.strftime("%d/%m/%Y") if found.due else ""
    return Form({"state": found.state, "owner": found.owner, "due": due, "note": found.note})


def _day(form: Form) -> date | None:
    typed = form.text("due", limit=10)
    if not typed:
        return None
    try:
        return datetime.strptime(typed, "%d/%m/%Y").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        form.refuse("due", mark("Ghi ngày theo dạng ngày/tháng/năm"))
        return None
