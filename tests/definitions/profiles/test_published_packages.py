"""Published packages, where a folder of them is given: every profile compiles, and what it cannot check is few."""

import os
from pathlib import Path

from emr.definitions.profiles.library import Library
from emr.definitions.profiles.package import read_package
from emr.definitions.validate import validate

FOLDER = os.environ.get("EMR_TEST_PACKAGES")
"""A folder with `.tgz` files, such as `npm pack hl7.fhir.uv.ips` leaves; none is part of this repository."""


class TestPublished:
    def test_every_profile_compiles(self) -> None:
        for path in sorted(Path(FOLDER or "").glob("hl7.fhir.*.tgz")):
            package = read_package(path.read_bytes())
            for each in package.resources:
                each.pop("text", None)
                assert [issue for issue in validate(each) if issue.code != "invariant"] == [], each["url"]
            library = Library(each for each in package.resources if each["resourceType"] == "StructureDefinition")
            assert library.urls()
            unchecked = [said for url in library.urls() for said in library.unchecked(url)]
            assert len(unchecked) <= len(library.urls()), unchecked
