"""What was measured at a visit, as Observations and DiagnosticReports."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from emr_demo.people.analytes import ANALYTES, NS1, PANELS, URINE_LEUKOCYTES, URINE_PROTEIN, Analyte
from emr_demo.people.body import Body, Illness, Vitals
from emr_demo.people.chart import Chart
from emr_demo.people.fhir import LOINC, Resource, concept, hl7, moment, quantity, refer

_VITAL = "vital-signs"
_LABORATORY = "laboratory"


@dataclass(frozen=True)
class Context:
    """The encounter's address and the moment of measuring."""

    encounter: str
    when: datetime


def add_vitals(chart: Chart, at: Context, vitals: Vitals) -> None:
    """One Observation for each vital sign; blood pressure has two components."""
    figures: list[tuple[str, str, float | None, str, str]] = [
        ("8867-4", "Mạch", vitals.pulse, "lần/phút", "/min"),
        ("9279-1", "Nhịp thở", vitals.breaths, "lần/phút", "/min"),
        ("8310-5", "Nhiệt độ", vitals.temperature, "°C", "Cel"),
        ("59408-5", "SpO₂", vitals.saturation, "%", "%"),
        ("29463-7", "Cân nặng", vitals.weight, "kg", "kg"),
        ("8302-2", "Chiều cao", vitals.height, "cm", "cm"),
        ("9843-4", "Vòng đầu", vitals.head, "cm", "cm"),
        ("39156-5", "BMI", round(vitals.weight / (vitals.height / 100) ** 2, 1), "kg/m²", "kg/m2"),
    ]
    if vitals.systolic is not None and vitals.diastolic is not None:
        _add_pressure(chart, at, (vitals.systolic, vitals.diastolic))
    for code, title, value, unit, ucum in figures:
        if value is not None:
            resource = _observation(chart, at, _VITAL, (code, title))
            chart.bundle.add(resource | {"valueQuantity": quantity(value, unit, ucum)})


def add_panel(chart: Chart, at: Context, name: str, body: Body, illness: Illness) -> None:
    """A laboratory report with its results, an hour after the blood was taken."""
    panel = PANELS[name]
    results = [
        _add_result(chart, at, ANALYTES[key], value)
        for key, value in body.results(name, at.when.date(), illness).items()
    ]
    results += _add_worded(chart, at, name, illness)
    chart.bundle.add(
        {
            "resourceType": "DiagnosticReport",
            "status": "final",
            "category": [hl7("v2-0074", "LAB", "Xét nghiệm")],
            "code": concept(LOINC, panel.loinc, panel.title),
            "subject": chart.patient,
            "encounter": refer(at.encounter),
            "effectiveDateTime": moment(at.when),
            "issued": moment(at.when + timedelta(hours=1)),
            "performer": [chart.house.organization],
            "resultsInterpreter": [chart.house.technician()],
            "result": [refer(result) for result in results],
        }
    )


def add_observation(chart: Chart, at: Context, test: tuple[str, str], value: tuple[float, str, str]) -> str:
    """A single figure outside the panels: LOINC and title, then value, unit, UCUM."""
    resource = _observation(chart, at, "exam", test)
    return chart.bundle.add(resource | {"valueQuantity": quantity(*value)})


def interpretation(value: float, limits: tuple[float | None, float | None]) -> str:
    """`L` below, `H` above, `N` within the limits; a missing limit limits nothing."""
    low, high = limits
    if low is not None and value < low:
        return "L"
    return "H" if high is not None and value > high else "N"


def _add_result(chart: Chart, at: Context, analyte: Analyte, value: float) -> str:
    limits = analyte.limits(female=chart.person.female)
    shown = int(value) if analyte.decimals == 0 else value
    resource = _observation(chart, at, _LABORATORY, (analyte.loinc, analyte.title)) | {
        "issued": moment(at.when + timedelta(hours=1)),
        "performer": [chart.house.technician()],
        "valueQuantity": quantity(shown, analyte.unit, analyte.ucum),
        "interpretation": [hl7("v3-ObservationInterpretation", interpretation(value, limits))],
    }
    bounds = {
        side: quantity(limit, analyte.unit, analyte.ucum)
        for side, limit in zip(("low", "high"), limits, strict=True)
        if limit is not None
    }
    return chart.bundle.add(resource | {"referenceRange": [bounds]})


def _add_worded(chart: Chart, at: Context, panel: str, illness: Illness) -> list[str]:
    """Results that are words: NS1 turns negative after the fifth day, urine follows the illness."""
    if panel == "dengue":
        found = [(NS1, illness.code in {"A90", "A91"} and illness.day <= 5)]
    elif panel == "urine":
        found = [(URINE_PROTEIN, chart.person.has("N18.3")), (URINE_LEUKOCYTES, illness.code == "N39.0")]
    else:
        return []
    return [_add_word(chart, at, test, "Dương tính" if positive else "Âm tính") for test, positive in found]


def _add_word(chart: Chart, at: Context, test: tuple[str, str], word: str) -> str:
    sign = "A" if word == "Dương tính" else "N"
    resource = _observation(chart, at, _LABORATORY, test) | {
        "issued": moment(at.when + timedelta(hours=1)),
        "performer": [chart.house.technician()],
        "valueString": word,
        "interpretation": [hl7("v3-ObservationInterpretation", sign)],
        "referenceRange": [{"text": "Âm tính"}],
    }
    return chart.bundle.add(resource)


def _add_pressure(chart: Chart, at: Context, pressure: tuple[int, int]) -> None:
    parts = zip((("8480-6", "Tâm thu"), ("8462-4", "Tâm trương")), pressure, strict=True)
    resource = _observation(chart, at, _VITAL, ("85354-9", "Huyết áp"))
    components = [
        {"code": concept(LOINC, *part), "valueQuantity": quantity(value, "mmHg", "mm[Hg]")} for part, value in parts
    ]
    chart.bundle.add(resource | {"component": components})


def _observation(chart: Chart, at: Context, category: str, test: tuple[str, str]) -> Resource:
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [hl7("observation-category", category)],
        "code": concept(LOINC, *test),
        "subject": chart.patient,
        "encounter": refer(at.encounter),
        "effectiveDateTime": moment(at.when),
    }
