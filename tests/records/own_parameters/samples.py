"""SearchParameters of a hospital's own, patients that they find, and a hospital where they come and go."""

from typing import Any

import pytest

from emr.kernel.errors import Invalid
from emr.records.own_pass import advance_own
from emr.records.reindexing import Progress
from emr.records.search.find import search
from tests.fhir.samples import patient
from tests.records.wards import Ward

ETHNICITY = "https://hoasen.example/fhir/dan-toc"
WARD = "https://hoasen.example/fhir/khoa"


def own(code: str = "ethnicity", **values: Any) -> dict[str, Any]:
    """A SearchParameter over an extension of Patient."""
    return {
        "resourceType": "SearchParameter",
        "id": code,
        "url": f"https://hoasen.example/fhir/SearchParameter/{code}",
        "name": code,
        "status": "active",
        "description": "của bệnh viện",
        "code": code,
        "base": ["Patient"],
        "type": "token",
        "expression": f"Patient.extension('{ETHNICITY}').value",
    } | values


def of(code: str, **values: Any) -> dict[str, Any]:
    """A Patient of an ethnicity."""
    return patient(extension=[{"url": ETHNICITY, "valueCoding": {"system": "urn:dt", "code": code}}], **values)


class OwnWard(Ward):
    """A hospital with search parameters of its own."""

    async def refused(self, resource: dict[str, Any]) -> list[tuple[str, str | None]]:
        with pytest.raises(Invalid) as caught:
            await self.put(resource)
        return [(issue.code, issue.location) for issue in caught.value.issues]

    async def passed(self, most: int = 100) -> Progress:
        while True:
            async with self.work() as work:
                progress = await advance_own(work, most)
            if progress.complete:
                return progress

    async def found(self, query: str, kind: str = "Patient") -> set[str]:
        pairs = [tuple(each.split("=", 1)) for each in query.split("&")]
        async with self.work() as work:
            page = await search(work, kind, pairs)  # type: ignore[arg-type]
        return {each.id for each in (*page.matches, *page.included)}
