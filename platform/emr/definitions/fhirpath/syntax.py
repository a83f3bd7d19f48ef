"""Text of an expression to a tree of tuples (http://hl7.org/fhirpath/N1/grammar.html)."""

import re
from decimal import Decimal
from typing import Any, Final

Tree = tuple[Any, ...]
"""`("lit", value)`, `("name", text)`, `("call", name, [trees])`, `("dot", left, right)`, `("at", left, index)`,
`("var", name)`, `("this",)`, `("number",)`, `("none",)`, `("minus", tree)`, `("is" | "as", tree, type)`,
`("op", symbol, left, right)`."""

LONGEST: Final = 10_000
"""Characters of an expression."""
DEEPEST: Final = 100

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<comment>//[^\n]*|/\*.*?\*/)
    | (?P<moment>@T?[0-9][0-9T:.+-]*Z?)
    | (?P<number>[0-9]+(?:\.[0-9]+)?)
    | (?P<text>'(?:[^'\\]|\\.)*')
    | (?P<quoted>`(?:[^`\\]|\\.)*`)
    | (?P<var>%(?:[A-Za-z_][A-Za-z0-9_-]*|`[^`]*`|'[^']*'))
    | (?P<own>\$(?:this|index|total))
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<sign><=|>=|!=|!~|[-+*/&|<>=~.,()\[\]{}])
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}
_BINDS: Final = {
    "implies": 1, "or": 2, "xor": 2, "and": 3, "in": 4, "contains": 4, "=": 5, "~": 5, "!=": 5, "!~": 5,
    "<": 6, "<=": 6, ">": 6, ">=": 6, "|": 7, "is": 8, "as": 8, "+": 9, "-": 9, "&": 9,
    "*": 10, "/": 10, "div": 10, "mod": 10,
}  # fmt: skip
"""Operators by how tightly they bind, all of them from the left."""


class Unreadable(ValueError):
    """The expression is not FHIRPath, or uses what is not supported here; the argument says what."""


def parse(text: str) -> Tree:
    """The tree of an expression. Raises `Unreadable`."""
    if len(text) > LONGEST:
        raise Unreadable(f"an expression has at most {LONGEST} characters")
    reader = _Reader(_tokens(text))
    tree = reader.expression(0)
    if reader.kind != "end":
        raise Unreadable(f"nothing was expected before {reader.text[:20]}")
    if _depth(tree) > DEEPEST:
        raise Unreadable(f"an expression is nested at most {DEEPEST} deep")
    return tree


def _depth(tree: Tree) -> int:
    """Counted without recursion: `a.a.a…` is as deep as it is long."""
    deepest = 0
    left: list[tuple[Any, int]] = [(tree, 1)]
    while left:
        held, depth = left.pop()
        deepest = max(deepest, depth)
        left += [(each, depth + 1) for each in held if type(each) is tuple or type(each) is list]
    return deepest


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise Unreadable(f"character {at} cannot be read")
        if match.lastgroup != "comment":
            found.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return [*found, ("end", "")]


def _unescaped(text: str) -> str:
    return re.sub(
        r"\\(?:u([0-9a-fA-F]{4})|(.))",
        lambda found: chr(int(found[1], 16)) if found[1] else _ESCAPES.get(found[2], found[2]),
        text[1:-1],
        flags=re.DOTALL,
    )


class _Reader:
    """A parser by precedence; `kind` and `text` are the token that comes next."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    @property
    def kind(self) -> str:
        return self.tokens[self.at][0]

    @property
    def text(self) -> str:
        return self.tokens[self.at][1]

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1][1]

    def skip(self, sign: str) -> None:
        if self.kind not in ("sign", "word") or self.text != sign:
            raise Unreadable(f"{sign} was expected before {self.text[:20] or 'the end'}")
        self.at += 1

    def expression(self, least: int) -> Tree:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Unreadable(f"an expression is nested at most {DEEPEST} deep")
        left = self.unary()
        while (binds := _BINDS.get(self.text, 0) if self.kind in ("sign", "word") else 0) > least:
            symbol = self.take()
            if symbol in ("is", "as"):
                left = (symbol, left, self.type_name())
            else:
                left = ("op", symbol, left, self.expression(binds))
        self.depth -= 1
        return left

    def unary(self) -> Tree:
        negative = False
        while self.kind == "sign" and self.text in "+-":
            negative ^= self.take() == "-"
        tree = self.postfix()
        return ("minus", tree) if negative else tree

    def postfix(self) -> Tree:
        tree = self.term()
        while self.kind == "sign" and self.text in (".", "["):
            if self.take() == ".":
                tree = ("dot", tree, self.invocation())
            else:
                tree = ("at", tree, self.expression(0))
                self.skip("]")
        return tree

    def term(self) -> Tree:
        if self.kind == "sign" and self.text == "(":
            self.take()
            tree = self.expression(0)
            self.skip(")")
            return tree
        if self.kind == "sign" and self.text == "{":
            self.take()
            self.skip("}")
            return ("none",)
        if self.kind in ("number", "text", "moment", "var"):
            return self.literal()
        return self.invocation()

    def literal(self) -> Tree:
        kind, text = self.kind, self.take()
        if kind == "number":
            if self.kind == "text" or (self.kind == "word" and self.text in _UNITS):
                raise Unreadable("quantities are not supported")
            return ("lit", Decimal(text) if "." in text else int(text))
        if kind == "text":
            return ("lit", _unescaped(text))
        return ("lit", text[1:].removesuffix("T")) if kind == "moment" else ("var", text[1:].strip("`'"))

    def invocation(self) -> Tree:
        kind, text = self.kind, self.take()
        if kind == "own":
            return {"$this": ("this",), "$index": ("number",)}.get(text) or _refuse(text)
        if kind == "quoted":
            return ("name", _unescaped(text))
        if kind != "word":
            raise Unreadable(f"a name was expected before {text[:20] or 'the end'}")
        if self.kind == "sign" and self.text == "(":
            return ("call", text, self.arguments())
        return ("lit", text == "true") if text in ("true", "false") else ("name", text)

    def arguments(self) -> list[Tree]:
        self.skip("(")
        given: list[Tree] = []
        while not (self.kind == "sign" and self.text == ")"):
            if given:
                self.skip(",")
            given.append(self.expression(0))
        self.take()
        return given

    def type_name(self) -> str:
        parts = [self.take().strip("`")]
        while self.kind == "sign" and self.text == ".":
            self.take()
            parts.append(self.take().strip("`"))
        return ".".join(parts)


_UNITS: Final = frozenset(
    f"{unit}{many}"
    for unit in ("year", "month", "week", "day", "hour", "minute", "second", "millisecond")
    for many in ("", "s")
)


def _refuse(text: str) -> Tree:
    raise Unreadable(f"{text} is not supported")
