"""The FHIRPath of R4's search parameters, followed step by step through one resource.

Members, `|`, `where(x='y')`, `where(resolve() is T)`, `as`, `[0]`, `.exists()`: more does not occur. What a value is
comes from the definition of the element that it stands in.
"""

import functools
import re
from dataclasses import dataclass
from typing import Any

from emr.definitions import model

_TOKEN = re.compile(r"\s*('[^']*'|\d+|%?[A-Za-z]\w*|!=|.)")
_RELATIVE = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)/[A-Za-z0-9.-]{1,64}(?:/_history/[A-Za-z0-9.-]+)?")


@dataclass(frozen=True)
class Node:
    """A value and the data type that it has; `binding`: the required value set of a code; `place`: of its element."""

    type: str
    value: Any
    binding: str | None = None
    place: str = ""


def evaluate(expression: str, root: Node, resource: Node) -> list[Node]:
    """The nodes that an expression gives at `root`, a node of `resource`."""
    return _Walk(tuple(_TOKEN.findall(expression.strip())), resource).union([root])


def below(node: Node, name: str) -> list[Node]:
    """The members of a node by the name of their element, without the type of a choice."""
    if not isinstance(node.value, dict):
        return []
    element = _elements(node.type).get(name)
    if element is None:
        return []
    found = []
    for member, kind in element.members().items():
        held = node.value.get(member, [])
        for each in held if isinstance(held, list) else [held]:
            if each is not None:
                found.append(Node(kind, each, element.binding, f"{node.place}.{name}"))
    return found


def type_of_target(reference: Any) -> str | None:
    """What a reference points to, as far as it can be told without fetching it."""
    text = reference.get("reference", "")
    found = _RELATIVE.fullmatch(text)
    if found and found[1] in model.resource_types():
        return found[1]
    said = reference.get("type")
    return said if isinstance(said, str) else None


@functools.cache
def _elements(type_: str) -> dict[str, model.Element]:
    return model.type_of(type_).elements


class _Walk:
    """A recursive descent that evaluates while it reads."""

    def __init__(self, tokens: tuple[str, ...], resource: Node) -> None:
        self.tokens, self.resource, self.at = tokens, resource, 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        assert token, self.tokens
        assert token == (expected or token), (self.tokens, self.at, expected)
        self.at += 1
        return token

    def union(self, nodes: list[Node]) -> list[Node]:
        found = self.cast(nodes)
        while self.peek() == "|":
            self.take("|")
            found = found + self.cast(nodes)
        return found

    def cast(self, nodes: list[Node]) -> list[Node]:
        found = self.path(nodes)
        while self.peek() == "as":
            self.take("as")
            found = _of_type(found, self.take())
        return found

    def path(self, nodes: list[Node]) -> list[Node]:
        found = self.first(nodes)
        while self.peek() in (".", "["):
            if self.take() == "[":
                place = int(self.take())
                self.take("]")
                found = found[place : place + 1]
            else:
                found = self.step(found)
        return found

    def first(self, nodes: list[Node]) -> list[Node]:
        if self.peek() == "(":
            self.take("(")
            found = self.union(nodes)
            self.take(")")
            return found
        name = self.take()
        if name == "%resource" or name in (self.resource.type, "Resource", "DomainResource"):
            return [self.resource]
        return [each for node in nodes for each in below(node, name)]

    def step(self, nodes: list[Node]) -> list[Node]:
        name = self.take()
        if self.peek() != "(":
            return [each for node in nodes for each in below(node, name)]
        self.take("(")
        if name == "as":
            found = _of_type(nodes, self.take())
        else:
            assert name == "where", self.tokens
            found = self.where(nodes)
        self.take(")")
        return found

    def where(self, nodes: list[Node]) -> list[Node]:
        name = self.take()
        if name == "resolve":
            for each in ("(", ")", "is"):
                self.take(each)
            kind = self.take()
            return [node for node in nodes if type_of_target(node.value) == kind]
        self.take("=")
        wanted = self.take().strip("'")
        return [node for node in nodes if any(each.value == wanted for each in below(node, name))]


def _of_type(nodes: list[Node], name: str) -> list[Node]:
    wanted = name[0].lower() + name[1:] if name == "DateTime" else name
    same = {"Quantity": {"Quantity", "SimpleQuantity"}}.get(wanted, {wanted})
    return [node for node in nodes if node.type in same]
