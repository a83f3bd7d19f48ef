"""Why a question about codes has no answer here."""

from emr.kernel.errors import Invalid, NotFound


class ValueSetUnknown(NotFound):
    """No value set of this canonical URL is known."""

    def __init__(self, canonical: str, location: str | None = None) -> None:
        super().__init__("value-set-unknown", f"The value set {canonical[:256]} is not known here.", location=location)


class CodeSystemUnknown(Invalid):
    """The answer hangs on codes of a system that is not held here."""

    def __init__(self, canonical: str, location: str | None = None) -> None:
        rule = f"The codes of {canonical[:256]} are not held here, so this cannot be answered."
        super().__init__("code-system-unknown", rule, location=location)


class CodeSystemIncomplete(Invalid):
    """The answer hangs on codes of a system of which only a part is held."""

    def __init__(self, canonical: str, location: str | None = None) -> None:
        rule = f"Only a part of the codes of {canonical[:256]} is held here, so this cannot be answered."
        super().__init__("code-system-incomplete", rule, location=location)


class TooCostly(Invalid):
    """More codes than one answer may hold (valueset-operation-expand.html)."""

    def __init__(self, canonical: str, most: int, location: str | None = None) -> None:
        rule = f"{canonical[:256] or 'This value set'} has more than {most} codes; ask for less of it at a time."
        super().__init__("too-costly", rule, location=location)


class DefinitionUnusable(Invalid):
    """A value set or code system says something that cannot be followed: a cycle, a filter, a contained reference."""
