"""What doctors write: short Vietnamese notes put together from the visit's own facts."""

from random import Random

from emr_demo.people.body import Vitals
from emr_demo.people.care import Visit
from emr_demo.people.diseases import disease
from emr_demo.people.person import Person

_HISTORY_FOLLOW_UP = (
    "Uống thuốc đều, không tác dụng phụ. Ăn ngủ được.",
    "Có quên thuốc vài ngày trong tháng. Không đau ngực, không khó thở.",
    "Dùng thuốc theo toa, ăn uống điều độ hơn. Tự đo tại nhà ổn.",
)
_HISTORY_ACUTE = (
    "Bệnh khởi phát tại nhà, chưa dùng thuốc gì.",
    "Đã mua thuốc ngoài hiệu thuốc uống 1 ngày, không giảm.",
    "Người nhà cùng bị tương tự tuần trước.",
)


_HISTORY_WELL = ("Không than phiền gì.", "Ăn ngủ tốt, không sốt.", "Khỏe, sinh hoạt bình thường.")


def visit_note(rng: Random, person: Person, visit: Visit, vitals: Vitals) -> str:
    """Reason, history, examination, conclusion and plan, a paragraph each."""
    entry = disease(visit.code)
    history = rng.choice(_histories(visit))
    known = ", ".join(disease(one.code).title for one in person.lasting)
    past = f"Tiền sử: {known}." if known else "Tiền sử: chưa ghi nhận bệnh mạn tính."
    if person.allergies:
        past += " Dị ứng: " + ", ".join(one.substance[1] for one in person.allergies) + "."
    lines = (
        f"Lý do: {visit.complaint}.",
        f"Bệnh sử: {history}",
        past,
        f"Khám: {_spoken(vitals)}; {rng.choice(entry.findings)}.",
        f"Chẩn đoán: {entry.title} ({entry.code}).",
        f"Hướng xử trí: {entry.plan}",
    )
    return "\n".join(lines)


def ward_note(rng: Random, visit: Visit, day: int, vitals: Vitals) -> str:
    """A day in bed."""
    better = (
        "Bệnh nhân tỉnh, đỡ mệt, ăn được cháo.",
        "Còn mệt, ngủ được, không nôn.",
        "Đáp ứng điều trị, sinh hiệu ổn.",
    )
    return (
        f"Ngày điều trị {day}. {rng.choice(better)}\n"
        f"Khám: {_spoken(vitals)}; {rng.choice(disease(visit.code).findings)}.\n"
        "Tiếp tục điều trị, theo dõi sinh hiệu."
    )


def discharge_note(visit: Visit, days: int) -> str:
    """The summary at discharge."""
    entry = disease(visit.code)
    return (
        f"Lý do vào viện: {visit.complaint}.\n"
        f"Chẩn đoán ra viện: {entry.title} ({entry.code}).\n"
        f"Số ngày điều trị: {days}.\n"
        "Tình trạng ra viện: đỡ, sinh hiệu ổn định.\n"
        f"Dặn dò: {entry.plan} Tái khám sau 7 ngày."
    )


def _histories(visit: Visit) -> tuple[str, ...]:
    if visit.follow_up:
        return _HISTORY_FOLLOW_UP
    return _HISTORY_WELL if visit.code.startswith("Z") else _HISTORY_ACUTE


def _spoken(vitals: Vitals) -> str:
    temperature = f"{vitals.temperature:.1f}".replace(".", ",")
    parts = [f"mạch {vitals.pulse} lần/phút", f"nhiệt độ {temperature} °C", f"SpO₂ {vitals.saturation} %"]
    if vitals.systolic is not None:
        parts.insert(0, f"huyết áp {vitals.systolic}/{vitals.diastolic} mmHg")
    return ", ".join(parts)
