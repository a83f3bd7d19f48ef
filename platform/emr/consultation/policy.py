"""What may be stored from a form: plausible vital signs, what must be said of a problem or an allergy. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from emr.consultation.codes import Code, code_of
from emr.web.forms import Form, Range
from emr.web.i18n import mark

INFANT_MONTHS: Final = 12
CHILD_MONTHS: Final = 72
LONGEST_NOTE: Final = 20_000


@dataclass(frozen=True)
class Sign:
    """One field of the vital signs form: LOINC code, unit as shown, UCUM unit."""

    field: str
    label: str
    code: str
    unit: str
    ucum: str


@dataclass(frozen=True)
class Vitals:
    """Figures that were measured on one occasion, by field name; None where nothing was typed."""

    when: datetime
    figures: Mapping[str, Decimal | None]


@dataclass(frozen=True)
class Note:
    """A note: its kind, its words, the moment it speaks of."""

    kind: str
    text: str
    when: datetime


@dataclass(frozen=True)
class Problem:
    """A problem: a code or own words, since when (FHIR date or ""), how certain."""

    code: Code | None
    text: str
    since: str
    certainty: str


@dataclass(frozen=True)
class Allergy:
    """An allergy, or (substance "") the statement that there is none."""

    substance: str
    category: str
    criticality: str
    reaction: str
    since: str


SIGNS: Final = (
    Sign("systolic", mark("Huyết áp tâm thu"), "8480-6", "mmHg", "mm[Hg]"),
    Sign("diastolic", mark("Huyết áp tâm trương"), "8462-4", "mmHg", "mm[Hg]"),
    Sign("pulse", mark("Mạch"), "8867-4", "lần/phút", "/min"),
    Sign("temperature", mark("Nhiệt độ"), "8310-5", "°C", "Cel"),
    Sign("saturation", "SpO₂", "59408-5", "%", "%"),
    Sign("breaths", mark("Nhịp thở"), "9279-1", "lần/phút", "/min"),
    Sign("weight", mark("Cân nặng"), "29463-7", "kg", "kg"),
    Sign("height", mark("Chiều cao"), "8302-2", "cm", "cm"),
    Sign("pain", mark("Đau"), "72514-3", "/10", "{score}"),
)
KINDS: Final = {
    "exam": mark("Khám bệnh"),
    "progress": mark("Diễn biến"),
    "nursing": mark("Chăm sóc"),
    "consult": mark("Hội chẩn"),
    "phone": mark("Trao đổi qua điện thoại"),
}
CERTAINTIES: Final = {"confirmed": mark("đã xác định"), "provisional": mark("nghi ngờ")}
CATEGORIES: Final = {
    "medication": mark("thuốc"),
    "food": mark("thức ăn"),
    "environment": mark("môi trường"),
    "biologic": mark("chế phẩm sinh học"),
}
CRITICALITIES: Final = {
    "high": mark("nguy cơ cao"),
    "low": mark("nguy cơ thấp"),
    "unable-to-assess": mark("chưa rõ mức độ"),
}


def _range(possible: str, usual: str, places: int = 0) -> Range:
    low, high = possible.split()
    from_, to = usual.split()
    return Range((Decimal(low), Decimal(high)), (Decimal(from_), Decimal(to)), places)


_GROWN: Final = {
    "systolic": _range("30 300", "80 200"),
    "diastolic": _range("10 200", "40 120"),
    "pulse": _range("10 300", "40 150"),
    "temperature": _range("25 45", "35 40", 1),
    "saturation": _range("30 100", "88 100"),
    "breaths": _range("3 120", "8 40"),
    "weight": _range("0.3 400", "30 200", 2),
    "height": _range("20 250", "120 210", 1),
    "pain": _range("0 10", "0 10"),
}
_CHILD: Final = _GROWN | {
    "systolic": _range("30 300", "60 150"),
    "diastolic": _range("10 200", "30 100"),
    "pulse": _range("10 300", "60 180"),
    "breaths": _range("3 120", "15 60"),
    "weight": _range("0.3 400", "5 40", 2),
    "height": _range("20 250", "60 130", 1),
}
_INFANT: Final = _CHILD | {
    "pulse": _range("10 300", "80 200"),
    "breaths": _range("3 120", "20 70"),
    "weight": _range("0.3 400", "2 14", 3),
    "height": _range("20 250", "40 85", 1),
}


def ranges(months: int | None) -> Mapping[str, Range]:
    """Plausible ranges at an age; an unknown age counts as grown-up."""
    if months is None or months >= CHILD_MONTHS:
        return _GROWN
    return _CHILD if months >= INFANT_MONTHS else _INFANT


def vitals_of(form: Form, *, months: int | None, now: datetime, zone: ZoneInfo) -> Vitals:
    """The vital signs of a form; what is wrong or odd is said in the form."""
    allowed = ranges(months)
    figures = {sign.field: form.figure(sign.field, sign.label, allowed[sign.field]) for sign in SIGNS}
    systolic, diastolic = figures["systolic"], figures["diastolic"]
    typed = [name for name in ("systolic", "diastolic") if form.values.get(name, "").strip()]
    if len(typed) == 1:
        missing = "diastolic" if typed == ["systolic"] else "systolic"
        form.refuse(missing, mark("Huyết áp cần cả hai số: tâm thu và tâm trương"))
    if systolic is not None and diastolic is not None and diastolic >= systolic:
        form.refuse("diastolic", mark("Huyết áp tâm trương phải nhỏ hơn tâm thu"))
    if not form.refusals and all(value is None for value in figures.values()):
        form.refuse("systolic", mark("Hãy nhập ít nhất một chỉ số"))
    return Vitals(form.moment("when", zone=zone, now=now), figures)


def note_of(form: Form, *, now: datetime, zone: ZoneInfo) -> Note:
    """The note of a form."""
    return Note(
        kind=form.choice("kind", KINDS, required=mark("Hãy chọn loại ghi chú")),
        text=form.text("text", required=mark("Hãy viết nội dung ghi chú"), limit=LONGEST_NOTE),
        when=form.moment("when", zone=zone, now=now),
    )


def problem_of(form: Form, *, now: datetime) -> Problem:
    """The problem of a form: a code of the list, or own words."""
    chosen = form.text("code")
    code = code_of(chosen) if chosen else None
    if chosen and code is None:
        form.refuse("find", mark("Hãy chọn một mục trong danh sách"))
    text = form.text("text")
    if not chosen and not text:
        form.refuse("find", mark("Hãy chọn một chẩn đoán hoặc ghi bằng lời"))
    return Problem(
        code=code,
        text=text,
        since=form.day("since", today=now.date()),
        certainty=form.choice("certainty", CERTAINTIES) or "confirmed",
    )


def allergy_of(form: Form, *, now: datetime) -> Allergy:
    """The allergy of a form; the box `none` says that somebody asked and there is none."""
    if form.values.get("none") == "yes":
        if form.text("substance"):
            form.refuse("substance", mark("Đã ghi chất gây dị ứng thì không thể chọn «không dị ứng»"))
        return Allergy("", "", "", "", "")
    return Allergy(
        substance=form.text("substance", required=mark("Hãy ghi chất gây dị ứng, hoặc chọn «không dị ứng»")),
        category=form.choice("category", CATEGORIES, required=mark("Hãy chọn nhóm của chất gây dị ứng")),
        criticality=form.choice("criticality", CRITICALITIES) or "unable-to-assess",
        reaction=form.text("reaction"),
        since=form.day("since", today=now.date()),
    )
