"""What a concept is called, in which language and for which use."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from emr.definitions.terminology.held import Entry

Json = dict[str, Any]

LANGUAGES: Final = "urn:ietf:bcp:47"


@dataclass(frozen=True, slots=True)
class Wording:
    """language: of the display, such as `vi`, or None for the code system's own.
    designations: tokens `system|code` of a use, or `urn:ietf:bcp:47|vi` of a language; empty for all.
    """

    language: str | None = None
    designations: tuple[str, ...] = ()


def display_of(entry: Entry, wording: Wording) -> str | None:
    """The text to show: in the language asked for where there is one, the plain display otherwise."""
    if wording.language is not None:
        for each in all_of(entry):
            if speaks(each.get("language"), wording.language):
                return str(each["value"])
    return entry.display


def designations_of(entry: Entry, wording: Wording) -> list[Json]:
    """The designations that were asked for, the value set's own first."""
    wanted = [_token(each) for each in wording.designations]
    return [each for each in all_of(entry) if not wanted or any(_is(each, token) for token in wanted)]


def all_of(entry: Entry) -> Iterator[Json]:
    """Every designation of a code, each once."""
    seen: list[Json] = []
    given = [*(entry.listed or {}).get("designation", ()), *(entry.concept.designations if entry.concept else ())]
    for each in given:
        if "value" in each and each not in seen:
            seen.append(each)
            yield each


def speaks(language: str | None, wanted: str) -> bool:
    """Whether a text's language is the one asked for, or either is a form of the other (RFC 4647, section 3.3.1)."""
    if language is None:
        return False
    one, other = language.lower(), wanted.lower()
    return one == other or one.startswith(f"{other}-") or other.startswith(f"{one}-")


def _token(text: str) -> tuple[str, str]:
    system, _, code = text.rpartition("|")
    return system, code


def _is(designation: Json, token: tuple[str, str]) -> bool:
    system, code = token
    if system == LANGUAGES:
        return speaks(designation.get("language"), code)
    use = designation.get("use", {})
    return (use.get("system", ""), use.get("code")) == (system, code)
