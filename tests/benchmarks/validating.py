"""What validation costs a resource: against R4 alone, and with a profile of a hospital on top. No service is needed."""

import itertools
import time
from collections.abc import Callable, Iterable
from statistics import quantiles
from typing import Any

from emr.definitions.findings import Findings
from emr.definitions.profiles.library import Library
from emr.definitions.validate import validate
from tests.benchmarks.load import Result
from tests.definitions.profiles.core import element, profile
from tests.definitions.samples import bundles

Json = dict[str, Any]
_BUNDLES = 12
_ROUNDS = 5
_CATEGORIES = "http://terminology.hl7.org/CodeSystem/observation-category"
_BASE = "http://hl7.org/fhir/StructureDefinition/"
_OBSERVATION = profile(
    "measured",
    "Observation",
    [
        element("Observation.category", min=1, slicing={
            "discriminator": [{"type": "value", "path": "coding.system"}, {"type": "value", "path": "coding.code"}],
            "rules": "open"}),
        element("Observation.category:vital", max="1"),
        element("Observation.category:vital.coding.system", min=1, fixedUri=_CATEGORIES),
        element("Observation.category:vital.coding.code", min=1, fixedCode="vital-signs"),
        element("Observation.code", min=1, binding={
            "strength": "required", "valueSet": "https://example.vn/fhir/ValueSet/not-here"}),
        element("Observation.subject", min=1, type=[{"code": "Reference", "targetProfile": [f"{_BASE}Patient"]}]),
        element("Observation.effective[x]", min=1, type=[{"code": "dateTime"}, {"code": "Period"}], constraint=[{
            "key": "vn-1", "severity": "error", "human": "Precise to the day",
            "expression": "($this as dateTime).toString().length() >= 8"}]),
        element("Observation.component.code", min=1),
    ],
)  # fmt: skip


def validating() -> list[Result]:
    """Microseconds of processor time a resource, the best of five rounds over the sample patients."""
    resources = [
        entry["resource"]
        for _, bundle in itertools.islice(bundles(), _BUNDLES)
        for entry in bundle["entry"]
    ]  # fmt: skip
    observations = [each for each in resources if each["resourceType"] == "Observation"]
    library = Library([_OBSERVATION])
    url = library.urls()[0]

    def profiled(resource: Json) -> None:
        library.check(resource, url, Findings())

    return [
        Result("validate", f"{len(resources):,} resources against R4", _figures(validate, resources)),
        Result("validate", f"{len(observations):,} Observations against R4", _figures(validate, observations)),
        Result("validate", "the same against a profile, on top", _figures(profiled, observations)),
    ]


def _figures(check: Callable[[Json], object], resources: Iterable[Json]) -> dict[str, Any]:
    held = list(resources)
    rounds = [_round(check, held) for _ in range(_ROUNDS)]
    best = min(rounds, key=sum)
    cut = quantiles(best, n=100)
    return {
        "us": round(sum(best) / len(held) / 1000, 1),
        "p50_us": round(cut[49] / 1000, 1),
        "p99_us": round(cut[98] / 1000, 1),
    }


def _round(check: Callable[[Json], object], resources: list[Json]) -> list[int]:
    taken: list[int] = []
    for each in resources:
        began = time.process_time_ns()
        check(each)
        taken.append(time.process_time_ns() - began)
    return taken
