"""Made-up resources of a dozen types, the same for the same seed: shared values, odd precisions, gaps and duplicates."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any, TypeVar

from tests.conformance.reference import vocabulary as v
from tests.conformance.reference.amounts import UCUM
from tests.conformance.reference.moments import span

Json = dict[str, Any]
T = TypeVar("T")

NUMBERS = {
    "Organization": 6, "Practitioner": 5, "Location": 3, "Patient": 16, "Group": 2, "Encounter": 14, "Condition": 16, "Observation": 44,
    "MedicationRequest": 14, "RiskAssessment": 12, "ValueSet": 10, "DocumentReference": 12, "QuestionnaireResponse": 6, "List": 5,
}  # fmt: skip
"""Type to how many there are, in an order in which each type refers to earlier ones only, or to itself."""


@dataclass
class Maker:
    """Draws everything from one generator of random numbers."""

    random: Random
    ids: dict[str, list[str]] = field(default_factory=dict)

    def some(self, chance: float, value: Any) -> Any:
        """A value, or nothing; `drop` takes the nothing out."""
        return value if self.random.random() < chance else None

    def several(self, make: Any, most: int = 2) -> list[Any] | None:
        return [make() for _ in range(self.random.choice([0, 1, 1, 1, *range(1, most + 1)]))] or None

    def pick(self, values: Sequence[T]) -> T:
        return self.random.choice(values)

    def coding(self) -> Json:
        return drop(
            system=self.pick(v.SYSTEMS), code=self.some(0.95, self.pick(v.CODES)), display=self.some(0.5, self.phrase())
        ) or {"code": "a"}

    def concept(self) -> Json:
        made = drop(coding=self.several(self.coding), text=self.some(0.5, self.phrase()))
        return made or {"text": self.phrase()}

    def phrase(self) -> str:
        return " ".join(self.pick(v.WORDS) for _ in range(self.random.choice([1, 1, 2])))

    def identifier(self) -> Json:
        return drop(
            system=self.pick(v.SYSTEMS),
            value=self.some(0.9, self.pick(v.CODES)),
            type=self.some(0.5, self.concept()),
            use=self.some(0.3, "official"),
        ) or {"value": "x"}

    def date(self) -> str:
        return str(self.pick(v.DATES))

    def moment(self) -> str:
        return str(self.pick(v.DATES + v.TIMES * 2))

    def instant(self) -> str:
        return str(self.pick(v.TIMES))

    def period(self) -> Json:
        ends = sorted((self.moment(), self.moment()), key=lambda text: span(text).low)
        if ends[0][:4] == ends[1][:4]:
            ends[1] = ends[0]
        return drop(start=self.some(0.8, ends[0]), end=self.some(0.7, ends[1])) or {"start": ends[0]}

    def quantity(self, *, plain: bool = False) -> Json:
        code = self.pick(v.UNITS)
        value = {"value": Decimal(self.pick(v.NUMBERS))}
        if not plain:
            value |= drop(comparator=self.some(0.15, self.pick(["<", "<=", ">", ">="])))
        match self.random.random():
            case chance if chance < 0.7:
                return value | {"unit": self.pick([code, self.pick(v.LOOSE_UNITS)]), "system": UCUM, "code": code}
            case chance if chance < 0.8:
                return value | {"system": "urn:lis", "code": self.pick(["mg", "ống"])}
            case chance if chance < 0.95:
                return value | {"unit": self.pick(v.LOOSE_UNITS)}
        return value

    def age(self) -> Json:
        return {
            "value": Decimal(self.pick(["1", "2", "12", "24", "52", "365"])),
            "system": UCUM,
            "code": self.pick(v.AGES),
        }

    def range(self) -> Json:
        low, high = self.quantity(plain=True), self.quantity(plain=True)
        high = {**low, "value": low["value"] + abs(high["value"])}
        made = drop(low=self.some(0.75, low), high=self.some(0.75, high))
        return made or {"low": low}

    def sampled(self) -> Json:
        samples = [self.pick(["1", "2.5", "-3", "10", "E", "L", "U"]) for _ in range(4)]
        origin = {key: each for key, each in self.quantity(plain=True).items() if key != "comparator"}
        return drop(
            origin=origin,
            period=Decimal(10),
            factor=self.some(0.5, Decimal("0.5")),
            dimensions=1,
            lowerLimit=Decimal(-5) if "L" in samples else None,
            upperLimit=Decimal(20) if "U" in samples else None,
            data=" ".join(samples),
        )

    def name(self) -> Json:
        given = self.several(lambda: self.pick(v.GIVENS + v.DECOMPOSED), 3)
        family = self.some(0.9, self.pick(v.FAMILIES + v.DECOMPOSED))
        return drop(family=family, given=given, text=self.some(0.2, "Bé Ánh"), prefix=self.some(0.2, ["BS."])) or {
            "text": "?a"
        }

    def address(self) -> Json:
        return drop(
            city=self.some(0.8, self.pick(v.CITIES)),
            line=self.some(0.5, [f"{self.random.randrange(9)} Lê Lợi"]),
            district=self.some(0.3, "Quận Đống Đa"),
            country=self.some(0.3, "VN"),
            postalCode=self.some(0.3, "100000"),
            use=self.some(0.3, "home"),
        ) or {"country": "VN"}

    def telecom(self) -> Json:
        return {"system": self.pick(["phone", "email", "fax"]), "value": self.pick(["0901", "an@bv.example", "0902"])}

    def to(self, *types: str, aside: float = 0.08) -> Json | None:
        """A reference to one that is there already, now and then to something elsewhere or only by identifier."""
        kind = self.pick([each for each in types if self.ids.get(each)] or [""])
        chance = self.random.random()
        if not kind or chance < aside:
            named: Json = {"identifier": drop(system=self.pick(v.SYSTEMS), value=self.pick(v.CODES))}
            return self.pick(
                [named, named | {"type": types[0]}, {"reference": self.pick(v.ELSEWHERE)}, {"display": "?"}]
            )
        made: Json = {"reference": f"{kind}/{self.pick(self.ids[kind])}"}
        return made | drop(
            display=self.some(0.2, self.phrase()), identifier=self.some(0.1, {"value": self.pick(v.CODES)})
        )

    def envelope(self, kind: str, key: str) -> Json:
        """What any resource has: tags, profiles, a narrative."""
        tag = {"system": self.pick(["urn:tag", "urn:tag2"]), "code": self.pick(v.TAGS)}
        meta = drop(
            tag=self.some(0.4, [tag]),
            security=self.some(0.2, [{"system": "urn:sec", "code": self.pick(["R", "N"])}]),
            source=self.some(0.3, self.pick(v.URLS)),
        )
        div = f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{self.phrase()}</p><b>{self.phrase()} &amp; {self.phrase()}</b></div>'
        text = {"status": "generated", "div": div}
        return {"resourceType": kind, "id": key} | drop(meta=meta or None, text=self.some(0.3, text))


def drop(**members: Any) -> Json:
    """Only members that are there."""
    return {name.rstrip("_"): value for name, value in members.items() if value is not None}
