"""The routes of `/h/{slug}/fhir`."""

from fastapi import APIRouter

from emr.fhir import bundle_post, capability, search, single

router = APIRouter(prefix="/h/{slug}/fhir", include_in_schema=False)

router.add_api_route("/metadata", capability.metadata, methods=["GET"], response_model=None)
router.add_api_route("", bundle_post.post_bundle, methods=["POST"], response_model=None)
router.add_api_route("/", bundle_post.post_bundle, methods=["POST"], response_model=None)
router.add_api_route("/{type}/_search", search.search_type_by_post, methods=["POST"], response_model=None)
router.add_api_route("/{type}/{id}/_history/{version}", single.vread, methods=["GET"], response_model=None)
router.add_api_route("/{type}/{id}/_history", single.history, methods=["GET"], response_model=None)
router.add_api_route("/{type}/{id}", single.read, methods=["GET"], response_model=None)
router.add_api_route("/{type}/{id}", single.update, methods=["PUT"], response_model=None)
router.add_api_route("/{type}/{id}", single.delete, methods=["DELETE"], response_model=None)
router.add_api_route("/{type}", search.search_type, methods=["GET"], response_model=None)
router.add_api_route("/{type}", single.create, methods=["POST"], response_model=None)
router.add_api_route(
    "/{rest:path}", single.unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"], response_model=None
)
