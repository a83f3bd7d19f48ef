"""The routes of `/h/{slug}/fhir`: plain ones, since nothing but the request and its unit of work is needed."""

from typing import Final

from fastapi import APIRouter

from emr.fhir import (
    bulk_export,
    bulk_import,
    bundle_post,
    capability,
    conditional,
    history,
    operations,
    patching,
    search,
    single,
)
from emr.web.work import Endpoint, in_hospital, in_hospital_to_read, in_hospital_with_body

ROUTES: Final[tuple[tuple[str, str, Endpoint], ...]] = (
    ("GET", "/$export/{id}", bulk_export.JOBS.status),
    ("DELETE", "/$export/{id}", bulk_export.JOBS.cancel),
    ("GET", "/$export/{id}/{number}", bulk_export.JOBS.download),
    ("GET", "/$import/{id}", bulk_import.JOBS.status),
    ("DELETE", "/$import/{id}", bulk_import.JOBS.cancel),
    ("GET", "/$import/{id}/{number}", bulk_import.JOBS.download),
    ("GET", "/{type}/_history", history.of_type),
    ("GET", "/_history", history.of_system),
    ("GET", "/{type}/{id}", single.read),
    ("GET", "/{type}", search.search_type),
    ("PUT", "/{type}/{id}", single.update),
    ("POST", "/_search", search.search_all_by_post),
    ("POST", "/{type}", single.create),
    ("POST", "/{type}/_search", search.search_type_by_post),
    ("DELETE", "/{type}/{id}", single.delete),
    ("PUT", "/{type}", conditional.update),
    ("DELETE", "/{type}", conditional.delete),
    ("PATCH", "/{type}/{id}", patching.patch),
    ("PATCH", "/{type}", patching.patch_where),
    ("GET", "/{type}/{id}/_history", history.of_instance),
    ("GET", "/{type}/{id}/_history/{version}", single.vread),
    ("GET", "", search.search_all),
    ("GET", "/", search.search_all),
    ("GET", "/{type}/{id}/{member}", search.search_member),
    ("POST", "/{type}/{id}/{member}/_search", search.search_member_by_post),
)
"""Method, path below the base, endpoint; what is asked most often stands first."""

_READING: Final = frozenset(
    {
        *(single.read, single.vread, search.search_type, search.search_all, search.search_member),
        *(history.of_instance, history.of_type, history.of_system),
    }
)
"""What does nothing but read."""

_bundles: Final = bundle_post.taking_bundles(each for each in ROUTES if "$" not in each[1])

_NO_IDS: Final = ("/{type}/_history", "/{type}/${operation}")

before_ids = APIRouter(prefix="/h/{slug}/fhir", include_in_schema=False)
"""Addresses whose end would pass for an id: they stand before whatever answers reads of one type in its own way."""
router = APIRouter(prefix="/h/{slug}/fhir", include_in_schema=False)
router.add_route("/h/{slug}/fhir/metadata", capability.metadata, methods=["GET"], include_in_schema=False)
for path, file_endpoint in (("/$import", bulk_import.begin), ("/$import/files", bulk_import.upload)):
    router.add_route(f"/h/{{slug}}/fhir{path}", file_endpoint, methods=["POST"], include_in_schema=False)
for path in operations.ROUTES:
    holder = before_ids if path in _NO_IDS else router
    holder.add_route(f"/h/{{slug}}/fhir{path}", operations.operate, methods=["GET", "POST"], include_in_schema=False)
for method, path, endpoint in (*ROUTES, ("POST", "", _bundles), ("POST", "/", _bundles)):
    reading = in_hospital_to_read if endpoint in _READING else in_hospital
    opened = in_hospital_with_body if method in ("POST", "PUT", "PATCH") else reading
    holder = before_ids if path in _NO_IDS else router
    holder.add_route(f"/h/{{slug}}/fhir{path}", opened(endpoint), methods=[method], include_in_schema=False)
router.add_route(
    "/h/{slug}/fhir/{rest:path}",
    in_hospital(single.unknown),
    methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
    include_in_schema=False,
)
