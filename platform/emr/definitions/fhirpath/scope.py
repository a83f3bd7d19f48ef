"""What the variables of an expression mean at one moment of its evaluation, and how much it may still do."""

from typing import Any, Final

from emr.definitions.fhirpath.items import Items, Unknown, Value

MOST_STEPS: Final = 500_000
"""Items that one evaluation may ask about: far beyond any honest resource, and well below a second."""


class TooMuch(Unknown):
    """The evaluation has been stopped."""


class _Evaluation:
    """What all scopes of one evaluation share."""

    __slots__ = ("kept", "steps")

    def __init__(self) -> None:
        self.kept: dict[int, Items] = {}
        self.steps = MOST_STEPS


class Scope:
    """`%resource`, `%rootResource`, `%context`; `$this` and `$index` inside the criterion of a function.

    root, resource: as parsed JSON. context: the item that the expression is about.
    """

    __slots__ = ("_evaluation", "context", "index", "resource", "root", "this")

    def __init__(self, root: Any, resource: Any, context: Value, evaluation: _Evaluation | None = None) -> None:
        self.root = root
        self.resource = resource
        self.context = context
        self.this: Items = [context]
        self.index = 0
        self._evaluation = _Evaluation() if evaluation is None else evaluation

    def at(self, item: Any, index: int) -> "Scope":
        """The scope in which a criterion is asked about one item."""
        self.spend(1)
        inner = Scope(self.root, self.resource, self.context, self._evaluation)
        inner.this = [item]
        inner.index = index
        return inner

    def spend(self, steps: int) -> None:
        """Raise `TooMuch` when an evaluation has done more than any honest resource needs."""
        self._evaluation.steps -= steps
        if self._evaluation.steps < 0:
            raise TooMuch("it would take too long")

    @property
    def kept(self) -> dict[int, Items]:
        """Results that are the same wherever they are asked for in this evaluation, by the identity of their tree."""
        return self._evaluation.kept
