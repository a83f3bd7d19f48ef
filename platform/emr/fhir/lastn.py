"""`Observation/$lastn` (FHIR R4, observation-operation-lastn.html)."""

from typing import Final
from urllib.parse import urlencode

from fastapi import Request, Response

from emr.fhir.bundles import bundle, found_entry
from emr.fhir.negotiate import MEDIA_TYPE, refuse_other_answers
from emr.fhir.operation import Operation
from emr.fhir.parameters import text_pairs
from emr.kernel.errors import Malformed
from emr.records.lastn import last_observations
from emr.work.unit import UnitOfWork

_HEADERS: Final = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
_DIGITS_MOST: Final = 6


async def lastn(request: Request, work: UnitOfWork) -> Response:
    """`max` and search parameters of Observation; a search set of the last of each group, newest first."""
    refuse_other_answers(request)
    pairs = text_pairs(request)
    for name, _ in pairs:
        if name.startswith("_") and name not in ("_lastUpdated", "_id"):
            rule = f"$lastn takes max and criteria of Observation, not {name[:64]}."
            raise Malformed("parameter-unknown", rule, location=name[:64])
    most = _most([value for name, value in pairs if name == "max"])
    criteria = [pair for pair in pairs if pair[0] != "max"]
    found = await last_observations(work, criteria, most)
    base = work.request.base_url
    links = [("self", f"{base}/Observation/$lastn?{urlencode(pairs)}")]
    entries = [found_entry(base, each, "match", each.body) for each in found]
    body = bundle("searchset", links, entries, len(found))
    return Response(body, 200, _HEADERS, MEDIA_TYPE)


def _most(given: list[str]) -> int:
    if not given:
        return 1
    [text, *more] = given
    if more:
        raise Malformed("parameter-repeated", "max is given at most 1 times.", location="max")
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MOST and int(text) > 0):
        raise Malformed("parameter-value", "max is a whole number from 1.", location="max")
    return int(text)


LASTN: Final = Operation(
    name="lastn",
    definition="http://hl7.org/fhir/OperationDefinition/Observation-lastn",
    endpoint=lastn,
    levels=frozenset({"type"}),
    types=frozenset({"Observation"}),
)
