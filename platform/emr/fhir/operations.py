"""Every operation of the interface: routes and the CapabilityStatement are made from this one list.

To add one, write its endpoint and its `Operation` in a file of its own and name it in `OPERATIONS`.
"""

from typing import Final

from fastapi import Request, Response

from emr.definitions.model import resource_types
from emr.fhir import bulk_export, bulk_import, document, everything, lastn, meta, subscriptions, terminology, validate
from emr.fhir.operation import Level, Operation
from emr.kernel.errors import Malformed, NotFound
from emr.web.work import in_hospital, in_hospital_with_body
from emr.work.unit import UnitOfWork

OPERATIONS: Final[tuple[Operation, ...]] = (
    *bulk_export.EXPORTS,
    bulk_import.IMPORT,
    document.DOCUMENT,
    everything.PATIENT,
    everything.ENCOUNTER,
    subscriptions.EVENTS,
    lastn.LASTN,
    meta.META,
    meta.META_ADD,
    meta.META_DELETE,
    subscriptions.STATUS,
    *terminology.TERMINOLOGY,
    validate.VALIDATE,
)
"""In the order of their names."""

ROUTES: Final[tuple[str, ...]] = (
    "/{type}/${operation}",
    "/${operation}",
    "/{type}/{id}/${operation}",
    "/{type}/{id}/_history/{version}/${operation}",
)
"""Paths below the base; the first stands before the read of a resource, whose id it would pass for."""


async def operate(request: Request) -> Response:
    """Answer with the operation that the address names; a refusal is given inside the hospital, like all others."""
    path = request.path_params
    resource_type: str | None = path.get("type")
    level: Level = "version" if "version" in path else "instance" if "id" in path else "type"
    level = level if resource_type is not None else "system"
    if resource_type is not None and resource_type not in resource_types():
        return await in_hospital(_no_type)(request)
    found = operation_at(path["operation"], level, resource_type)
    if found is None:
        return await in_hospital(_unknown)(request)
    if request.method not in found.methods:
        return await in_hospital(_wrong_method)(request)
    opened = in_hospital_with_body if request.method == "POST" and found.whole_body else in_hospital
    return await opened(found.endpoint)(request)


def operation_at(name: str, level: Level, resource_type: str | None) -> Operation | None:
    """The operation of this name (without the dollar) at this level and type."""
    fitting = (each for each in OPERATIONS if each.name == name and each.stands_at(level, resource_type))
    return next(fitting, None)


def operations_of(resource_type: str | None) -> list[Operation]:
    """Those that a CapabilityStatement lists at a type, or at the system (None)."""
    if resource_type is None:
        return [each for each in OPERATIONS if "system" in each.levels]
    levels: tuple[Level, ...] = ("type", "instance", "version")
    return [each for each in OPERATIONS if any(each.stands_at(level, resource_type) for level in levels)]


async def _no_type(request: Request, work: UnitOfWork) -> Response:
    del request, work
    raise NotFound("type-unknown", "There is no resource type of this name in R4.")


async def _unknown(request: Request, work: UnitOfWork) -> Response:
    del work
    name = request.path_params["operation"][:64]
    raise Malformed("operation-unknown", f"There is no operation ${name} here; see metadata.", location=f"${name}")


async def _wrong_method(request: Request, work: UnitOfWork) -> Response:
    del work
    name = request.path_params["operation"][:64]
    raise Malformed("operation-method", f"${name} is not called by {request.method}.", location=f"${name}")
