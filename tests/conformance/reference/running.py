"""Many searches of one hospital after the other, until the first difference."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from emr.kernel import json
from tests.conformance.reference.comparing import Difference, compare, fewer_resources, smaller
from tests.conformance.reference.evaluator import Reference
from tests.conformance.reference.hospital import Hospital, opened
from tests.conformance.reference.questions import Asker
from tests.house import House

PER_HOSPITAL = 3_000
"""Searches of one hospital before another is made with another seed."""


@dataclass
class Run:
    """What a run has done: searches asked, those of them that found something, and what differed."""

    seed: int
    asked: int = 0
    hits: int = 0
    difference: str | None = None


async def one_hospital(house: House, seed: int, number: int, until: Callable[[], bool] = lambda: False) -> Run:
    """Ask one new hospital that many random searches, or until it is time. Stops at the first difference."""
    run = Run(seed)
    async with opened(house, f"reference-{seed}") as hospital:
        reference = await hospital.fill(seed)
        asker = Asker(Random(seed), reference)
        while run.asked < number and not until():
            query = asker.query()
            run.asked += 1
            run.hits += bool(reference.search(query.types, query.criteria))
            found = await compare(hospital, reference, query)
            if found is not None:
                run.difference = await _told(hospital, reference, seed, found)
                break
    return run


async def _told(hospital: Hospital, reference: Reference, seed: int, found: Difference) -> str:
    """The seed, the search made small, the resources that it needs, and both answers."""
    small = await smaller(found, lambda query: compare(hospital, reference, query))
    held, small = await fewer_resources(hospital, reference, small)
    shown = "\n".join(json.dumps(each.resource).decode() for each in held.values())
    return f"seed {seed}: {found}\nsmall: {small}\nwith:\n{shown[:6000]}"


async def minutes(house: House, seed: int, length: float, tell: Callable[[str], None]) -> Run:
    """Hospital after hospital, each with a seed of its own, for so long or until something differs."""
    begun = time.monotonic()
    whole, hospitals = Run(seed), 0

    def over() -> bool:
        return time.monotonic() - begun > length * 60

    while not over() and whole.difference is None:
        run = await one_hospital(house, seed + hospitals, PER_HOSPITAL, over)
        hospitals += 1
        whole.asked += run.asked
        whole.difference = run.difference
        tell(f"{(time.monotonic() - begun) / 60:6.1f} min  seed {run.seed}  {whole.asked} searches in all")
    return whole
