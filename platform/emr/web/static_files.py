"""The built browser code over HTTP: names hold a digest, so a browser asks once in its life for each build."""

from fastapi import APIRouter, Request, Response

from emr.web.assets import Assets

router = APIRouter(include_in_schema=False)


@router.get("/static/{name}")
async def static_file(request: Request, name: str) -> Response:
    """One file of the build."""
    assets: Assets = request.app.state.assets
    asset = assets.get(name)
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
        "Vary": "Accept-Encoding",
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.gzipped, media_type=asset.media_type, headers=headers | {"Content-Encoding": "gzip"})
    return Response(asset.plain, media_type=asset.media_type, headers=headers)
