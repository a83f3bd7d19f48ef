"""Whether a code is one of a value set or of a code system, and is called what it is said to be."""

import functools
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from emr.definitions.terminology.composing import Versions, value_set
from emr.definitions.terminology.held import Entry
from emr.kernel.errors import Invalid, Malformed, NotFound, Refusal
from emr.records.terminology.concepts import entry_of
from emr.records.terminology.designations import Wording, all_of, display_of
from emr.records.terminology.gather import gather
from emr.records.terminology.which import Which, held
from emr.work.unit import UnitOfWork
from emr.work.use_case import use_case

_CODINGS_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Coded:
    """A code to be judged. system: None where a Coding does not say it."""

    code: str
    system: str | None = None
    version: str | None = None
    display: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """abstract: headings pass as well. language: of the display that is recommended."""

    abstract: bool = False
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """result: valid or not. message: why not, or what else should be known. display: the one to use."""

    result: bool
    message: str | None = None
    display: str | None = None


_Judgement = Verdict | Refusal


@use_case("terminology:read", "terminology.validated")
async def validate_in_value_set(work: UnitOfWork, which: Which, codings: Sequence[Coded], terms: Terms) -> Verdict:
    """Whether any of the codings is in the value set (valueset-operation-validate-code.html).

    Raises `NotFound` (`value-set-unknown`), `Invalid` when the answer hangs on codes that are not held here.
    """
    resource = (await held(work, "ValueSet", which)).resource
    place = f"the value set {resource.get('url', 'that was sent')}"
    judged: list[_Judgement] = []
    for coded in _bounded(codings):
        if coded.system is None:
            judged.append(Verdict(result=False, message=f"The code {coded.code[:64]} has no system."))
            continue
        versions = Versions(stated={coded.system: coded.version} if coded.version else {})
        ready = value_set(await gather(work, resource, versions), resource, versions)
        judged.append(_judge(coded, functools.partial(ready.find, coded.system, coded.code), terms, place))
    return _best(judged)


@use_case("terminology:read", "terminology.validated")
async def validate_in_code_system(work: UnitOfWork, which: Which, codings: Sequence[Coded], terms: Terms) -> Verdict:
    """Whether any of the codings is a code of the code system (codesystem-operation-validate-code.html).

    Raises `NotFound` (`code-system-unknown`), `Invalid` when the answer hangs on codes that are not held here.
    """
    codes = (await held(work, "CodeSystem", which)).codes
    assert codes is not None
    judged: list[_Judgement] = []
    for coded in _bounded(codings):
        if coded.system not in (None, codes.url):
            judged.append(Verdict(result=False, message=f"The code {coded.code[:64]} is of another system."))
        else:
            judged.append(_judge(coded, functools.partial(entry_of, codes, coded.code), terms, codes.url))
    return _best(judged)


def _bounded(codings: Sequence[Coded]) -> Sequence[Coded]:
    if not 0 < len(codings) <= _CODINGS_MOST:
        rule = f"A code is needed, and at most {_CODINGS_MOST} codings."
        raise Malformed("code-missing", rule, location="code")
    return codings


def _judge(coded: Coded, find: Callable[[], Entry | None], terms: Terms, place: str) -> _Judgement:
    try:
        entry = find()
    except (NotFound, Invalid) as refusal:
        return refusal
    named = f"The code {coded.code[:64]}"
    if entry is None:
        return Verdict(result=False, message=f"{named} of {(coded.system or place)[:256]} is not in {place[:256]}.")
    display = display_of(entry, Wording(terms.language))
    if coded.version and entry.version and coded.version != entry.version:
        return Verdict(result=False, message=f"{named} is taken from version {entry.version[:64]}.", display=display)
    if entry.abstract and not terms.abstract:
        return Verdict(result=False, message=f"{named} is a heading and may not stand in data.", display=display)
    if coded.display is not None and not _called(entry, coded.display):
        return Verdict(result=False, message=f"{named} is not called what the display says.", display=display)
    return Verdict(result=True, message=f"{named} is no longer active." if entry.inactive else None, display=display)


def _called(entry: Entry, display: str) -> bool:
    """Case and white space do not matter; where no name is known, any will do."""
    names = [
        entry.display,
        entry.concept.display if entry.concept else None,
        *(each["value"] for each in all_of(entry)),
    ]
    known = {_plain(name) for name in names if name}
    return not known or _plain(display) in known


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _best(judged: Sequence[_Judgement]) -> Verdict:
    """A coding that is valid decides; then one that cannot be judged; then the first that is not valid."""
    verdicts = [each for each in judged if isinstance(each, Verdict)]
    for verdict in verdicts:
        if verdict.result:
            return verdict
    for each in judged:
        if isinstance(each, Refusal):
            raise each
    return verdicts[0]
