"""What a hospital's file says of a pilot: in which departments the record is written while it begins with some."""

from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from emr.kernel.tenant import Pilot
from emr.tenancy.strict import Strict

Ward = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,64}$")]
Wards = Annotated[tuple[Ward, ...], Field(strict=False, max_length=200)]
WardName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=120)]


class PilotPart(Strict):
    """The departments, and which feature is on in which; one that is not named is on everywhere."""

    departments: dict[Ward, WardName] = Field(
        min_length=1, max_length=200, description="id of the department's Location, as memberships name it, to its name"
    )
    chart: Wards | None = Field(None, description="vital signs, notes, problems, allergies, orders: the chart's facts")
    documents: Wards | None = Field(None, description="papers that are filed, or taken back")
    imaging: Wards | None = Field(None, description="images that people send by DICOMweb, or match; devices go on")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        named = {ward for wards in self.features().values() for ward in wards}
        if unknown := sorted(named - self.departments.keys()):
            raise ValueError(f"names {', '.join(unknown)}, which is not among its departments")
        if idle := sorted(self.departments.keys() - named):
            raise ValueError(f"has {', '.join(idle)} among its departments, where no feature is on")
        return self

    def features(self) -> dict[str, tuple[str, ...]]:
        """The features that are not on everywhere, with the departments where they are."""
        said = {"chart": self.chart, "documents": self.documents, "imaging": self.imaging}
        return {feature: wards for feature, wards in said.items() if wards is not None}


def pilot_of(said: dict[str, Any] | None) -> Pilot | None:
    """The part of a kept definition, as the machinery reads it; None where every department is in."""
    if said is None:
        return None
    part = PilotPart.model_validate(said)
    return Pilot(
        departments=tuple(part.departments.items()),
        features=tuple((feature, frozenset(wards)) for feature, wards in part.features().items()),
    )
