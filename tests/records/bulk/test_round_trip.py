"""An export of one hospital, imported into another, is the same record there, element by element."""

from collections.abc import Sequence
from datetime import date

import pytest

from emr.kernel import json
from emr.records.importing import import_bundle
from emr.work.runtime import Runtime
from emr_demo.people import PROFILES, generate
from tests.definitions.samples import bundles
from tests.house import House
from tests.records.bulk.world import Ward, content_of

pytestmark = pytest.mark.anyio


async def same_record(standing: House, parts: Runtime, texts: Sequence[bytes]) -> None:
    here, there = Ward(standing, parts), Ward(standing, parts)
    await parts.registry.refresh()
    for text in texts:
        async with here.work() as work:
            await import_bundle(work, text)
    first = await here.exported()
    brought = await there.imported(await here.text(first))
    sent = content_of(await here.lines(first))
    assert (brought.progress["stored"], brought.progress["refused"]) == (len(sent), 0)
    assert content_of(await there.lines(await there.exported())) == sent
    tables = ("tokens", "strings", "dates", "quantities", "composites", "links", "identifiers", "compartments", "words")
    counts = [{name: ward.house.counts(ward.tenant.slug)[name] for name in tables} for ward in (here, there)]
    assert counts[0] == counts[1]


class TestRoundTrip:
    async def test_of_made_up_people(self, standing: House, parts: Runtime) -> None:
        made = [json.dumps(each) for each in generate(PROFILES["hoa-sen"], seed=1, today=date(2026, 11, 1))]
        await same_record(standing, parts, made[:12])

    async def test_of_synthea(self, standing: House, parts: Runtime) -> None:
        information = [bundle for name, bundle in bundles() if "Information" in name]
        people = [bundle for name, bundle in bundles() if "Information" not in name]
        smallest = sorted(people, key=lambda bundle: len(bundle["entry"]))[:4]
        await same_record(standing, parts, [json.dumps(each) for each in [*information, *smallest]])
