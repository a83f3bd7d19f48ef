"""What a hospital's file says of access beyond roles: care relationships, labels, hours."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from emr.kernel.tenant import OPEN, Access, Codes, LabelRule, Window
from emr.tenancy.strict import Strict

Role = Literal["reception", "nurse", "doctor", "lab", "imaging", "pharmacist", "cashier", "archivist", "admin"]
Bound = Literal["nurse", "doctor", "lab", "imaging", "pharmacist", "archivist"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Label = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9-]{1,31}$")]
System = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*:[^\s|]{1,500}$")]
Code = Annotated[str, StringConstraints(pattern=r"^[^\s|]{1,64}$")]
Hour = Annotated[str, StringConstraints(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")]
Catalogued = Literal["HIV", "PSY", "EMP", "CEL"]
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class SpanPart(Strict):
    """Codes of one system from one to another, both with all that begins with them."""

    system: System
    first: Code
    last: Code | None = Field(None, description="the same as first unless said")


class MarkPart(Strict):
    """A security label or tag in a resource's meta."""

    system: System
    code: Code


class LabelPart(Strict):
    """A rule of the hospital's own: which resources bear a label, and from whom it hides nothing."""

    label: Label
    types: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z]{1,63}$")], ...] = Field((), strict=False)
    codes: tuple[SpanPart, ...] = Field((), strict=False, max_length=200)
    marks: tuple[MarkPart, ...] = Field((), strict=False, max_length=50)
    identifiers: tuple[System, ...] = Field((), strict=False, max_length=50)
    cleared_roles: tuple[Role, ...] = Field((), strict=False)
    treating_sees: bool = True

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.codes or self.marks or self.identifiers):
            raise ValueError("names codes, marks or identifiers")
        return self


class WindowPart(Strict):
    """Hours in which roles may work, in the hospital's time; a role that no window names may at any time."""

    roles: tuple[Role, ...] = Field(strict=False, min_length=1)
    days: tuple[Day, ...] = Field(_DAYS, strict=False, min_length=1)
    begin: Hour = "00:00"
    end: Hour = Field("24:00", description="earlier than begin: of the day after")


class AccessPart(Strict):
    """How strict a hospital is beyond roles; unless said, roles decide alone."""

    care_relationship: Literal["open", "ward", "encounter"] = "open"
    grace_days: int = Field(30, ge=0, le=365, description="how long a care relationship outlasts its end")
    bound_roles: tuple[Bound, ...] = Field(("doctor", "nurse"), strict=False)
    windows: tuple[WindowPart, ...] = Field((), strict=False, max_length=50)
    catalogue: tuple[Catalogued, ...] = Field((), strict=False, description="labels by the platform's own rules")
    labels: tuple[LabelPart, ...] = Field((), strict=False, max_length=50)


def access_of(said: dict[str, Any] | None) -> Access:
    """The part of a kept definition, as the machinery reads it; definitions of before it was there are open."""
    if not said:
        return OPEN
    part = AccessPart.model_validate(said)
    return Access(
        care=part.care_relationship,
        grace_days=part.grace_days,
        bound=frozenset(part.bound_roles) if part.care_relationship != "open" else frozenset(),
        windows=tuple(_window(each) for each in part.windows),
        catalogue=frozenset(part.catalogue),
        labels=tuple(_rule(each) for each in part.labels),
    )


def _window(part: WindowPart) -> Window:
    days = frozenset(_DAYS.index(day) for day in part.days)
    return Window(frozenset(part.roles), days, _minute(part.begin), _minute(part.end))


def _minute(text: str) -> int:
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)


def _rule(part: LabelPart) -> LabelRule:
    return LabelRule(
        label=part.label,
        types=frozenset(part.types),
        codes=tuple(Codes(each.system, ((each.first, each.last or each.first),)) for each in part.codes),
        marks=frozenset((each.system, each.code) for each in part.marks),
        identifiers=frozenset(part.identifiers),
        roles=frozenset(part.cleared_roles),
        treating=part.treating_sees,
    )
