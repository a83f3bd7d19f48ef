"""Addresses of what is kept, and the UIDs in them."""

from collections.abc import Iterable

from emr.imaging.errors import InstanceNotFound
from emr.imaging.facts import is_uid
from emr.imaging.keywords import tag_of
from emr.imaging.matching import Matching
from emr.web.paths import home_of
from emr.work.unit import UnitOfWork


def base_of(work: UnitOfWork) -> str:
    """The address of the hospital's DICOMweb service, without a slash at its end."""
    return f"{work.runtime.settings.http.base_url.rstrip('/')}{home_of(work.tenant)}/dicomweb"


def checked_uids(*uids: str) -> None:
    """What is no UID names nothing: the same answer as for a UID that nobody has kept. Raises InstanceNotFound."""
    if not all(is_uid(uid) for uid in uids):
        raise InstanceNotFound("not-found", "There is no such study, series or instance here.")


def one_study(study: str) -> Matching:
    checked_uids(study)
    return Matching(studies=(study,))


def one_series(study: str, series: str) -> Matching:
    checked_uids(study, series)
    return Matching(studies=(study,), series=(series,))


def one_instance(study: str, series: str, instance: str) -> Matching:
    checked_uids(study, series, instance)
    return Matching(studies=(study,), series=(series,), instances=(instance,))


def tags_of(fields: Iterable[str]) -> list[str]:
    """Attribute tags, eight hexadecimal digits, from tags and keywords; unknown keywords are left out."""
    found = []
    for name in fields:
        tag = tag_of(name)
        found.append(name.upper() if tag is None else f"{tag:08X}")
    return found
