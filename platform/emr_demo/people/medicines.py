"""Medicines of the made-up prescriptions: ATC code, name, and how each is usually taken."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Regimen:
    """How a medicine is taken: doses a day, amount of one dose in `unit`, hours of the day, days (0: goes on)."""

    unit: str
    amount: float
    per_day: int
    when: tuple[str, ...]
    days: int
    advice: str = ""
    route: str = "oral"


@dataclass(frozen=True)
class Medicine:
    """One product as prescribed: generic name with strength."""

    atc: str
    name: str
    regimen: Regimen


# Codes of HL7's EventTiming with the Vietnamese word of a prescription.
WHEN = {"MORN": "sáng", "NOON": "trưa", "EVE": "chiều", "NIGHT": "tối", "HS": "trước khi ngủ"}
# SNOMED CT route codes with the Vietnamese verb.
ROUTES = {
    "oral": ("26643006", "Uống"), "inhaled": ("447694001", "Hít"), "iv": ("47625008", "Tiêm tĩnh mạch"),
    "eye": ("54485002", "Nhỏ mắt"), "subcutaneous": ("34206005", "Tiêm dưới da"),
}  # fmt: skip

_MORNING, _NIGHT, _TWICE, _THRICE = ("MORN",), ("NIGHT",), ("MORN", "EVE"), ("MORN", "NOON", "EVE")


def _daily(when: tuple[str, ...], *, advice: str = "", unit: str = "viên") -> Regimen:
    return Regimen(unit, 1, len(when), when, 0, advice)


def _course(when: tuple[str, ...], days: int, *, advice: str = "", unit: str = "viên") -> Regimen:
    return Regimen(unit, 1, len(when), when, days, advice)


MEDICINES: dict[str, Medicine] = {
    "amlodipine": Medicine("C08CA01", "Amlodipin 5 mg", _daily(_MORNING)),
    "losartan": Medicine("C09CA01", "Losartan 50 mg", _daily(_MORNING)),
    "metformin": Medicine("A10BA02", "Metformin 850 mg", _daily(_TWICE, advice="sau ăn")),
    "gliclazide": Medicine("A10BB09", "Gliclazid MR 30 mg", _daily(_MORNING, advice="trước ăn")),
    "glargine": Medicine(
        "A10AE04", "Insulin glargine 100 IU/ml", Regimen("đơn vị", 12, 1, _NIGHT, 0, route="subcutaneous")
    ),
    "atorvastatin": Medicine("C10AA05", "Atorvastatin 20 mg", _daily(_NIGHT)),
    "aspirin": Medicine("B01AC06", "Aspirin 81 mg", _daily(_MORNING, advice="sau ăn")),
    "bisoprolol": Medicine("C07AB07", "Bisoprolol 2,5 mg", _daily(_MORNING)),
    "tenofovir": Medicine("J05AF07", "Tenofovir disoproxil 300 mg", _daily(_NIGHT)),
    "tamsulosin": Medicine("G04CA02", "Tamsulosin 0,4 mg", _daily(_NIGHT)),
    "budesonide": Medicine(
        "R03AK07",
        "Budesonid/formoterol 160/4,5 µg",
        Regimen("nhát xịt", 1, 2, _TWICE, 0, "súc miệng sau hít", "inhaled"),
    ),
    "tiotropium": Medicine("R03BB04", "Tiotropium 18 µg", Regimen("viên nang hít", 1, 1, _MORNING, 0, route="inhaled")),
    "salbutamol": Medicine(
        "R03AC02", "Salbutamol 100 µg/nhát", Regimen("nhát xịt", 2, 3, _THRICE, 10, "khi khó thở", "inhaled")
    ),
    "omeprazole": Medicine("A02BC01", "Omeprazol 20 mg", _course(_MORNING, 28, advice="trước ăn 30 phút")),
    "antacid": Medicine(
        "A02AD01", "Nhôm - magnesi hydroxyd, gói 10 g", _course(_THRICE, 14, advice="sau ăn", unit="gói")
    ),
    "meloxicam": Medicine("M01AC06", "Meloxicam 7,5 mg", _course(_MORNING, 10, advice="sau ăn no")),
    "glucosamine": Medicine("M01AX05", "Glucosamin 500 mg", _course(_TWICE, 60)),
    "paracetamol": Medicine(
        "N02BE01", "Paracetamol 500 mg", _course(_THRICE, 5, advice="khi sốt trên 38,5 °C hoặc đau")
    ),
    "paracetamol-child": Medicine(
        "N02BE01", "Paracetamol gói 150 mg", _course(_THRICE, 3, advice="khi sốt trên 38,5 °C", unit="gói")
    ),
    "amoxicillin": Medicine("J01CA04", "Amoxicilin 500 mg", _course(_TWICE, 7)),
    "amoxiclav-child": Medicine(
        "J01CR02", "Amoxicilin/acid clavulanic gói 250/31,25 mg", _course(_TWICE, 7, unit="gói")
    ),
    "azithromycin": Medicine("J01FA10", "Azithromycin 500 mg", _course(_MORNING, 3)),
    "cefuroxime": Medicine("J01DC02", "Cefuroxim 500 mg", _course(_TWICE, 7, advice="sau ăn")),
    "ceftriaxone": Medicine("J01DD04", "Ceftriaxon 1 g", Regimen("lọ", 1, 2, _TWICE, 5, "pha 10 ml nước cất", "iv")),
    "ringer": Medicine("B05BB01", "Ringer lactat 500 ml", Regimen("chai", 1, 2, _TWICE, 2, "truyền 100 ml/giờ", "iv")),
    "ors": Medicine(
        "A07CA", "Oresol gói 4,1 g", _course(_THRICE, 3, advice="pha 200 ml nước, uống từng ngụm", unit="gói")
    ),
    "zinc": Medicine("A12CB01", "Kẽm gluconat 70 mg", _course(_MORNING, 10)),
    "cetirizine": Medicine("R06AE07", "Cetirizin 10 mg", _course(_NIGHT, 7)),
    "cough-herb": Medicine("R05", "Siro ho thảo dược 100 ml", Regimen("ml", 5, 3, _THRICE, 5)),
    "ciprofloxacin": Medicine("J01MA02", "Ciprofloxacin 500 mg", _course(_TWICE, 5)),
    "tobramycin": Medicine("S01AA12", "Tobramycin 0,3 % nhỏ mắt", Regimen("giọt", 1, 3, _THRICE, 7, route="eye")),
    "eperisone": Medicine("M03BX09", "Eperison 50 mg", _course(_TWICE, 7)),
    "iron-folic": Medicine("B03AD03", "Sắt - acid folic", _daily(_MORNING, advice="trước ăn, cùng nước cam")),
    "calcium": Medicine("A12AX", "Calci - vitamin D3 500 mg", _daily(_MORNING, advice="sau ăn sáng")),
}

PENICILLINS = frozenset({"amoxicillin", "amoxiclav-child"})


def dosage_text(regimen: Regimen) -> str:
    """The sentence on the prescription: `Uống 1 viên mỗi lần, ngày 2 lần (sáng, chiều), sau ăn`."""
    verb = ROUTES[regimen.route][1]
    amount = f"{regimen.amount:g}".replace(".", ",")
    times = ", ".join(WHEN[one] for one in regimen.when)
    text = f"{verb} {amount} {regimen.unit} mỗi lần, ngày {regimen.per_day} lần ({times})"
    return f"{text}, {regimen.advice}" if regimen.advice else text
