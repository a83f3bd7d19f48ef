"""Bundle (https://hl7.org/fhir/R4/bundle.html).

Made by `ops/definitions/typed` from the compiled definitions of FHIR R4; not edited by hand.
"""

# ruff: noqa: N815 - the names are those of FHIR

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal, Required

from emr.definitions.types.datatypes import (
    BackboneElement,
    Identifier,
    Resource,
    Signature,
)


class BundleEntryRequest(BackboneElement, total=False):
    method: Required[str]
    url: Required[str]
    ifNoneMatch: str
    ifModifiedSince: str
    ifMatch: str
    ifNoneExist: str


class BundleEntryResponse(BackboneElement, total=False):
    status: Required[str]
    location: str
    etag: str
    lastModified: str
    outcome: dict[str, Any]


class BundleEntrySearch(BackboneElement, total=False):
    mode: str
    score: Decimal | int


class BundleEntry(BackboneElement, total=False):
    link: list[BundleLink]
    fullUrl: str
    resource: dict[str, Any]
    search: BundleEntrySearch
    request: BundleEntryRequest
    response: BundleEntryResponse


class BundleLink(BackboneElement, total=False):
    relation: Required[str]
    url: Required[str]


class Bundle(Resource, total=False):
    resourceType: Required[Literal["Bundle"]]
    identifier: Identifier
    type: Required[str]
    timestamp: str
    total: int
    link: list[BundleLink]
    entry: list[BundleEntry]
    signature: Signature
