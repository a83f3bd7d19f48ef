"""Operations on code lists over HTTP (FHIR R4, terminology-service.html)."""

import json
from typing import Any

import httpx
import pytest

from tests.fhir.samples import FHIR, made, mark, put, refusal
from tests.house import House
from tests.records.terminology.samples import code_list, concept_map, value_set, whole

Json = dict[str, Any]

GENDER_SET = "http://hl7.org/fhir/ValueSet/administrative-gender"
GENDER = "http://hl7.org/fhir/administrative-gender"


def codes(expanded: Json) -> list[str]:
    return [each["code"] for each in expanded["expansion"].get("contains", ())]


def expand(client: httpx.Client, **asked: Any) -> Json:
    answer = client.get("/ValueSet/$expand", params=asked)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def said(answer: httpx.Response) -> Json:
    """Outputs by name; repeated ones as a list of their parts."""
    assert answer.status_code == 200, answer.text
    assert answer.json()["resourceType"] == "Parameters"
    outputs: Json = {}
    for each in answer.json()["parameter"]:
        if "part" in each:
            parts: Json = {}
            for part in each["part"]:
                parts[part["name"]] = next(
                    (value for name, value in part.items() if name.startswith("value")), part.get("part")
                )
            outputs.setdefault(each["name"], []).append(parts)
        else:
            outputs[each["name"]] = next(value for name, value in each.items() if name.startswith("value"))
    return outputs


def post(client: httpx.Client, path: str, *parameters: Json) -> httpx.Response:
    body = {"resourceType": "Parameters", "parameter": list(parameters)}
    return client.post(path, content=json.dumps(body), headers=FHIR)


class TestExpand:
    def test_nobody(self, live: House) -> None:
        with httpx.Client(base_url=live.fhir(), trust_env=False) as client:
            assert client.get("/ValueSet/$expand", params={"url": GENDER_SET}).status_code == 401

    def test_every_role_of_a_hospital_may(self, live: House) -> None:
        for role in ("reception", "cashier", "admin", "lis", "pacs", "warehouse"):
            with live.client(role) as client:
                assert codes(expand(client, url=GENDER_SET)) == ["male", "female", "other", "unknown"], role

    def test_not_what_is_the_neighbours(self, doctor: httpx.Client, neighbour: httpx.Client) -> None:
        one = mark()
        made(doctor, code_list(one))
        kept = made(doctor, whole(one))
        assert codes(expand(doctor, url=f"urn:test:vs:{one}")) == ["A", "A1", "A11", "A2", "B"]
        assert refusal(neighbour.get("/ValueSet/$expand", params={"url": f"urn:test:vs:{one}"}))[:2] == (
            404,
            "value-set-unknown",
        )
        assert neighbour.get(f"/ValueSet/{kept['id']}/$expand").status_code == 404

    def test_displays_total_and_what_shaped_it(self, doctor: httpx.Client) -> None:
        expanded = expand(doctor, url=GENDER_SET, count=2, offset=1)
        expansion = expanded["expansion"]
        assert expanded["url"] == GENDER_SET
        assert "compose" not in expanded
        assert (expansion["total"], expansion["offset"]) == (4, 1)
        assert expansion["contains"] == [
            {"system": GENDER, "code": "female", "display": "Female"},
            {"system": GENDER, "code": "other", "display": "Other"},
        ]
        assert {"name": "count", "valueInteger": 2} in expansion["parameter"]
        assert {"name": "version", "valueUri": f"{GENDER}|4.0.1"} in expansion["parameter"]
        assert expansion["identifier"].startswith("urn:uuid:")
        assert "timestamp" in expansion

    def test_is_a_valid_resource(self, doctor: httpx.Client) -> None:
        expanded = expand(doctor, url=GENDER_SET, includeDefinition="true")
        assert expanded["compose"]["include"] == [{"system": GENDER}]
        kept = made(doctor, expanded | {"url": f"urn:test:{mark()}"})
        assert kept["expansion"] == expanded["expansion"]

    def test_pages_together_are_the_whole(self, doctor: httpx.Client) -> None:
        url = "http://terminology.hl7.org/ValueSet/v3-ActCode"
        every = codes(expand(doctor, url=url))
        pages = [codes(expand(doctor, url=url, offset=offset, count=250)) for offset in range(0, len(every) + 250, 250)]
        assert len(every) > 1_000
        assert [code for page in pages for code in page] == every
        assert expand(doctor, url=url, count=0)["expansion"]["total"] == len(every)
        assert pages[-1] == []

    def test_a_filter_as_somebody_types_it(self, doctor: httpx.Client) -> None:
        one = mark()
        made(doctor, code_list(one))
        made(doctor, whole(one))
        for typed, found in (
            ("noi tiet", ["A2"]), ("NỘI", ["A", "A1", "A2"]), ("tiêu duong", ["B"]), ("a1", ["A1", "A11"]),
            ("oi", []), ("noi khong", []), ("??", []),
        ):  # fmt: skip
            assert codes(expand(doctor, url=f"urn:test:vs:{one}", filter=typed)) == found, typed

    def test_nested_only_where_asked(self, doctor: httpx.Client) -> None:
        one = mark()
        made(doctor, code_list(one))
        made(doctor, whole(one))
        tree = expand(doctor, url=f"urn:test:vs:{one}", excludeNested="false")["expansion"]["contains"]
        assert [each["code"] for each in tree] == ["A", "B"]
        assert [each["code"] for each in tree[0]["contains"]] == ["A1", "A2"]
        assert tree[0]["contains"][0]["contains"] == [
            {"system": f"urn:test:cs:{one}", "code": "A11", "display": "Phòng điện tim"}
        ]
        assert len(codes(expand(doctor, url=f"urn:test:vs:{one}", excludeNested="true"))) == 5

    def test_languages_and_designations(self, doctor: httpx.Client) -> None:
        one = mark()
        names = [{"language": "en", "value": "Internal medicine"}, {"language": "fr", "value": "Médecine interne"}]
        made(doctor, code_list(one, concept=[{"code": "A", "display": "Khoa Nội", "designation": names}]))
        made(doctor, whole(one))
        url = f"urn:test:vs:{one}"
        assert expand(doctor, url=url)["expansion"]["contains"] == [
            {"system": f"urn:test:cs:{one}", "code": "A", "display": "Khoa Nội"}
        ]
        assert (
            expand(doctor, url=url, displayLanguage="en-GB")["expansion"]["contains"][0]["display"]
            == "Internal medicine"
        )
        assert expand(doctor, url=url, displayLanguage="de")["expansion"]["contains"][0]["display"] == "Khoa Nội"
        assert expand(doctor, url=url, includeDesignations="true")["expansion"]["contains"][0]["designation"] == names
        french = expand(doctor, url=url, designation="urn:ietf:bcp:47|fr")["expansion"]["contains"][0]["designation"]
        assert french == names[1:]

    def test_of_one_that_is_sent_along(self, doctor: httpx.Client) -> None:
        sent = value_set(mark(), {"system": GENDER, "concept": [{"code": "male"}]})
        answer = doctor.post("/ValueSet/$expand", content=json.dumps(sent), headers=FHIR)
        assert answer.status_code == 200, answer.text
        assert answer.json()["expansion"]["contains"] == [{"system": GENDER, "code": "male", "display": "Male"}]
        answer = post(
            doctor, "/ValueSet/$expand", {"name": "valueSet", "resource": sent}, {"name": "count", "valueInteger": 0}
        )
        assert answer.json()["expansion"]["total"] == 1

    def test_of_an_invalid_one_is_refused(self, doctor: httpx.Client) -> None:
        sent = value_set(mark(), {"system": 5})
        assert doctor.post("/ValueSet/$expand", content=json.dumps(sent), headers=FHIR).status_code == 422

    def test_of_an_instance(self, doctor: httpx.Client) -> None:
        one = mark()
        made(doctor, code_list(one))
        kept = made(doctor, whole(one))
        answer = doctor.get(f"/ValueSet/{kept['id']}/$expand", params={"count": 1})
        assert codes(answer.json()) == ["A"]
        assert "id" not in answer.json()
        differs = doctor.get(f"/ValueSet/{kept['id']}/$expand", params={"url": GENDER_SET})
        assert refusal(differs) == (400, "definition-differs", "url")

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ({}, (400, "definition-not-one", "url")),
            ({"url": "urn:test:nothing"}, (404, "value-set-unknown", "url")),
            ({"url": GENDER_SET, "valueSetVersion": "9"}, (404, "value-set-unknown", "url")),
            ({"url": GENDER_SET, "context": "urn:x"}, (400, "parameter-unknown", "context")),
            ({"url": GENDER_SET, "date": "2026"}, (400, "parameter-unknown", "date")),
            ({"url": GENDER_SET, "count": "-1"}, (400, "parameter-value", "count")),
            ({"url": GENDER_SET, "offset": "x"}, (400, "parameter-value", "offset")),
            ({"url": GENDER_SET, "system-version": "x"}, (400, "parameter-value", "system-version")),
            (
                {"url": "http://hl7.org/fhir/ValueSet/observation-codes"},
                (422, "code-system-unknown", "ValueSet.compose.include[0]"),
            ),
            (
                {"url": GENDER_SET, "check-system-version": f"{GENDER}|5"},
                (422, "code-system-version", "ValueSet.compose.include[0]"),
            ),
        ],
    )
    def test_what_cannot_be_answered_is_refused_by_name(self, doctor: httpx.Client, asked: Json, expected: Any) -> None:
        assert refusal(doctor.get("/ValueSet/$expand", params=asked)) == expected

    def test_more_than_one_answer_holds_is_too_costly(self, doctor: httpx.Client) -> None:
        one = mark()
        made(doctor, code_list(one, concept=[{"code": f"C{number}"} for number in range(10_001)]))
        made(doctor, whole(one))
        answer = doctor.get("/ValueSet/$expand", params={"url": f"urn:test:vs:{one}"})
        assert refusal(answer) == (422, "too-costly", "count")
        assert answer.json()["issue"][0]["code"] == "too-costly"
        page = expand(doctor, url=f"urn:test:vs:{one}", offset=10_000, count=100)
        assert (page["expansion"]["total"], codes(page)) == (10_001, ["C10000"])

    def test_a_write_is_seen_at_once(self, doctor: httpx.Client) -> None:
        one = mark()
        kept = made(doctor, code_list(one))
        made(doctor, whole(one))
        for code in ("X", "Y", "Z"):
            assert put(doctor, code_list(one, id=kept["id"], concept=[{"code": code}])).status_code == 200
            assert codes(expand(doctor, url=f"urn:test:vs:{one}")) == [code]
        assert doctor.delete(f"/CodeSystem/{kept['id']}").status_code == 204
        gone = doctor.get("/ValueSet/$expand", params={"url": f"urn:test:vs:{one}"})
        assert refusal(gone)[:2] == (422, "code-system-unknown")


class TestValidateInValueSet:
    def test_a_code_of_the_set(self, doctor: httpx.Client) -> None:
        asked = {"url": GENDER_SET, "system": GENDER, "code": "male"}
        assert said(doctor.get("/ValueSet/$validate-code", params=asked)) == {"result": True, "display": "Male"}

    def test_a_code_that_is_not_in_it(self, doctor: httpx.Client) -> None:
        asked = {"url": GENDER_SET, "system": GENDER, "code": "man"}
        found = said(doctor.get("/ValueSet/$validate-code", params=asked))
        assert found["result"] is False
        assert "man" in found["message"]

    def test_a_display_that_is_wrong(self, doctor: httpx.Client) -> None:
        asked = {"url": GENDER_SET, "system": GENDER, "code": "male", "display": "Female"}
        found = said(doctor.get("/ValueSet/$validate-code", params=asked))
        assert (found["result"], found["display"]) == (False, "Male")
        assert said(doctor.get("/ValueSet/$validate-code", params=asked | {"display": " male"}))["result"] is True

    def test_any_coding_of_a_concept(self, doctor: httpx.Client) -> None:
        codings = [{"system": "http://loinc.org", "code": "1-8"}, {"system": GENDER, "code": "other"}]
        answer = post(
            doctor,
            "/ValueSet/$validate-code",
            {"name": "url", "valueUri": GENDER_SET},
            {"name": "codeableConcept", "valueCodeableConcept": {"coding": codings}},
        )
        assert said(answer) == {"result": True, "display": "Other"}

    def test_a_heading_only_where_headings_may_stand(self, doctor: httpx.Client) -> None:
        system = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
        asked = {"url": "http://terminology.hl7.org/ValueSet/v3-ActCode", "system": system, "code": "_ActAccountCode"}
        assert said(doctor.get("/ValueSet/$validate-code", params=asked))["result"] is False
        assert said(doctor.get("/ValueSet/$validate-code", params=asked | {"abstract": "true"}))["result"] is True

    def test_what_is_not_held_is_not_judged(self, doctor: httpx.Client) -> None:
        asked = {
            "url": "http://hl7.org/fhir/ValueSet/observation-codes",
            "system": "http://loinc.org",
            "code": "8867-4",
        }
        assert refusal(doctor.get("/ValueSet/$validate-code", params=asked))[:2] == (422, "code-system-unknown")
        other = said(doctor.get("/ValueSet/$validate-code", params=asked | {"system": GENDER, "code": "male"}))
        assert other["result"] is False

    @pytest.mark.parametrize(
        ("asked", "code"),
        [
            ({"url": GENDER_SET, "code": "male"}, "system-missing"),
            ({"url": GENDER_SET}, "code-not-one"),
            ({"system": GENDER, "code": "male"}, "definition-not-one"),
        ],
    )
    def test_half_a_question_is_refused(self, doctor: httpx.Client, asked: Json, code: str) -> None:
        assert refusal(doctor.get("/ValueSet/$validate-code", params=asked))[:2] == (400, code)


class TestValidateInCodeSystem:
    def test_by_url_and_by_instance(self, doctor: httpx.Client) -> None:
        one = mark()
        kept = made(doctor, code_list(one))
        by_url = doctor.get("/CodeSystem/$validate-code", params={"url": f"urn:test:cs:{one}", "code": "A2"})
        assert said(by_url) == {"result": True, "display": "Khoa Nội tiết"}
        by_id = doctor.get(f"/CodeSystem/{kept['id']}/$validate-code", params={"code": "a2"})
        assert said(by_id)["result"] is False

    def test_a_part_of_a_system_does_not_judge_what_it_lacks(self, doctor: httpx.Client) -> None:
        one = mark()
        made(doctor, code_list(one, content="fragment"))
        asked = {"url": f"urn:test:cs:{one}", "code": "A"}
        assert said(doctor.get("/CodeSystem/$validate-code", params=asked))["result"] is True
        lacking = doctor.get("/CodeSystem/$validate-code", params=asked | {"code": "Z"})
        assert refusal(lacking)[:2] == (422, "code-system-incomplete")

    def test_a_coding_names_its_own_system(self, doctor: httpx.Client) -> None:
        coding = {"name": "coding", "valueCoding": {"system": GENDER, "code": "female", "display": "Female"}}
        assert said(post(doctor, "/CodeSystem/$validate-code", coding)) == {"result": True, "display": "Female"}


class TestLookup:
    def test_what_is_known_of_a_code(self, doctor: httpx.Client) -> None:
        one = mark()
        kept = made(doctor, code_list(one))
        found = said(doctor.get("/CodeSystem/$lookup", params={"system": f"urn:test:cs:{one}", "code": "A1"}))
        assert (found["name"], found["version"], found["display"]) == ("Departments", "1", "Khoa Nội tim mạch")
        assert {"code": "parent", "value": "A", "description": "Khoa Nội"} in found["property"]
        assert {"code": "child", "value": "A11", "description": "Phòng điện tim"} in found["property"]
        below = said(doctor.get(f"/CodeSystem/{kept['id']}/$lookup", params={"code": "A1", "property": "parent"}))
        assert below["property"] == [{"code": "parent", "value": "A", "description": "Khoa Nội"}]

    def test_designations_of_a_definition(self, doctor: httpx.Client) -> None:
        asked = {"system": "http://terminology.hl7.org/CodeSystem/v2-0001", "code": "M", "displayLanguage": "nl"}
        found = said(doctor.get("/CodeSystem/$lookup", params=asked))
        assert found["display"] == "Man"

    def test_what_there_is_not(self, doctor: httpx.Client) -> None:
        for system, code, expected in (
            (GENDER, "man", (404, "code-unknown")),
            ("urn:test:nothing", "A", (404, "code-system-unknown")),
            ("http://snomed.info/sct", "73211009", (422, "code-system-unknown")),
        ):
            asked = {"system": system, "code": code}
            assert refusal(doctor.get("/CodeSystem/$lookup", params=asked))[:2] == expected, system
        assert refusal(doctor.get("/CodeSystem/$lookup", params={"code": "A"}))[:2] == (400, "system-missing")


class TestSubsumes:
    @pytest.mark.parametrize(
        ("one", "other", "outcome"),
        [
            ("A", "A11", "subsumes"), ("A11", "A", "subsumed-by"), ("A", "A", "equivalent"), ("A1", "A2", "not-subsumed"),
        ],
    )  # fmt: skip
    def test_how_two_codes_stand(self, doctor: httpx.Client, one: str, other: str, outcome: str) -> None:
        name = mark()
        kept = made(doctor, code_list(name))
        asked = {"system": f"urn:test:cs:{name}", "codeA": one, "codeB": other}
        assert said(doctor.get("/CodeSystem/$subsumes", params=asked)) == {"outcome": outcome}
        del asked["system"]
        assert said(doctor.get(f"/CodeSystem/{kept['id']}/$subsumes", params=asked)) == {"outcome": outcome}

    def test_parts_are_no_kinds(self, doctor: httpx.Client) -> None:
        name = mark()
        made(doctor, code_list(name, hierarchyMeaning="part-of"))
        asked = {"system": f"urn:test:cs:{name}", "codeA": "A", "codeB": "A1"}
        assert refusal(doctor.get("/CodeSystem/$subsumes", params=asked))[:2] == (422, "subsumption-undefined")


class TestTranslate:
    def test_by_a_map_of_r4(self, doctor: httpx.Client) -> None:
        url = "http://hl7.org/fhir/ConceptMap/cm-administrative-gender-v2"
        found = said(doctor.get("/ConceptMap/$translate", params={"url": url, "system": GENDER, "code": "male"}))
        assert found["result"] is True
        assert found["match"] == [
            {
                "equivalence": "equal",
                "concept": {"system": "http://terminology.hl7.org/CodeSystem/v2-0001", "code": "M"},
                "source": f"{url}|4.0.1",
            }
        ]

    def test_without_a_map_towards_a_system(self, doctor: httpx.Client) -> None:
        asked = {"system": GENDER, "code": "female", "targetsystem": "http://terminology.hl7.org/CodeSystem/v2-0001"}
        found = said(doctor.get("/ConceptMap/$translate", params=asked))
        assert [each["concept"]["code"] for each in found["match"]] == ["F"]

    def test_by_an_instance_and_back(self, doctor: httpx.Client) -> None:
        one = mark()
        kept = made(doctor, concept_map(one))
        there = said(
            doctor.get(f"/ConceptMap/{kept['id']}/$translate", params={"system": f"urn:test:cs:{one}", "code": "A1"})
        )
        assert [(each["equivalence"], each["concept"]["code"]) for each in there["match"]] == [("wider", "TM")]
        asked = {"system": f"urn:test:other:{one}", "code": "TM", "reverse": "true"}
        back = said(doctor.get(f"/ConceptMap/{kept['id']}/$translate", params=asked))
        assert [(each["equivalence"], each["concept"]["code"]) for each in back["match"]] == [("narrower", "A1")]

    def test_no_mapping(self, doctor: httpx.Client) -> None:
        one = mark()
        made(doctor, concept_map(one))
        asked = {"url": f"urn:test:cm:{one}", "system": f"urn:test:cs:{one}", "code": "B"}
        found = said(doctor.get("/ConceptMap/$translate", params=asked))
        assert found == {"result": False, "message": "There is no mapping of this code.", "match": [
            {"equivalence": "unmatched", "source": f"urn:test:cm:{one}"}
        ]}  # fmt: skip

    def test_what_it_does_not_say_is_refused(self, doctor: httpx.Client) -> None:
        answer = doctor.get("/ConceptMap/$translate", params={"system": GENDER, "code": "male"})
        assert refusal(answer)[:2] == (400, "definition-not-one")
        unknown = {"url": "urn:test:nothing", "system": GENDER, "code": "male"}
        assert refusal(doctor.get("/ConceptMap/$translate", params=unknown))[:2] == (404, "concept-map-unknown")


class TestCapability:
    def test_the_operations_are_named(self, doctor: httpx.Client) -> None:
        statement = doctor.get("/metadata").json()
        types = {
            each["type"]: {op["name"] for op in each.get("operation", ())} for each in statement["rest"][0]["resource"]
        }
        assert {"expand", "validate-code"} <= types["ValueSet"]
        assert {"lookup", "subsumes", "validate-code"} <= types["CodeSystem"]
        assert "translate" in types["ConceptMap"]
