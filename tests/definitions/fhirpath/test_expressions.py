"""Expressions and what they give (http://hl7.org/fhirpath/N1; FHIR R4, fhirpath.html)."""

from typing import Any

import pytest

from emr.definitions.fhirpath.compiling import compiled
from emr.definitions.fhirpath.items import Unknown, plain, root_of
from emr.definitions.fhirpath.scope import Scope
from emr.definitions.fhirpath.syntax import Unreadable
from emr.kernel.json import Number
from tests.definitions.samples import Json, patient

RESOURCE = patient(
    name=[{"use": "official", "family": "Nguyễn", "given": ["Văn", "An"]}, {"text": "Bi", "_family": {"id": "f"}}],
    active=True, birthDate="1990-02", multipleBirthInteger=2,
    contact=[{"period": {"start": "2020-01-01", "end": "2020-02-01T10:00:00Z"}, "gender": "female"}],
    contained=[{"resourceType": "Organization", "id": "o", "name": "Khoa"}],
    managingOrganization={"reference": "#o"}, generalPractitioner=[{"reference": "Practitioner/a"}, {"display": "x"}],
    extension=[{"url": "urn:e", "valueQuantity": {"value": Number("1.50"), "unit": "kg"}}],
)  # fmt: skip


def evaluated(expression: str, resource: Json = RESOURCE) -> list[Any]:
    node = root_of(resource)
    return [plain(each) for each in compiled(expression)(Scope(resource, resource, node), [node])]


class TestExpressions:
    @pytest.mark.parametrize(
        ("expression", "expected"),
        [
            ("name.given", ["Văn", "An"]), ("Patient.name.given[1]", ["An"]), ("Observation.name", []),
            ("name.where(use = 'official').family", ["Nguyễn"]), ("name.family.count()", [2]), ("name.family.hasValue()", [False]),
            ("name.first().family.hasValue()", [True]), ("name.exists(text = 'Bi')", [True]), ("name.all(given.exists())", [False]),
            ("name.given.first() & '-' & name.given.last()", ["Văn-An"]), ("name.given.join", []), ("photo.empty()", [True]),
            ("active and gender = 'male'", [True]), ("active.not()", [False]), ("photo and false", [False]), ("photo and true", []),
            ("photo or true", [True]), ("photo implies false", []), ("gender = 'x' implies false", [True]), ("active xor active", [False]),
            ("gender in ('male' | 'female')", [True]), ("('a' | 'b') contains 'c'", [False]), ("multipleBirth", [2]),
            ("multipleBirth is integer", [True]), ("multipleBirth.is(boolean)", [False]), ("multipleBirth + 1.5", [Number("3.5")]),
            ("5 div 2", [2]), ("5 mod 2", [1]), ("1 / 0", []), ("-multipleBirth", [-2]), ("-" * 9_000 + "1", [1]), ("2 + 3 * 4", [14]), ("(2 + 3) * 4", [20]),
            ("contact.period.start <= contact.period.end", [True]), ("birthDate < '1990-03-01'", [True]), ("birthDate < '1990-02-05'", []),
            ("birthDate = @1990-02", [True]), ("birthDate > @1989", [True]), ("gender != 'male'", [False]), ("photo = 'x'", []),
            ("'A  b' ~ 'a B'", [True]), ("gender !~ 'MALE'", [False]), ("name.given.isDistinct()", [True]), ("(1 | 1 | 2).count()", [2]),
            ("name.given.combine(name.given).count()", [4]), ("name.given.intersect('An')", ["An"]), ("name.given.exclude('An')", ["Văn"]),
            ("name.given.subsetOf('An' | 'Văn' | 'Bi')", [True]), ("name.given.skip(1)", ["An"]), ("name.given.take(1)", ["Văn"]),
            ("name.given.tail()", ["An"]), ("iif(active, 'a', 'b')", ["a"]), ("iif(photo.exists(), 'a')", []),
            ("gender.startsWith('ma')", [True]), ("gender.substring(1, 2)", ["al"]), ("gender.substring(9)", []), ("gender.length()", [4]),
            ("gender.upper()", ["MALE"]), ("gender.indexOf('l')", [2]), ("'a,b'.split(',')", ["a", "b"]), ("gender.replace('m', 'M')", ["Male"]),
            ("gender.matches('^m')", [True]), ("gender.matchesFull('m')", [False]), ("'12'.toInteger() + 1", [13]), ("'x'.toInteger()", []),
            ("'1.5'.convertsToDecimal()", [True]), ("multipleBirth.toString()", ["2"]), ("'true'.toBoolean()", [True]),
            ("extension('urn:e').value.value", [Number("1.50")]), ("extension.value.ofType(Quantity).unit", ["kg"]),
            ("extension.value as string", []), ("managingOrganization.resolve().name", ["Khoa"]),
            ("managingOrganization.resolve() is Organization", [True]), ("generalPractitioner.first().resolve() is Practitioner", [True]),
            ("contained.id", ["o"]), ("%resource.id", []), ("%ucum", ["http://unitsofmeasure.org"]), ("name.select($index)", [0, 1]),
            ("name.given.where($this = 'An')", ["An"]), ("{}", []), ("descendants().where(id = 'o').name", ["Khoa"]),
            ("children().count() > 5", [True]), ("name.repeat(given).count()", [2]), ("name.`use`", ["official"]),
            ("name.given.trace('x').count()", [2]), ("text.`div`.exists()", [False]), ("(true | false).allTrue()", [False]), ("'\\u0041\\''", ["A'"]),
            ("// a comment\n 1", [1]), ("Patient is DomainResource", [True]), ("gender is string", [True]), ("gender is System.String", [True]),
        ],
    )  # fmt: skip
    def test_gives(self, expression: str, expected: list[Any]) -> None:
        assert evaluated(expression) == expected

    @pytest.mark.parametrize(
        "expression",
        ["", "1 +", "name.", "(1", "foo('x')", "name.where()", "%nothing", "$total", "1 year", "'x", "name..given", "1 1", "x" * 20_000,
         "(" * 200 + "1" + ")" * 200, "a" + ".a" * 4_000, "1" + "+1" * 4_000, "a" + "[0]" * 3_000, "name.ofType(1)", "gender.startsWith()"],
    )  # fmt: skip
    def test_what_is_none_is_refused(self, expression: str) -> None:
        with pytest.raises(Unreadable):
            compiled(expression)

    @pytest.mark.parametrize(
        "expression",
        ["name and active", "name.use < name", "generalPractitioner.first().resolve().name", "generalPractitioner.last().resolve()",
         "gender.matches('(?=a)')", "gender - 1", "name.given.single()", "name.given.length()"],
    )  # fmt: skip
    def test_what_cannot_be_told_is_no_answer(self, expression: str) -> None:
        with pytest.raises(Unknown):
            evaluated(expression)
