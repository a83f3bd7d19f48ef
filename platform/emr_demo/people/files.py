"""Which files the made-up patients bring along: scanned papers, X-rays, a study of slices."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random

from emr_demo.people.care import ZONE
from emr_demo.people.chart import Chart
from emr_demo.people.fhir import Resource
from emr_demo.people.generate import charts
from emr_demo.people.hospital import CAU_VONG, HOA_SEN, HospitalProfile
from emr_demo.people.papers import Page, as_jpeg, as_pdf, scan
from emr_demo.people.person import Person
from emr_demo.people.places import ETHNIC_GROUPS
from emr_demo.people.radiology import Study, chest_image, phantom_slices
from emr_demo.people.stories import stories

_PAPERS = 8
_CHESTS = 3


@dataclass(frozen=True)
class MadeFile:
    """A file for one patient: `paper` (a scan, with the LOINC code of its kind) or `image` (a DICOM instance)."""

    record_number: str
    kind: str
    filename: str
    media_type: str
    content: bytes
    title: str
    day: date
    loinc: str = ""


def files(hospital: HospitalProfile, *, seed: int = 1, today: date) -> Iterator[MadeFile]:
    """All files of a hospital: the same for the same seed and day, a few MB in all."""
    everybody = list(charts(hospital, seed=seed, today=today))
    yield from _story_papers(hospital, seed, today)
    stays = [(chart, stay) for chart in everybody for stay in _stays(chart)]
    for number, (chart, stay) in enumerate(stays[:_PAPERS]):
        yield _discharge_paper(chart, stay, photo=number % 3 == 2)
    lungs = [(chart, stay) for chart, stay in stays if "Viêm phổi" in _diagnosis(stay)]
    for number, (chart, stay) in enumerate(lungs[:_CHESTS]):
        yield from _chest(chart.person, hospital, _start(stay) + timedelta(hours=2), number)
    yield from _story_images(everybody[0].person, hospital, today)


def _story_papers(hospital: HospitalProfile, seed: int, today: date) -> Iterator[MadeFile]:
    """Mrs Hoa brings the papers of her stay in the other hospital."""
    if hospital.slug != HOA_SEN.slug:
        return
    elsewhere = stories(CAU_VONG, seed, today)[0]
    stay = _stays(elsewhere)[0]
    rng = Random(f"{seed}:papers:hoa")
    pages = [_discharge_page(elsewhere, stay), _summary_page(elsewhere, stay), _referral_page(elsewhere, stay)]
    content = as_pdf([scan(page, rng) for page in pages], "Giấy ra viện")
    own = stories(hospital, seed, today)[0].person
    title = f"Giấy ra viện - {CAU_VONG.name}"
    yield MadeFile(
        own.record_number,
        "paper",
        "giay-ra-vien-cau-vong.pdf",
        "application/pdf",
        content,
        title,
        _end(stay),
        "18842-5",
    )


def _story_images(person: Person, hospital: HospitalProfile, today: date) -> Iterator[MadeFile]:
    day = today - timedelta(days=45 if hospital.slug == HOA_SEN.slug else 622)
    when = datetime.combine(day, time(9, 40), ZONE)
    yield from _chest(person, hospital, when, 90)
    if hospital.slug == HOA_SEN.slug:
        study = _study(person, hospital, "CT900001", "CT ngực (phantom)", when + timedelta(days=30))
        for index, content in enumerate(phantom_slices(study), 1):
            yield _image(study, content, f"ct-{index:02d}.dcm")


def _chest(person: Person, hospital: HospitalProfile, when: datetime, number: int) -> Iterator[MadeFile]:
    study = _study(person, hospital, f"XQ{number:06d}", "X-quang ngực", when)
    yield _image(study, chest_image(study, seed=number), f"nguc-thang-{number}.dcm")
    if number >= 90:
        yield _image(study, chest_image(study, view="LL", seed=number), f"nguc-nghieng-{number}.dcm")


def _study(person: Person, hospital: HospitalProfile, accession: str, description: str, when: datetime) -> Study:
    return Study(person, hospital.name, f"{hospital.record_prefix}{accession}", description, when)


def _image(study: Study, content: bytes, filename: str) -> MadeFile:
    person, day = study.person, study.when.date()
    return MadeFile(person.record_number, "image", filename, "application/dicom", content, study.description, day)


def _discharge_paper(chart: Chart, stay: Resource, *, photo: bool) -> MadeFile:
    rng = Random(f"paper:{chart.person.cccd}:{_start(stay)}")
    page, day = scan(_discharge_page(chart, stay), rng), _end(stay)
    title, number = "Giấy ra viện", chart.person.record_number
    if photo:
        return MadeFile(number, "paper", f"giay-ra-vien-{day}.jpg", "image/jpeg", as_jpeg(page), title, day, "18842-5")
    content = as_pdf([page], title)
    return MadeFile(number, "paper", f"giay-ra-vien-{day}.pdf", "application/pdf", content, title, day, "18842-5")


def _discharge_page(chart: Chart, stay: Resource) -> Page:
    start, end = _start(stay), datetime.fromisoformat(stay["period"]["end"])
    paragraphs = (
        *_who(chart.person, start.date()),
        f"Vào viện lúc: {start:%H} giờ {start:%M} phút, ngày {start:%d/%m/%Y}",
        f"Ra viện lúc: {end:%H} giờ {end:%M} phút, ngày {end:%d/%m/%Y}",
        f"Chẩn đoán: {_diagnosis(stay)}",
        "Phương pháp điều trị: nội khoa theo phác đồ, đáp ứng tốt.",
        "Ghi chú: tái khám sau 7 ngày hoặc khi có dấu hiệu bất thường.",
    )
    return Page(
        chart.house.profile.name, f"{end:%y}/RV-{chart.person.record_number}", "GIẤY RA VIỆN", paragraphs, _doctor(stay)
    )


def _summary_page(chart: Chart, stay: Resource) -> Page:
    reason = stay["reasonCode"][0]["text"]
    paragraphs = (
        *_who(chart.person, _start(stay).date())[:1],
        f"Lý do vào viện: {reason}.",
        "Tiền sử: tăng huyết áp, đái tháo đường típ 2. Dị ứng Penicillin (phản vệ năm 2019).",
        "Tóm tắt: sốt 39,2 °C, ran nổ đáy phổi phải, bạch cầu 14,8 × 10⁹/L, CRP 96 mg/L.",
        "X-quang ngực: đám mờ thùy dưới phổi phải, bóng tim to nhẹ.",
        "Điều trị: ceftriaxon 2 g mỗi ngày trong 5 ngày, hạ sốt, bù dịch. Hết sốt từ ngày thứ ba.",
        "Tình trạng ra viện: đỡ, SpO₂ 97 % khí phòng, huyết áp 138/82 mmHg.",
    )
    number = f"TT-{chart.person.record_number}"
    return Page(chart.house.profile.name, number, "TÓM TẮT HỒ SƠ BỆNH ÁN", paragraphs, _doctor(stay))


def _referral_page(chart: Chart, stay: Resource) -> Page:
    paragraphs = (
        f"Kính gửi: {HOA_SEN.name}",
        *_who(chart.person, _start(stay).date()),
        f"Chẩn đoán: {_diagnosis(stay)}",
        "Lý do chuyển: theo dõi và điều trị tiếp tại nơi đăng ký khám chữa bệnh ban đầu.",
        "Gửi kèm: 4 kết quả xét nghiệm, 1 phim X-quang ngực.",
    )
    number = f"CT-{chart.person.record_number}"
    return Page(chart.house.profile.name, number, "GIẤY CHUYỂN TUYẾN", paragraphs, _doctor(stay))


def _who(person: Person, day: date) -> tuple[str, ...]:
    sex = "Nữ" if person.female else "Nam"
    card = person.card.number if person.card else "không có"
    return (
        f"Họ tên người bệnh: {person.name.text.upper()}    Tuổi: {person.age(day)}    Giới: {sex}",
        f"Dân tộc: {ETHNIC_GROUPS[person.ethnicity]}    Mã thẻ BHYT: {card}",
        f"Địa chỉ: {person.address.text}",
    )


def _stays(chart: Chart) -> list[Resource]:
    """Finished inpatient encounters."""
    encounters = [one for one in chart.bundle.resources() if one["resourceType"] == "Encounter"]
    return [one for one in encounters if one["class"]["code"] == "IMP" and one["status"] == "finished"]


def _diagnosis(stay: Resource) -> str:
    shown: str = stay["diagnosis"][0]["condition"]["display"]
    return shown


def _doctor(stay: Resource) -> str:
    shown: str = stay["participant"][0]["individual"]["display"]
    return shown


def _start(stay: Resource) -> datetime:
    return datetime.fromisoformat(stay["period"]["start"])


def _end(stay: Resource) -> date:
    return datetime.fromisoformat(stay["period"]["end"]).date()
