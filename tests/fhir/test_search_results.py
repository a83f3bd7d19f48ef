"""Order, pages, totals and parts of what is found (FHIR R4, search.html#return)."""

from collections.abc import Iterator

import httpx
import pytest

from tests.fhir.samples import Json, found, identifier, ids, made, mark, observation, patient, refusal
from tests.house import House


@pytest.fixture(scope="module")
def reader(live: House) -> Iterator[httpx.Client]:
    with live.client() as client:
        yield client


@pytest.fixture(scope="module")
def crowd(reader: httpx.Client) -> tuple[str, dict[str, str]]:
    """Names to ids of people with one mark: `b1 1990`, `a1 1990`, `a2 1980`, `none` without a birth date."""
    one = mark()
    known = {}
    for family, birth in (("b1", "1990"), ("a1", "1990"), ("a2", "1980"), ("none", None)):
        more = {"birthDate": birth} if birth else {}
        known[family] = made(reader, patient(name=[{"family": family, "given": [one]}], **more))["id"]
    return one, known


@pytest.fixture(scope="module")
def person(reader: httpx.Client) -> str:
    div = '<div xmlns="http://www.w3.org/1999/xhtml">An</div>'
    contact = [{"name": {"family": "Mẹ"}}]
    parts: Json = {"text": {"status": "generated", "div": div}, "contact": contact, "_birthDate": {"id": "b"}}
    return str(made(reader, patient(birthDate="1980-01-01", photo=[{"url": "http://x.example"}], **parts))["id"])


def names(reader: httpx.Client, crowd: tuple[str, dict[str, str]], sort: str) -> list[str]:
    back = {key: name for name, key in crowd[1].items()}
    return [back[key] for key in found(reader, f"Patient?given={crowd[0]}&_sort={sort}")]


class TestOrder:
    """search.html#sort."""

    @pytest.mark.parametrize(
        ("sort", "expected"),
        [
            ("family", ["a1", "a2", "b1", "none"]),
            ("-family", ["none", "b1", "a2", "a1"]),
            ("birthdate,family", ["a2", "a1", "b1", "none"]),
            ("-birthdate,family", ["a1", "b1", "a2", "none"]),
            ("birthdate,-family", ["a2", "b1", "a1", "none"]),
            ("-birthdate,-_lastUpdated", ["a1", "b1", "a2", "none"]),
            ("_lastUpdated", ["b1", "a1", "a2", "none"]),
            ("_id", ["b1", "a1", "a2", "none"]),
        ],
    )
    def test_by_several_keys_with_nothing_last(
        self, reader: httpx.Client, crowd: tuple[str, dict[str, str]], sort: str, expected: list[str]
    ) -> None:
        assert names(reader, crowd, sort) == expected

    def test_by_numbers(self, reader: httpx.Client) -> None:
        person = made(reader, patient())["id"]
        known = [
            made(reader, observation(person, valueQuantity={"value": number, "unit": "x"}))["id"]
            for number in (10, 9, -1.5)
        ]
        none = made(reader, observation(person))["id"]
        asked = f"Observation?patient={person}&_sort="
        assert found(reader, f"{asked}value-quantity") == [*reversed(known), none]
        assert found(reader, f"{asked}-value-quantity") == [*known, none]


class TestPages:
    """search.html#paging."""

    @pytest.mark.parametrize("sort", ["birthdate,family", "-birthdate,family", "family", "-_id", "_lastUpdated", ""])
    def test_go_through_everything_once(
        self, reader: httpx.Client, crowd: tuple[str, dict[str, str]], sort: str
    ) -> None:
        asked = f"/Patient?given={crowd[0]}&_count=1" + (f"&_sort={sort}" if sort else "")
        whole = found(reader, asked.replace("_count=1", "_count=10").lstrip("/"))
        assert walked(reader, asked) == whole

    def test_by_numbers_too(self, reader: httpx.Client) -> None:
        person = made(reader, patient())["id"]
        known = [
            made(reader, observation(person, **({"valueQuantity": {"value": n, "unit": "x"}} if n else {})))["id"]
            for n in (1.5, 1.5, 3, None, None)
        ]
        assert walked(reader, f"/Observation?patient={person}&_count=2&_sort=value-quantity") == known
        asked = f"/Observation?patient={person}&_count=2&_sort=-value-quantity,_lastUpdated"
        assert walked(reader, asked) == [known[2], known[0], known[1], known[3], known[4]]

    def test_what_is_added_meanwhile_moves_nothing(self, reader: httpx.Client) -> None:
        one = mark()

        def add(birth: str) -> str:
            return str(made(reader, patient(name=[{"family": one}], birthDate=birth))["id"])

        known = [add(birth) for birth in ("1990-01-01", "1991", "1992-05", "1993")]
        answer = reader.get(f"/Patient?family={one}&_sort=birthdate,-_lastUpdated&_count=2").json()
        first = ids(answer)
        add("1980"), add("1990-01-01")
        late = add("1992-05")
        rest = walked(reader, link(answer, "next"))
        assert [*first, *rest] == [known[0], known[1], late, known[2], known[3]]

    def test_a_link_of_another_search_or_with_more_is_refused(self, reader: httpx.Client, live: House) -> None:
        answer = reader.get("/Patient?_count=1").json()
        address = link(answer, "next")
        assert refusal(reader.get(address.replace("/Patient?", "/Observation?")))[:2] == (400, "cursor-not-ours")
        assert refusal(reader.get(address + "&gender=male"))[:2] == (400, "cursor-alone")
        assert refusal(reader.get(f"{address}&_cursor=x"))[:2] == (400, "cursor-alone")
        assert refusal(reader.get(address.replace("/Patient?", "?")))[:2] == (400, "cursor-not-ours")

    def test_a_link_says_the_size_of_its_page_which_may_be_changed(self, reader: httpx.Client) -> None:
        one = mark()
        for _ in range(5):
            made(reader, patient(name=[{"family": one}]))
        address = link(reader.get(f"/Patient?family={one}&_count=1").json(), "next")
        assert address.endswith("&_count=1")
        answer = reader.get(address.removesuffix("1") + "3").json()
        assert len(ids(answer)) == 3
        assert link(answer, "self").endswith(f"family={one}&_count=3")
        assert len(walked(reader, link(answer, "next"))) == 1
        assert refusal(reader.get(f"{address}&_count=2"))[0] == 400

    def test_several_codes_are_one_list(self, reader: httpx.Client) -> None:
        one = mark()
        codes = [{"coding": [{"system": f"urn:{one}", "code": code}]} for code in "abc"]
        both = {"coding": [*codes[0]["coding"], *codes[1]["coding"]]}
        known = [made(reader, observation("x", subject={"display": "x"}, code=code))["id"] for code in [*codes, both]]
        asked = f"/Observation?code=urn:{one}|a,urn:{one}|b,urn:{one}|c,none&_count=1"
        assert walked(reader, asked) == known[::-1]


class TestTotals:
    """search.html#total."""

    def test_are_told_when_asked(self, reader: httpx.Client, crowd: tuple[str, dict[str, str]]) -> None:
        asked = f"/Patient?given={crowd[0]}&gender=male&_count=2"
        assert "total" not in reader.get(asked).json()
        for way in ("accurate", "estimate"):
            assert reader.get(f"{asked}&_total={way}").json()["total"] == 4
        assert "total" not in reader.get(f"{asked}&_total=none").json()

    @pytest.mark.parametrize(
        ("criteria", "total"),
        [
            ("given={}", 4),
            ("given={}&family=a", 2),
            ("given={}&birthdate=ge1985", 2),
            ("given={}&birthdate:missing=true", 1),
            ("given={}&gender:not=male", 0),
            ("given={},nobody&gender=male,female", 4),
            ("given=nobody&gender=male", 0),
        ],
    )
    def test_alone(self, reader: httpx.Client, crowd: tuple[str, dict[str, str]], criteria: str, total: int) -> None:
        asked = f"/Patient?{criteria.format(crowd[0])}"
        for count in ("_summary=count", "_count=0"):
            answer = reader.get(f"{asked}&{count}").json()
            assert (answer["total"], "entry" in answer) == (total, False)

    def test_criteria_beside_an_identifier_count_too(self, reader: httpx.Client) -> None:
        one = mark()
        for code in ("100000", "700000"):
            made(reader, patient(identifier=identifier(one, f"urn:{one}"), address=[{"postalCode": code}]))
        asked = f"/Patient?identifier=urn:{one}|{one}&address-postalcode:exact"
        totals = [reader.get(f"{asked}={code}&_summary=count").json()["total"] for code in ("100000", "700000", "1")]
        assert totals == [1, 1, 0]

    def test_criteria_beside_a_quantity_count_too(self, reader: httpx.Client) -> None:
        one = mark()
        amount = {"value": 5, "unit": one}
        for status in ("final", "amended", "amended"):
            made(reader, observation("x", subject={"display": "x"}, status=status, valueQuantity=amount))
        asked = f"/Observation?value-quantity=5||{one}&status"
        totals = [
            reader.get(f"{asked}={each}&_summary=count").json()["total"]
            for each in ("final", "amended", "entered-in-error")
        ]
        assert totals == [1, 2, 0]

    def test_of_one_code_count_each_resource_once(self, reader: httpx.Client) -> None:
        one = mark()
        twice = {"coding": [{"system": f"urn:{one}:1", "code": one}, {"system": f"urn:{one}:2", "code": one}]}
        for _ in range(3):
            made(reader, observation("x", subject={"display": "x"}, code=twice))
        for asked in (f"code={one}", f"code=urn:{one}:1|{one},urn:{one}:2|{one}", f"code=urn:{one}:1|"):
            assert reader.get(f"/Observation?{asked}&_summary=count").json()["total"] == 3


class TestParts:
    """search.html#summary, search.html#elements."""

    def one(self, reader: httpx.Client, person: str, asked: str) -> Json:
        answer = reader.get(f"/Patient?_id={person}&{asked}").json()
        part: Json = answer["entry"][0]["resource"]
        assert any(tag["code"] == "SUBSETTED" for tag in part["meta"]["tag"])
        assert part["meta"]["versionId"] == "1"
        return part

    def test_summary(self, reader: httpx.Client, person: str) -> None:
        part = self.one(reader, person, "_summary=true")
        assert part.keys() == {"resourceType", "id", "meta", "name", "gender", "birthDate", "_birthDate"}

    def test_text_alone_and_all_but_text(self, reader: httpx.Client, person: str) -> None:
        assert self.one(reader, person, "_summary=text").keys() == {"resourceType", "id", "meta", "text"}
        part = self.one(reader, person, "_summary=data")
        assert "text" not in part
        assert {"photo", "contact", "name"} <= part.keys()

    def test_elements_with_what_must_be_there(self, reader: httpx.Client, person: str) -> None:
        part = self.one(reader, person, "_elements=birthDate,name")
        assert part.keys() == {"resourceType", "id", "meta", "birthDate", "_birthDate", "name"}
        reading = made(reader, observation(person, valueString="x", interpretation=[{"text": "y"}]))["id"]
        answer = reader.get(f"/Observation?_id={reading}&_elements=value&_include=Observation:subject").json()
        shown, beside = (entry["resource"] for entry in answer["entry"])
        assert shown.keys() == {"resourceType", "id", "meta", "status", "code", "valueString"}
        assert "photo" in beside

    def test_the_type_may_be_named_among_elements(self, reader: httpx.Client, person: str) -> None:
        """It is always there; clients that think in JSON name it all the same."""
        assert set(self.one(reader, person, "_elements=resourceType,name")) == {"resourceType", "id", "meta", "name"}

    def test_a_summary_of_nested_elements(self, reader: httpx.Client) -> None:
        resource = {"resourceType": "ConceptMap", "status": "draft", "name": "x", "description": "z"}
        made_one = made(reader, resource | {"group": [{"source": "urn:s", "element": [{"code": "a"}]}]})
        part = reader.get(f"/ConceptMap?_id={made_one['id']}&_summary=true").json()["entry"][0]["resource"]
        assert "group" not in part
        assert part["name"] == "x"

    def test_false_is_the_whole(self, reader: httpx.Client, person: str) -> None:
        part = reader.get(f"/Patient?_id={person}&_summary=false").json()["entry"][0]["resource"]
        assert "tag" not in part["meta"]


class TestLenient:
    """search.html#errors, `Prefer: handling=lenient`."""

    def test_says_what_it_left_out(self, reader: httpx.Client, crowd: tuple[str, dict[str, str]]) -> None:
        asked = f"/Patient?given={crowd[0]}&foo=1&family=a1"
        assert refusal(reader.get(asked)) == (400, "search-parameter-unknown", "foo")
        answer = reader.get(asked, headers={"Prefer": "handling=lenient"}).json()
        assert ids(answer) == [crowd[1]["a1"]]
        said = answer["entry"][-1]
        assert said["search"]["mode"] == "outcome"
        assert said["resource"]["issue"][0]["expression"] == ["foo"]
        assert "foo" not in link(answer, "self")

    def test_strict_is_the_default(self, reader: httpx.Client) -> None:
        answer = reader.get("/Patient?foo=1", headers={"Prefer": "handling=strict"})
        assert refusal(answer)[0] == 400

    def test_a_modifier_is_refused_all_the_same(self, reader: httpx.Client) -> None:
        answer = reader.get("/Patient?name:foo=1", headers={"Prefer": "handling=lenient"})
        assert refusal(answer)[:2] == (400, "search-modifier")


def link(answer: Json, relation: str) -> str:
    return next(str(each["url"]) for each in answer["link"] if each["relation"] == relation)


def walked(reader: httpx.Client, address: str) -> list[str]:
    """The ids of all pages from an address on, in their order."""
    found_ids: list[str] = []
    while address:
        answer = reader.get(address).raise_for_status().json()
        found_ids += ids(answer)
        address = next((each["url"] for each in answer["link"] if each["relation"] == "next"), "")
    return found_ids
