"""Laboratory tests: LOINC, UCUM, reference ranges of adults, and how disease moves them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Analyte:
    """A quantity that a laboratory reports; `women` is the range where it differs from the men's."""

    loinc: str
    title: str
    english: str
    unit: str
    ucum: str
    low: float | None
    high: float | None
    decimals: int
    women: tuple[float | None, float | None] | None = None

    def limits(self, *, female: bool) -> tuple[float | None, float | None]:
        """Lower and upper limit of the reference range."""
        return self.women if female and self.women is not None else (self.low, self.high)


@dataclass(frozen=True)
class Panel:
    """Tests that are ordered and reported together."""

    loinc: str
    title: str
    analytes: tuple[str, ...]


ANALYTES: dict[str, Analyte] = {
    "glucose": Analyte("14771-0", "Glucose lúc đói", "Fasting glucose", "mmol/L", "mmol/L", 3.9, 5.6, 1),
    "hba1c": Analyte("4548-4", "HbA1c", "Hemoglobin A1c", "%", "%", 4.0, 5.6, 1),
    "creatinine": Analyte("14682-9", "Creatinin", "Creatinine", "µmol/L", "umol/L", 59, 104, 0, (45, 84)),
    "egfr": Analyte("98979-8", "eGFR (CKD-EPI 2021)", "eGFR", "mL/phút/1,73 m²", "mL/min/{1.73_m2}", 60, None, 0),
    "urea": Analyte("22664-7", "Urê", "Urea", "mmol/L", "mmol/L", 2.5, 7.5, 1),
    "potassium": Analyte("2823-3", "Kali", "Potassium", "mmol/L", "mmol/L", 3.5, 5.1, 1),
    "sodium": Analyte("2951-2", "Natri", "Sodium", "mmol/L", "mmol/L", 135, 145, 0),
    "cholesterol": Analyte("14647-2", "Cholesterol toàn phần", "Cholesterol", "mmol/L", "mmol/L", None, 5.2, 1),
    "ldl": Analyte("22748-8", "LDL-cholesterol", "LDL cholesterol", "mmol/L", "mmol/L", None, 3.4, 1),
    "hdl": Analyte("14646-4", "HDL-cholesterol", "HDL cholesterol", "mmol/L", "mmol/L", 1.0, None, 1, (1.3, None)),
    "triglyceride": Analyte("14927-8", "Triglycerid", "Triglyceride", "mmol/L", "mmol/L", None, 1.7, 1),
    "ast": Analyte("1920-8", "AST (GOT)", "AST", "U/L", "U/L", None, 40, 0, (None, 32)),
    "alt": Analyte("1742-6", "ALT (GPT)", "ALT", "U/L", "U/L", None, 41, 0, (None, 33)),
    "wbc": Analyte("6690-2", "Bạch cầu", "Leukocytes", "10⁹/L", "10*9/L", 4.0, 10.0, 1),
    "hemoglobin": Analyte("718-7", "Hemoglobin", "Hemoglobin", "g/L", "g/L", 130, 170, 0, (120, 150)),
    "hematocrit": Analyte("4544-3", "Hematocrit", "Hematocrit", "%", "%", 40, 50, 0, (36, 46)),
    "platelets": Analyte("777-3", "Tiểu cầu", "Platelets", "10⁹/L", "10*9/L", 150, 400, 0),
    "crp": Analyte("1988-5", "CRP", "C reactive protein", "mg/L", "mg/L", None, 5, 1),
}
# Answers in words instead of numbers.
NS1 = ("75377-2", "Dengue NS1 Ag (test nhanh)")
URINE_PROTEIN = ("20454-5", "Protein niệu")
URINE_LEUKOCYTES = ("5799-2", "Bạch cầu niệu")

PANELS: dict[str, Panel] = {
    "diabetes": Panel("18719-5", "Hóa sinh: đường huyết", ("glucose", "hba1c")),
    "kidney": Panel("18719-5", "Hóa sinh: chức năng thận", ("creatinine", "egfr", "urea", "potassium", "sodium")),
    "lipid": Panel("57698-3", "Hóa sinh: bộ mỡ máu", ("cholesterol", "ldl", "hdl", "triglyceride")),
    "liver": Panel("18719-5", "Hóa sinh: men gan", ("ast", "alt")),
    "blood-count": Panel("58410-2", "Huyết học: công thức máu", ("wbc", "hemoglobin", "hematocrit", "platelets")),
    "inflammation": Panel("18719-5", "Hóa sinh: CRP", ("crp",)),
    "dengue": Panel("18725-2", "Vi sinh: Dengue", ()),
    "urine": Panel("24357-6", "Tổng phân tích nước tiểu", ()),
}
