"""Data types of R4, as far as the resource types here use them.

Made by `ops/definitions/typed` from the compiled definitions of FHIR R4; not edited by hand.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Required, TypedDict


class Element(TypedDict, total=False):
    id: str
    extension: list[Extension]


class BackboneElement(Element, total=False):
    modifierExtension: list[Extension]


class Resource(TypedDict, total=False):
    id: str
    meta: Meta
    implicitRules: str
    language: str


class DomainResource(Resource, total=False):
    text: Narrative
    contained: list[dict[str, Any]]
    extension: list[Extension]
    modifierExtension: list[Extension]


class Quantity(Element, total=False):
    value: Decimal | int
    comparator: str
    unit: str
    system: str
    code: str


class Address(Element, total=False):
    use: str
    type: str
    text: str
    line: list[str]
    city: str
    district: str
    state: str
    postalCode: str
    country: str
    period: Period


class Age(Quantity, total=False):
    pass


class Annotation(Element, total=False):
    authorReference: Reference
    authorString: str
    time: str
    text: Required[str]


class Attachment(Element, total=False):
    contentType: str
    language: str
    data: str
    url: str
    size: int
    hash: str
    title: str
    creation: str


class CodeableConcept(Element, total=False):
    coding: list[Coding]
    text: str


class Coding(Element, total=False):
    system: str
    version: str
    code: str
    display: str
    userSelected: bool


class ContactDetail(Element, total=False):
    name: str
    telecom: list[ContactPoint]


class ContactPoint(Element, total=False):
    system: str
    value: str
    use: str
    rank: int
    period: Period


class Dosage(BackboneElement, total=False):
    sequence: int
    text: str
    additionalInstruction: list[CodeableConcept]
    patientInstruction: str
    timing: Timing
    asNeededBoolean: bool
    asNeededCodeableConcept: CodeableConcept
    site: CodeableConcept
    route: CodeableConcept
    method: CodeableConcept
    doseAndRate: list[DosageDoseAndRate]
    maxDosePerPeriod: Ratio
    maxDosePerAdministration: dict[str, Any]
    maxDosePerLifetime: dict[str, Any]


class DosageDoseAndRate(Element, total=False):
    type: CodeableConcept
    doseRange: Range
    doseQuantity: dict[str, Any]
    rateRatio: Ratio
    rateRange: Range
    rateQuantity: dict[str, Any]


class Duration(Quantity, total=False):
    pass


class Extension(Element, total=False):
    url: Required[str]
    valueBase64Binary: str
    valueBoolean: bool
    valueCanonical: str
    valueCode: str
    valueDate: str
    valueDateTime: str
    valueDecimal: Decimal | int
    valueId: str
    valueInstant: str
    valueInteger: int
    valueMarkdown: str
    valueOid: str
    valuePositiveInt: int
    valueString: str
    valueTime: str
    valueUnsignedInt: int
    valueUri: str
    valueUrl: str
    valueUuid: str
    valueAddress: Address
    valueAge: Age
    valueAnnotation: Annotation
    valueAttachment: Attachment
    valueCodeableConcept: CodeableConcept
    valueCoding: Coding
    valueContactPoint: ContactPoint
    valueCount: dict[str, Any]
    valueDistance: dict[str, Any]
    valueDuration: Duration
    valueHumanName: HumanName
    valueIdentifier: Identifier
    valueMoney: dict[str, Any]
    valuePeriod: Period
    valueQuantity: dict[str, Any]
    valueRange: Range
    valueRatio: Ratio
    valueReference: Reference
    valueSampledData: SampledData
    valueSignature: Signature
    valueTiming: Timing
    valueContactDetail: ContactDetail
    valueContributor: dict[str, Any]
    valueDataRequirement: dict[str, Any]
    valueExpression: dict[str, Any]
    valueParameterDefinition: dict[str, Any]
    valueRelatedArtifact: dict[str, Any]
    valueTriggerDefinition: dict[str, Any]
    valueUsageContext: UsageContext
    valueDosage: Dosage
    valueMeta: Meta


class HumanName(Element, total=False):
    use: str
    text: str
    family: str
    given: list[str]
    prefix: list[str]
    suffix: list[str]
    period: Period


class Identifier(Element, total=False):
    use: str
    type: CodeableConcept
    system: str
    value: str
    period: Period
    assigner: Reference


class Meta(Element, total=False):
    versionId: str
    lastUpdated: str
    source: str
    profile: list[str]
    security: list[Coding]
    tag: list[Coding]


class Narrative(Element, total=False):
    status: Required[str]
    div: Required[str]


class Period(Element, total=False):
    start: str
    end: str


class Range(Element, total=False):
    low: dict[str, Any]
    high: dict[str, Any]


class Ratio(Element, total=False):
    numerator: dict[str, Any]
    denominator: dict[str, Any]


class Reference(Element, total=False):
    reference: str
    type: str
    identifier: Identifier
    display: str


class SampledData(Element, total=False):
    origin: Required[dict[str, Any]]
    period: Required[Decimal | int]
    factor: Decimal | int
    lowerLimit: Decimal | int
    upperLimit: Decimal | int
    dimensions: Required[int]
    data: str


class Signature(Element, total=False):
    type: Required[list[Coding]]
    when: Required[str]
    who: Required[Reference]
    onBehalfOf: Reference
    targetFormat: str
    sigFormat: str
    data: str


class Timing(BackboneElement, total=False):
    event: list[str]
    repeat: TimingRepeat
    code: CodeableConcept


class TimingRepeat(Element, total=False):
    boundsDuration: Duration
    boundsRange: Range
    boundsPeriod: Period
    count: int
    countMax: int
    duration: Decimal | int
    durationMax: Decimal | int
    durationUnit: str
    frequency: int
    frequencyMax: int
    period: Decimal | int
    periodMax: Decimal | int
    periodUnit: str
    dayOfWeek: list[str]
    timeOfDay: list[str]
    when: list[str]
    offset: int


class UsageContext(Element, total=False):
    code: Required[Coding]
    valueCodeableConcept: CodeableConcept
    valueQuantity: dict[str, Any]
    valueRange: Range
    valueReference: Reference
