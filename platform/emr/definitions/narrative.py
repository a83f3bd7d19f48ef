"""The XHTML of a narrative (https://hl7.org/fhir/R4/narrative.html#xhtml): text, tables, lists, links, images.

Parsed by expat with declarations refused where they begin, so that no entity is ever defined, let alone expanded.
"""

import re
from typing import Final
from xml.parsers import expat

_ELEMENTS: Final = frozenset(
    """
    a abbr acronym address b big blockquote br caption cite code col colgroup dd del dfn div dl dt em h1 h2 h3 h4 h5 h6
    hr i img ins kbd li ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var
    """.split()  # noqa: SIM905 - a list of 60 quoted names reads worse
)
_ATTRIBUTES: Final = frozenset(
    """
    abbr accesskey align alt axis border cellpadding cellspacing char charoff charset cite class colspan compact coords
    dir frame headers height href hreflang id lang longdesc name nowrap rel rev rowspan rules scope shape span src start
    style summary tabindex title type valign value width xml:lang xml:space xmlns
    """.split()  # noqa: SIM905 - a list of 60 quoted names reads worse
)
_ADDRESSES: Final = frozenset({"href", "src", "cite", "longdesc"})
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_SCHEMES: Final = frozenset({"http", "https", "mailto", "tel", "urn"})
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif);base64,[A-Za-z0-9+/=\s]*", re.IGNORECASE)
_STYLE = re.compile(r"(?:(?!url\s*\(|expression\s*\(|behavior|binding)[\w\s:;.,#%()!'\"+/-])*", re.IGNORECASE)
XHTML: Final = "http://www.w3.org/1999/xhtml"


class _Refused(Exception):
    """The text has something that a narrative may not have; the argument is the sentence."""


def fault(text: str) -> str | None:
    """What is wrong with the `div` of a narrative, in one sentence, or None."""
    if not text.startswith("<div"):
        return "A narrative is one XHTML div."
    parser = expat.ParserCreate(encoding="utf-8")
    reader = _Reader()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse_declaration
    parser.EntityDeclHandler = _refuse_declaration
    parser.ProcessingInstructionHandler = _refuse_instruction
    try:
        parser.Parse(text.encode("utf-8"), True)
    except expat.ExpatError:
        return "A narrative is well-formed XHTML without named entities of HTML."
    except _Refused as refused:
        return str(refused)
    return None if reader.seen else "A narrative has text or a picture."


class _Reader:
    """Follows the parser; counts how deep it is and whether there is anything to see."""

    def __init__(self) -> None:
        self.depth = 0
        self.seen = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self.depth == 0 and (name != "div" or attributes.get("xmlns") != XHTML):
            raise _Refused(f"A narrative is one div in the namespace {XHTML}.")
        self.depth += 1
        if self.depth > 100:
            raise _Refused("A narrative is nested at most 100 deep.")
        if name not in _ELEMENTS:
            raise _Refused("A narrative holds an element that is not on the list of harmless ones.")
        self.seen = self.seen or name == "img"
        for attribute, value in attributes.items():
            _check_attribute(attribute, value)

    def end(self, name: str) -> None:  # noqa: ARG002 - the parser has matched the name
        self.depth -= 1

    def text(self, text: str) -> None:
        self.seen = self.seen or not text.isspace()


def _check_attribute(name: str, value: str) -> None:
    if name not in _ATTRIBUTES:
        raise _Refused("A narrative holds an attribute that is not on the list of harmless ones.")
    if name in _ADDRESSES:
        address = "".join(letter for letter in value if letter > " " and letter.isprintable())
        scheme = _SCHEME.match(address)
        if scheme and scheme.group(1).lower() not in _SCHEMES and not _PICTURE.fullmatch(address):
            raise _Refused("A narrative links to an address that is neither of the web nor mail nor a picture.")
    if name == "style" and not _STYLE.fullmatch(value):
        raise _Refused("A narrative has a style that reaches outside.")


def _refuse_declaration(*_: object) -> None:
    raise _Refused("A narrative has no document type and declares no entities.")


def _refuse_instruction(*_: object) -> None:
    raise _Refused("A narrative has no processing instructions.")
