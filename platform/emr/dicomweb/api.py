"""All DICOMweb routes of a hospital."""

from fastapi import APIRouter

from emr.dicomweb import qido, rendered, stow, wado

router = APIRouter(prefix="/h/{slug}/dicomweb")
for _part in (qido, stow, rendered, wado):
    router.include_router(_part.router)
