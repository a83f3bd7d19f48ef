"""Binary (https://hl7.org/fhir/R4/binary.html).

Made by `ops/definitions/typed` from the compiled definitions of FHIR R4; not edited by hand.
"""

# ruff: noqa: N815 - the names are those of FHIR

from __future__ import annotations

from typing import Literal, Required

from emr.definitions.types.datatypes import (
    Reference,
    Resource,
)


class Binary(Resource, total=False):
    resourceType: Required[Literal["Binary"]]
    contentType: Required[str]
    securityContext: Reference
    data: str
