"""The record against the reference evaluator, on random searches of random hospitals.

`EMR_REFERENCE_SEARCHES` says how many, `EMR_REFERENCE_SEED` of which hospital; a difference prints both answers and what
is needed to see it again.
"""

import asyncio
import os

import pytest

from tests.conformance.reference.running import one_hospital
from tests.house import House

SEARCHES = int(os.environ.get("EMR_REFERENCE_SEARCHES", "3000"))
SEED = int(os.environ.get("EMR_REFERENCE_SEED", "4"))


@pytest.mark.timeout(600)
class TestReference:
    def test_the_record_says_what_the_specification_says(self, standing: House) -> None:
        run = asyncio.run(one_hospital(standing, SEED, SEARCHES))
        assert run.difference is None, run.difference
        assert run.asked == SEARCHES
        assert run.hits > SEARCHES / 4
