"""Pages of a search, to the end, in every order, while others write."""

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.fhir.samples import all_pages, flat, made, mark, next_link, patient, refusal
from tests.house import House

BIRTHS = ("1990-01-01", "1970-05-05", None, "1980", None, "2001-02", None)
FAMILIES = ("Bùi", "an", "Đỗ", "Cao", "Ân", "bui", "Vũ")


@pytest.fixture(scope="module")
def reader(live: House) -> Iterator[httpx.Client]:
    with live.client() as client:
        yield client


@pytest.fixture(scope="module")
def ward(reader: httpx.Client) -> tuple[str, list[str]]:
    one = mark()
    made_here = [
        made(
            reader,
            patient(name=[{"family": family, "given": [one]}]) | ({"birthDate": birth} if birth else {}),
        )["id"]
        for family, birth in zip(FAMILIES, BIRTHS, strict=True)
    ]
    return one, made_here


class TestOrder:
    @pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
    @pytest.mark.parametrize(
        "sort", ["", "_lastUpdated", "-_lastUpdated", "_id", "-_id", "birthdate", "-birthdate", "family", "-family"]
    )
    def test_every_order_shows_each_once(
        self, reader: httpx.Client, ward: tuple[str, list[str]], sort: str, size: int
    ) -> None:
        asked = f"Patient?given={ward[0]}&_count={size}" + (f"&_sort={sort}" if sort else "")
        pages = all_pages(reader, asked)
        assert sorted(flat(pages)) == sorted(ward[1])
        assert [len(page) for page in pages[:-1]] == [size] * (len(pages) - 1)

    def test_newest_first_unless_told_otherwise(self, reader: httpx.Client, ward: tuple[str, list[str]]) -> None:
        asked = f"Patient?given={ward[0]}"
        assert flat(all_pages(reader, asked)) == ward[1][::-1]
        assert flat(all_pages(reader, f"{asked}&_sort=_lastUpdated")) == ward[1]

    def test_ids_in_both_directions(self, reader: httpx.Client, ward: tuple[str, list[str]]) -> None:
        asked = f"Patient?given={ward[0]}&_count=2&_sort="
        assert flat(all_pages(reader, f"{asked}_id")) == sorted(ward[1])
        assert flat(all_pages(reader, f"{asked}-_id")) == sorted(ward[1], reverse=True)

    def test_dates_with_those_without_one_at_the_end(self, reader: httpx.Client, ward: tuple[str, list[str]]) -> None:
        asked = f"Patient?given={ward[0]}&_count=2&_sort="
        up, down = (flat(all_pages(reader, f"{asked}{sort}")) for sort in ("birthdate", "-birthdate"))
        dated = [ward[1][number] for number in (1, 3, 0, 5)]
        assert up[:4] == dated
        assert down[:4] == dated[::-1]
        assert set(up[4:]) == set(down[4:]) == {ward[1][number] for number in (2, 4, 6)}

    def test_names_without_accents(self, reader: httpx.Client, ward: tuple[str, list[str]]) -> None:
        order = flat(all_pages(reader, f"Patient?given={ward[0]}&_sort=family&_count=3"))
        assert [FAMILIES[ward[1].index(each)] for each in order] == ["an", "Ân", "Bùi", "bui", "Cao", "Đỗ", "Vũ"]

    def test_a_count_over_the_limit_is_the_limit(self, reader: httpx.Client, ward: tuple[str, list[str]]) -> None:
        assert len(flat(all_pages(reader, f"Patient?given={ward[0]}&_count=999999"))) == len(ward[1])


class TestWhileOthersWrite:
    @pytest.mark.parametrize("sort", ["-_lastUpdated", "_lastUpdated", "_id"])
    def test_no_gap_and_nothing_twice(self, reader: httpx.Client, sort: str) -> None:
        one = mark()
        before = [made(reader, patient(name=[{"family": one}]))["id"] for _ in range(6)]
        shown: list[str] = []
        address: str | None = f"/Patient?family={one}&_count=2&_sort={sort}"
        while address is not None and len(shown) < 60:
            answer = reader.get(address).json()
            shown += [each["resource"]["id"] for each in answer["entry"]]
            address = next_link(answer)
            if len(shown) < 12:
                made(reader, patient(name=[{"family": one}]))
        assert len(shown) == len(set(shown))
        assert set(before) <= set(shown)

    def test_what_was_deleted_meanwhile_is_not_shown(self, reader: httpx.Client) -> None:
        one = mark()
        people = [made(reader, patient(name=[{"family": one}]))["id"] for _ in range(4)]
        first = reader.get(f"/Patient?family={one}&_count=2&_sort=_lastUpdated").json()
        assert reader.delete(f"/Patient/{people[3]}").status_code == 204
        rest = reader.get(str(next_link(first))).json()
        assert [each["resource"]["id"] for each in rest["entry"]] == [people[2]]
        assert next_link(rest) is None


class TestLinks:
    def test_tell_nothing_of_what_was_asked(self, reader: httpx.Client, ward: tuple[str, list[str]]) -> None:
        link = str(next_link(reader.get(f"/Patient?given={ward[0]}&_count=1").json()))
        assert ward[0] not in link
        assert [part.split("=")[0] for part in link.split("?")[1].split("&")] == ["_cursor", "_count"]

    def test_hold_for_one_hospital_and_one_type(
        self, live: House, reader: httpx.Client, ward: tuple[str, list[str]]
    ) -> None:
        query = str(next_link(reader.get(f"/Patient?given={ward[0]}&_count=1").json())).split("?")[1]
        assert reader.get(f"/Patient?{query}").status_code == 200
        assert refusal(reader.get(f"/Observation?{query}"))[:2] == (400, "cursor-not-ours")
        with live.client(slug="cau-vong") as neighbour:
            assert refusal(neighbour.get(f"/Patient?{query}"))[:2] == (400, "cursor-not-ours")

    @pytest.mark.parametrize("text", ["", "abc", "eyJ0ZW5hbnQiOiJob3NwaXRhbC1iIn0", "ééé", "%00", "A" * 5000])
    def test_made_by_others_are_refused(self, reader: httpx.Client, text: str) -> None:
        assert reader.get(f"/Patient?_cursor={text}").status_code == 400

    def test_take_nothing_beside_them(self, reader: httpx.Client, ward: tuple[str, list[str]]) -> None:
        link = str(next_link(reader.get(f"/Patient?given={ward[0]}&_count=1").json()))
        assert refusal(reader.get(f"{link}&gender=male"))[:2] == (400, "cursor-alone")


class TestZones:
    def test_where_the_service_stands_does_not_matter(
        self, reader: httpx.Client, ward: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TZ", "Asia/Ho_Chi_Minh")
        time.tzset()
        try:
            for sort in ("birthdate", "-birthdate"):
                pages = all_pages(reader, f"Patient?given={ward[0]}&_count=1&_sort={sort}")
                assert sorted(flat(pages)) == sorted(ward[1])
        finally:
            monkeypatch.undo()
            time.tzset()
