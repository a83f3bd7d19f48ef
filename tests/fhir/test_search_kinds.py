"""Each kind of search parameter with its modifiers and prefixes (FHIR R4, search.html#ptypes)."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from tests.fhir.samples import Json, found, made, mark, observation, patient, put, refusal
from tests.house import House

UCUM = "http://unitsofmeasure.org"


@dataclass
class World:
    """What the tests below look among. `mark` stands in every resource that they find; `ids` by short names."""

    mark: str
    client: httpx.Client
    ids: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, resource: Json) -> str:
        self.ids[name] = made(self.client, resource)["id"]
        return self.ids[name]

    def names(self, asked: str) -> list[str]:
        """The short names of what a search finds, sorted."""
        known = {key: name for name, key in self.ids.items()}
        return sorted(known[key] for key in found(self.client, asked))


@pytest.fixture(scope="module")
def reader(live: House) -> Iterator[httpx.Client]:
    with live.client() as client:
        yield client


def tagged(one: str, **more: object) -> Json:
    return {"meta": {"tag": [{"system": "urn:mark", "code": one}]}} | more


@pytest.fixture(scope="module")
def world(reader: httpx.Client) -> World:
    made_of = World(mark(), reader)
    people(made_of)
    readings(made_of)
    papers(made_of)
    return made_of


def people(world: World) -> None:
    card = {"coding": [{"system": "urn:kind", "code": "MR"}], "text": "Số hồ sơ bệnh án"}
    world.add(
        "an",
        patient(
            **tagged(world.mark),
            name=[{"family": "Nguyễn Thị", "given": ["An", "Ánh"], "text": "Bé Ánh"}],
            birthDate="1980-02-29",
            identifier=[{"system": "urn:card", "value": f"{world.mark}-7", "type": card}, {"value": "loose"}],
        ),
    )
    world.add(
        "binh",
        patient(
            **tagged(world.mark),
            name=[{"family": "van de Ven", "given": ["Bình"]}],
            gender="female",
            birthDate="1980-03",
            identifier=[{"system": "urn:other", "value": f"{world.mark}-7"}],
        ),
    )
    world.add("cuc", {"resourceType": "Patient", "name": [{"family": "Cúc"}]} | tagged(world.mark))


def readings(world: World) -> None:
    def add(name: str, number: str, code: str = "mass", **more: object) -> None:
        coded = {"coding": [{"system": f"urn:{world.mark}", "code": code, "display": "Khối lượng cơ thể"}]}
        parts = {"valueQuantity": {"value": float(number), "unit": "mg", "system": UCUM, "code": "mg"}} | more
        said = {key: each for key, each in parts.items() if each is not None}
        world.add(name, observation(world.ids["an"], **tagged(world.mark), code=coded, **said))

    add("five", "5.4")
    add("gram", "1", valueQuantity={"value": 0.0054, "unit": "g", "system": UCUM, "code": "g"})
    add("less", "1", valueQuantity={"value": 5, "comparator": "<", "unit": "mg", "system": UCUM, "code": "mg"})
    add("tablets", "1", valueQuantity={"value": 5.4, "unit": "viên"})
    add("hundred", "100")
    parts = [
        {"code": {"coding": [{"system": "urn:p", "code": code}]}, "valueQuantity": {"value": number, "unit": "mmHg"}}
        for code, number in (("sys", 150), ("dia", 80))
    ]
    add("pressure", "1", code="bp", valueQuantity=None, component=parts)


def papers(world: World) -> None:
    base = f"http://example.org/{world.mark}"
    for name, url in (("root", base), ("child", f"{base}/a"), ("deep", f"{base}/a/b"), ("near", f"{base}x")):
        world.add(name, {"resourceType": "ValueSet", "status": "draft", "url": url} | tagged(world.mark))
    for name, number in (("low", 0.1), ("mid", 0.25)):
        world.add(
            name,
            {
                "resourceType": "RiskAssessment",
                "status": "final",
                "subject": {"reference": f"Patient/{world.ids['an']}"},
                "prediction": [{"probabilityDecimal": number}],
            }
            | tagged(world.mark),
        )


class TestTokens:
    """search.html#token."""

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ("gender=male", ["an"]),
            ("gender=male,female", ["an", "binh"]),
            ("gender:not=male", ["binh", "cuc"]),
            ("gender:not=male,female", ["cuc"]),
            ("gender:missing=true", ["cuc"]),
            ("gender:missing=false", ["an", "binh"]),
            ("gender=http://hl7.org/fhir/administrative-gender|", ["an", "binh"]),
            ("gender:in=http://hl7.org/fhir/ValueSet/administrative-gender", ["an", "binh"]),
            ("gender:not-in=http://hl7.org/fhir/ValueSet/administrative-gender", ["cuc"]),
            ("identifier:of-type=urn:kind|MR|{mark}-7", ["an"]),
            ("identifier:of-type=urn:kind|MC|{mark}-7", []),
            ("identifier={mark}-7", ["an", "binh"]),
            ("identifier=urn:card|{mark}-7", ["an"]),
            ("identifier=urn:card|{mark}-7,urn:other|{mark}-7", ["an", "binh"]),
            ("identifier=|{mark}-7", []),
            ("identifier=|loose", ["an"]),
            ("identifier=urn:card|", ["an"]),
            ("identifier:not=urn:card|{mark}-7", ["binh", "cuc"]),
            ("identifier:missing=true", ["cuc"]),
            ("_id:not={an}", ["binh", "cuc"]),
            ("_id:missing=true", []),
            ("_lastUpdated:missing=false", ["an", "binh", "cuc"]),
            ("_tag:missing=true", []),
            ("_security:missing=true", ["an", "binh", "cuc"]),
        ],
    )
    def test_of_patients(self, world: World, asked: str, expected: list[str]) -> None:
        text = asked.format(mark=world.mark, **world.ids)
        assert world.names(f"Patient?_tag={world.mark}&{text}") == expected

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ("code=urn:{mark}|", ["five", "gram", "hundred", "less", "pressure", "tablets"]),
            ("code:text=khoi luong", ["five", "gram", "hundred", "less", "pressure", "tablets"]),
            ("code:text=LƯỢNG", ["five", "gram", "hundred", "less", "pressure", "tablets"]),
            ("code:text=luong nang", []),
            ("combo-code=urn:p|sys", ["pressure"]),
            ("combo-code=sys,mass", ["five", "gram", "hundred", "less", "pressure", "tablets"]),
            ("component-code:missing=false", ["pressure"]),
        ],
    )
    def test_of_observations(self, world: World, asked: str, expected: list[str]) -> None:
        assert world.names(f"Observation?_tag={world.mark}&{asked.format(mark=world.mark)}") == expected

    def test_a_code_of_several_systems_is_found_once_by_each_and_by_itself(self, world: World) -> None:
        one, both = f"one{world.mark}", [{"system": system, "code": world.mark} for system in ("urn:a", "urn:b")]
        world.add("both", observation(world.ids["an"], code={"coding": [*both, {"code": world.mark}]}))
        world.add(one, observation(world.ids["an"], code={"coding": [both[1]]}))
        code = f"Observation?code={world.mark}"
        assert world.names(code) == world.names(f"{code},x{world.mark}") == ["both", one]
        assert world.client.get(f"/{code}&_summary=count").json()["total"] == 2
        for asked, expected in (("urn:a|", ["both"]), ("urn:b|", ["both", one]), ("|", ["both"]), ("urn:c|", [])):
            named = f"Observation?code={asked}{world.mark}"
            assert world.names(named) == expected
            assert world.client.get(f"/{named}&_summary=count").json()["total"] == len(expected)
        assert world.names(f"Observation?code=urn:a|{world.mark},urn:c|{world.mark}") == ["both"]

    def test_the_text_of_an_identifier_that_has_no_value(self, world: World) -> None:
        card = [{"type": {"text": "Thẻ bảo hiểm"}}]
        world.add("lost", patient(identifier=card, name=[{"family": f"q{world.mark}"}]))
        assert world.names(f"Patient?name=q{world.mark}&identifier:text=bao hiem") == ["lost"]

    def test_a_value_set_that_nobody_knows_is_refused(self, world: World) -> None:
        answer = refusal(world.client.get("/Observation?code:in=urn:nowhere"))
        assert answer == (400, "value-set-unknown", "code:in")

    def test_what_stands_above_and_below_a_code(self, world: World) -> None:
        system = f"urn:tree:{world.mark}"
        concept = [{"code": "animal", "concept": [{"code": "dog", "concept": [{"code": "pug"}]}, {"code": "cat"}]}]
        parts = {"status": "active", "content": "complete", "hierarchyMeaning": "is-a", "concept": concept}
        made(world.client, {"resourceType": "CodeSystem", "url": system, "caseSensitive": True} | parts)
        for code in ("animal", "dog", "pug", "cat"):
            coded = {"coding": [{"system": system, "code": code}]}
            world.add(code, observation(world.ids["an"], code=coded))
        assert world.names(f"Observation?code:below={system}|dog") == ["dog", "pug"]
        assert world.names(f"Observation?code:above={system}|dog") == ["animal", "dog"]
        assert refusal(world.client.get("/Observation?code:below=urn:nowhere|a"))[0] == 400


class TestStrings:
    """search.html#string: from the beginning, without case and accents."""

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ("family=nguyen", ["an"]),
            ("family=NGUYỄN TH", ["an"]),
            ("family=thi", []),
            ("family:contains=thi", ["an"]),
            ("family:contains=E", ["an", "binh"]),
            ("family:contains=thi,cuc", ["an", "cuc"]),
            ("family:exact=Nguyễn Thị", ["an"]),
            ("family:exact=nguyễn thị", []),
            ("family:exact=Nguyễn Thị,Cúc", ["an", "cuc"]),
            ("name=be anh", ["an"]),
            ("name=an,binh", ["an", "binh"]),
            ("given=an&given=anh", ["an"]),
            ("given:missing=true", ["cuc"]),
            ("name:exact=Cúc", ["cuc"]),
        ],
    )
    def test_of_names(self, world: World, asked: str, expected: list[str]) -> None:
        assert world.names(f"Patient?_tag={world.mark}&{asked}") == expected


class TestDates:
    """search.html#date; the prefixes of search.html#prefix on days and months of birth."""

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ("1980", ["an", "binh"]), ("1980-02", ["an"]), ("1980-03", ["binh"]), ("1980-03-05", []),
            ("ne1980-02", ["binh"]), ("gt1980-02", ["binh"]), ("lt1980-03", ["an"]), ("ge1980-03", ["binh"]),
            ("le1980-02", ["an"]), ("sa1980-02-29", ["binh"]), ("eb1980-03-01", ["an"]), ("gt1980-03-05", ["binh"]),
            ("ap1980-03-05", ["an", "binh"]), ("1979,1980-02", ["an"]), ("lt1980-03,sa1980-02-29", ["an", "binh"]),
            ("gt1980-02,gt1990", ["binh"]),
        ],
    )  # fmt: skip
    def test_of_birth(self, world: World, asked: str, expected: list[str]) -> None:
        assert world.names(f"Patient?_tag={world.mark}&birthdate={asked}") == expected

    def test_two_of_one_parameter_must_both_fit(self, world: World) -> None:
        assert world.names(f"Patient?_tag={world.mark}&birthdate=ge1980-02-29&birthdate=lt1980-03-01") == ["an"]
        assert world.names(f"Patient?_tag={world.mark}&birthdate:missing=true") == ["cuc"]


class TestNumbers:
    """search.html#number."""

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ("0.1", ["low"]), ("0.3", ["mid"]), ("0.30", []), ("0.10", ["low"]), ("0.2", []), ("gt0.1", ["mid"]), ("ge0.1", ["low", "mid"]),
            ("lt0.25", ["low"]), ("le0.25", ["low", "mid"]), ("ne0.1", ["mid"]), ("sa0.1", ["mid"]),
            ("eb0.25", ["low"]), ("ap0.26", ["mid"]), ("0.1,0.25", ["low", "mid"]), ("lt0.2,gt0.2", ["low", "mid"]),
        ],
    )  # fmt: skip
    def test_of_risks(self, world: World, asked: str, expected: list[str]) -> None:
        assert world.names(f"RiskAssessment?_tag={world.mark}&probability={asked}") == expected


class TestQuantities:
    """search.html#quantity; units of UCUM are compared by what they mean."""

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ("5.4|http://unitsofmeasure.org|mg", ["five", "gram"]),
            ("0.0054|http://unitsofmeasure.org|g", ["five", "gram"]),
            ("5.4", ["five", "tablets"]),
            ("5.4||viên", ["tablets"]),
            ("5.4||mg", ["five", "gram"]),
            ("gt5|http://unitsofmeasure.org|mg", ["five", "gram", "hundred"]),
            ("lt5|http://unitsofmeasure.org|mg", ["less"]),
            ("100|http://unitsofmeasure.org|mg", ["hundred"]),
            ("99.6|http://unitsofmeasure.org|mg", []),
            ("ap95|http://unitsofmeasure.org|mg", ["hundred"]),
            ("ge0.1|http://unitsofmeasure.org|g", ["hundred"]),
            ("5.4|http://unitsofmeasure.org|mg,100|http://unitsofmeasure.org|mg", ["five", "gram", "hundred"]),
            ("5.4|http://unitsofmeasure.org|kg", []),
        ],
    )
    def test_of_observations(self, world: World, asked: str, expected: list[str]) -> None:
        assert world.names(f"Observation?_tag={world.mark}&value-quantity={asked}") == expected


class TestReferences:
    """search.html#reference."""

    def test_by_id_with_type_and_as_a_modifier(self, world: World, live: House) -> None:
        for value in ("{an}", "Patient/{an}", live.fhir() + "/Patient/{an}"):
            text = value.format(**world.ids)
            assert world.names(f"RiskAssessment?_tag={world.mark}&subject={text}") == ["low", "mid"]
        assert world.names(f"RiskAssessment?_tag={world.mark}&subject:Patient={world.ids['an']}") == ["low", "mid"]
        assert world.names(f"RiskAssessment?_tag={world.mark}&subject:Group={world.ids['an']}") == []
        assert world.names(f"RiskAssessment?_tag={world.mark}&patient=Group/{world.ids['an']}") == []

    def test_several_and_missing(self, world: World) -> None:
        both = f"{world.ids['an']},{world.ids['binh']},nobody"
        assert world.names(f"RiskAssessment?_tag={world.mark}&subject={both}") == ["low", "mid"]
        assert world.names(f"RiskAssessment?_tag={world.mark}&encounter:missing=true") == ["low", "mid"]

    def test_by_the_identifier_of_what_it_means(self, world: World) -> None:
        subject = {"identifier": {"system": "urn:card", "value": f"{world.mark}-9"}, "type": "Patient"}
        world.add("named", observation("x", subject=subject))
        assert world.names(f"Observation?subject:identifier=urn:card|{world.mark}-9") == ["named"]
        assert world.names(f"Observation?patient:identifier={world.mark}-9") == ["named"]
        assert world.names(f"Observation?subject:identifier=|{world.mark}-9") == []

    def test_to_somewhere_else(self, world: World) -> None:
        address = f"http://elsewhere.example/Patient/{world.mark}"
        world.add("far", observation("x", subject={"reference": address}))
        assert world.names(f"Observation?subject={address}") == ["far"]
        assert world.names(f"Observation?subject={address},{world.ids['cuc']}") == ["far"]


class TestUris:
    """search.html#uri."""

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ("url={base}", ["root"]),
            ("url={base}/", []),
            ("url:below={base}", ["child", "deep", "root"]),
            ("url:below={base}/a", ["child", "deep"]),
            ("url:above={base}/a/b", ["child", "deep", "root"]),
            ("url:above={base}/a/b/c", ["child", "deep", "root"]),
            ("url={base},{base}/a", ["child", "root"]),
            ("url:missing=true", []),
        ],
    )
    def test_of_value_sets(self, world: World, asked: str, expected: list[str]) -> None:
        text = asked.format(base=f"http://example.org/{world.mark}")
        assert world.names(f"ValueSet?_tag={world.mark}&{text}") == expected


class TestComposites:
    """search.html#combining: values that stand together."""

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ("component-code-value-quantity=urn:p|sys$gt140", ["pressure"]),
            ("component-code-value-quantity=urn:p|dia$gt140", []),
            ("component-code-value-quantity=dia$80||mmHg,sys$1", ["pressure"]),
            ("combo-code-value-quantity=sys$ge150", ["pressure"]),
            ("combo-code-value-quantity=mass$5.4|http://unitsofmeasure.org|mg", ["five", "gram"]),
            ("code-value-quantity=mass$100", ["hundred"]),
            ("code-value-quantity=bp$100", []),
            ("code-value-quantity=mass$100,mass$5.4||viên", ["hundred", "tablets"]),
        ],
    )
    def test_of_observations(self, world: World, asked: str, expected: list[str]) -> None:
        assert world.names(f"Observation?_tag={world.mark}&{asked}") == expected


class TestOfAllResources:
    """search.html#all."""

    def test_tags_security_profile_and_source(self, world: World) -> None:
        meta = {
            "tag": [{"system": "urn:t", "code": world.mark}],
            "security": [{"system": "urn:s", "code": f"{world.mark}-secret"}],
            "profile": [f"http://example.org/profile/{world.mark}"],
            "source": f"urn:source:{world.mark}",
        }
        world.add("labelled", {"resourceType": "Basic", "code": {"text": "x"}, "meta": meta})
        for asked in (
            f"_tag=urn:t|{world.mark}",
            f"_tag:not=other&_security={world.mark}-secret",
            f"_security=urn:s|{world.mark}-secret",
            f"_profile=http://example.org/profile/{world.mark}",
            f"_source=urn:source:{world.mark}",
            f"_tag=urn:t|{world.mark}&_profile:below=http://example.org/profile",
        ):
            assert world.names(f"Basic?{asked}") == ["labelled"], asked

    def test_when_it_was_changed(self, world: World) -> None:
        assert world.names(f"RiskAssessment?_tag={world.mark}&_lastUpdated=gt2020") == ["low", "mid"]
        assert world.names(f"RiskAssessment?_tag={world.mark}&_lastUpdated=lt2020,eb2020-05") == []

    def test_words_without_accents(self, world: World) -> None:
        div = f'<div xmlns="http://www.w3.org/1999/xhtml">Bệnh nhân {world.mark} đau đầu</div>'
        world.add("told", {"resourceType": "Basic", "text": {"status": "generated", "div": div}, "code": {"text": "y"}})
        world.add("noted", {"resourceType": "Basic", "code": {"text": f"{world.mark} đau lưng"}})
        assert world.names(f"Basic?_text={world.mark} dau") == ["told"]
        assert world.names(f"Basic?_content={world.mark} dau") == ["noted", "told"]
        assert world.names(f"Basic?_content=dau {world.mark} lung") == ["noted"]
        assert world.names(f"Basic?_text=khong {world.mark}") == []

    def test_what_a_list_names(self, world: World) -> None:
        entries = [{"item": {"reference": f"Patient/{world.ids[name]}"}} for name in ("an", "cuc")]
        listed = made(world.client, {"resourceType": "List", "status": "current", "mode": "working", "entry": entries})[
            "id"
        ]
        assert world.names(f"Patient?_list={listed}") == ["an", "cuc"]
        assert world.names(f"Patient?_list={listed}&gender=male") == ["an"]
        assert world.names("Patient?_list=nothing") == []


class TestAfterAChange:
    def test_a_search_finds_what_is_and_not_what_was(self, world: World) -> None:
        one = mark()
        person = made(world.client, patient(name=[{"family": one}]))
        world.ids["changed"] = person["id"]
        assert world.names(f"Patient?family={one}") == ["changed"]
        assert put(world.client, person | {"name": [{"family": f"x{one}"}]}).status_code == 200
        assert world.names(f"Patient?family={one}") == []
        assert world.names(f"Patient?family=x{one}&gender=male") == ["changed"]
        world.client.delete(f"/Patient/{person['id']}").raise_for_status()
        assert world.names(f"Patient?family=x{one}") == []
