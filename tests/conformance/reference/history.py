"""The life of a small hospital's record: resources are made, changed, deleted and made again, in several transactions."""

from collections.abc import Iterator
from random import Random

from emr.definitions.validate import validate
from emr.kernel import json
from tests.conformance.reference.kinds import MAKERS, fixed
from tests.conformance.reference.resources import NUMBERS, Json, Maker

_PREFIX = {"Patient": "p", "Practitioner": "dr", "Organization": "org", "Observation": "obs", "Group": "g"}


def transactions(seed: int) -> Iterator[list[Json]]:
    """Lists of entries of transaction Bundles, one after the other."""
    maker = Maker(Random(seed))
    yield [put(each) for each in fixed()]
    for kind, number in NUMBERS.items():
        made = []
        for count in range(number):
            made.append(put(resource(maker, kind, f"{_PREFIX.get(kind, kind[:3].lower())}{count}")))
            maker.ids.setdefault(kind, []).append(made[-1]["resource"]["id"])
        yield made
    yield from _changes(maker)


def _changes(maker: Maker) -> Iterator[list[Json]]:
    """New versions of some, of others none; what nobody refers to may go, and one of those comes back."""
    everything = [(kind, key) for kind, keys in maker.ids.items() for key in keys]
    changed = [each for each in everything if maker.random.random() < 0.15]
    yield [put(resource(maker, *each)) for each in changed]
    leaving = [
        ("MedicationRequest", maker.ids["MedicationRequest"][-1]),
        ("RiskAssessment", maker.ids["RiskAssessment"][0]),
    ]
    leaving.append(("ValueSet", maker.pick(maker.ids["ValueSet"])))
    yield [{"request": {"method": "DELETE", "url": "/".join(each)}} for each in leaving]
    yield [put(resource(maker, *leaving[0]))]


def resource(maker: Maker, kind: str, key: str) -> Json:
    """A valid resource of a type; some constraints of R4 forbid what the dice gave."""
    while True:
        made: Json = json.loads(json.dumps(maker.envelope(kind, key) | MAKERS[kind](maker)))
        if not validate(made, expected_type=kind):
            return made


def put(made: Json) -> Json:
    return {"resource": made, "request": {"method": "PUT", "url": f"{made['resourceType']}/{made['id']}"}}
