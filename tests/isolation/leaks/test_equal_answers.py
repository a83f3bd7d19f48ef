"""Within one hospital: for what a member is not shown, every route answers as for an id that never was.

What is asked is made from the table of routes, pages, files, images and FHIR alike: a new route is asked without being
listed. Search parameters and operations: `tests/isolation/test_sight.py`; another hospital's ids: `test_routes.py`.
"""

from collections.abc import Iterator

import pytest

from tests.fhir.samples import mark
from tests.house import House, served
from tests.isolation.conftest import Planted
from tests.isolation.leaks.hospitals import Hospitals
from tests.isolation.leaks.planting import plant
from tests.isolation.test_routes import NAMED, NOT_PLANTED, ask, filled, ids_of, kind_of, nobodys, told

SLUG, NURSE = "binh-minh", "nurse"


@pytest.fixture(scope="module")
def strict(lived_in: Hospitals) -> Iterator[House]:
    lived_in.house.sql("UPDATE directory.memberships SET practitioner = %s WHERE role = 'nurse'", NURSE)
    with served(lived_in.house) as live:
        yield live


@pytest.fixture(scope="module")
def hidden(strict: House) -> Planted:
    """Somebody whom the nurse treats, and not the doctor."""
    return plant(strict, SLUG, f"canary{mark()}", NURSE)


class TestWhatIsHidden:
    def test_is_there_for_who_may_see_it(self, strict: House, hidden: Planted) -> None:
        """Without this the answers below could be the same because the addresses are wrong for everybody."""
        ids, shown = ids_of(hidden), set[str]()
        for role in ("nurse", "archivist", "imaging", "privacy"):
            with strict.client(role, SLUG) as client:
                shown |= {
                    path
                    for method, path in NAMED
                    if method == "GET" and ask(client, strict, method, filled(path, SLUG, ids)).status_code == 200
                }
        assert {path for method, path in NAMED if method == "GET"} - shown <= NOT_PLANTED

    @pytest.mark.parametrize("kind", ["fhir", "page", "dicomweb"])
    def test_is_answered_as_a_random_id_is(self, strict: House, hidden: Planted, kind: str) -> None:
        theirs, random = ids_of(hidden), nobodys(hidden)
        before = strict.counts(SLUG), strict.objects(SLUG)
        different = []
        with strict.client("doctor", SLUG) as client:
            for method, path in [each for each in NAMED if kind_of(each[1]) == kind]:
                first = ask(client, strict, method, filled(path, SLUG, theirs))
                second = ask(client, strict, method, filled(path, SLUG, random))
                assert hidden.canary not in first.text
                assert first.status_code < 500
                if told(first, *theirs.values()) != told(second, *random.values()):
                    different.append((method, path, first.status_code, second.status_code))
        assert different == []
        assert (strict.counts(SLUG), strict.objects(SLUG)) == before
