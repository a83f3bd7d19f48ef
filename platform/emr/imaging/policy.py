"""Rules of imaging, as pure functions: whose study it is, and what an outcome is called on the wire."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from emr.imaging.facts import StudyFacts

Resource = Mapping[str, Any]

NO_NUMBER = "no-record-number"
UNKNOWN_NUMBER = "record-number-unknown"
SEVERAL = "several-patients"
OTHER_BIRTH_DATE = "birth-date-differs"
OTHER_SEX = "sex-differs"

_SEXES = {"M": "male", "F": "female"}


def choose_patient(facts: StudyFacts, candidates: Sequence[Resource]) -> tuple[str | None, str | None]:
    """The id of the Patient whose study this is, or None and why a human must look.

    A study belongs to who has its Patient ID as record number, and to nobody when birth date or sex contradict: a
    mistyped number must not put pictures into a stranger's chart. A name is never used to find anybody.
    """
    if not facts.patient_id:
        return None, NO_NUMBER
    holders = [one for one in candidates if facts.patient_id in record_numbers(one)]
    if not holders:
        return None, UNKNOWN_NUMBER
    if len(holders) > 1:
        return None, SEVERAL
    holder = holders[0]
    if _contradicts(facts.birth_date, str(holder.get("birthDate", ""))):
        return None, OTHER_BIRTH_DATE
    sex, gender = _SEXES.get(facts.sex), holder.get("gender")
    if sex and gender in _SEXES.values() and sex != gender:
        return None, OTHER_SEX
    return str(holder["id"]), None


def record_numbers(patient: Resource) -> set[str]:
    """The numbers under which this hospital files the patient: identifiers of type MR (HL7 table 0203), in use."""
    return {
        str(one["value"])
        for one in patient.get("identifier", ())
        if one.get("value") and one.get("use") != "old" and _is_record_number(one)
    }


def _is_record_number(identifier: Resource) -> bool:
    codes = {coding.get("code") for coding in identifier.get("type", {}).get("coding", ())}
    system = str(identifier.get("system", "")).lower()
    return "MR" in codes or system.endswith(("/mrn", ":mrn", "record-number", "patient-internal-id"))


def _contradicts(told: dt.date | None, kept: str) -> bool:
    """Only what both say counts: a record may know the year alone, and devices write 1 January for that."""
    if told is None or not kept:
        return False
    if len(kept) < 10 or (told.month, told.day) == (1, 1):
        return not kept.startswith(f"{told.year:04d}")
    return kept != told.isoformat()
