"""Modifiers that ask for code lists (`:in :not-in :above :below`), replaced by the codes that they stand for."""

from collections.abc import Iterable
from dataclasses import replace

from emr.kernel.errors import Invalid, NotFound
from emr.records.errors import SearchRefused
from emr.records.search.question import Chain, Criterion, Has, Leaf, Token, Uri, Value
from emr.records.terminology import at_or_above, at_or_below, expand_codes
from emr.work.unit import UnitOfWork

_ASKS: dict[str, str] = {"in": "", "not-in": "not", "above": "", "below": ""}


async def with_codes(work: UnitOfWork, criterion: Criterion) -> Criterion:
    """The criterion with codes in place of value sets. Raises `SearchRefused` where a list cannot be told in full."""
    match criterion:
        case Leaf(parameter=parameter, modifier=modifier) if parameter.kind == "token" and modifier in _ASKS:
            codes: dict[Token, None] = {}
            for value in criterion.values:
                codes |= dict.fromkeys(await _codes(work, criterion, value))
            return replace(criterion, modifier=_ASKS[modifier], values=tuple(codes))
        case Chain(branches=branches):
            made = [(kind, await with_codes(work, inner)) for kind, inner in branches]
            return replace(criterion, branches=tuple(made))
        case Has(criterion=inner):
            return replace(criterion, criterion=await with_codes(work, inner))
        case _:
            return criterion


async def _codes(work: UnitOfWork, leaf: Leaf, value: Value) -> Iterable[Token]:
    try:
        match value:
            case Uri(url):
                return [Token(system, code) for system, code in sorted(await expand_codes(work, url))]
            case Token(str(system), str(code)) if leaf.modifier == "below":
                return [Token(system, each) for each in sorted(await at_or_below(work, system, code))]
            case Token(str(system), str(code)):
                return [Token(system, each) for each in sorted(await at_or_above(work, system, code))]
            case _:
                raise AssertionError(value)
    except (NotFound, Invalid) as refusal:
        raise SearchRefused(refusal.code, refusal.message, leaf.name[:64]) from refusal
