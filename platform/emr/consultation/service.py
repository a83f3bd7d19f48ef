"""The verbs of the consultation, each one transaction."""

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from emr.consultation import resources
from emr.consultation.policy import Allergy, Note, Problem, Vitals
from emr.consultation.resources import Entry, Figure
from emr.records.compartment import compartment
from emr.records.create import create_resource
from emr.records.stored import Stored
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

_LOOK_BACK = {"Observation": 120}


@use_case("vitals:write", "vitals.compared")
@use_case("chart:read", "chart.read")
async def last_figures(work: UnitOfWork, patient_id: str) -> Mapping[str, Figure]:
    """The last value of each vital sign, by field, to compare with while typing."""
    _, found = await compartment(work, patient_id, _LOOK_BACK)
    zone = ZoneInfo(work.tenant.time_zone)
    return resources.last_figures([item.resource() for item in found["Observation"]], zone)


@use_case("vitals:write", "vitals.recorded")
async def record_vitals(work: UnitOfWork, vitals: Vitals, entry: Entry) -> Sequence[Stored]:
    """Store the vital signs of one occasion."""
    return [await create_resource(work, resource) for resource in resources.vital_signs(vitals, entry)]


@use_case("note:write", "note.written")
async def write_note(work: UnitOfWork, note: Note, entry: Entry) -> Stored:
    """Store a note that nobody has signed yet."""
    return await create_resource(work, resources.note(note, entry))


@use_case("problem:write", "problem.added")
async def add_problem(work: UnitOfWork, problem: Problem, entry: Entry) -> Stored:
    """Put a problem on the list."""
    return await create_resource(work, resources.problem(problem, entry, recorded=work.clock()))


@use_case("allergy:write", "allergy.added")
async def add_allergy(work: UnitOfWork, allergy: Allergy, entry: Entry) -> Stored:
    """Note an allergy, or that there is none."""
    return await create_resource(work, resources.allergy(allergy, entry, recorded=work.clock()))
