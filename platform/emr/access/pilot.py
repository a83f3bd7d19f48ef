"""What the pilot of a hospital lets whom write: the one page that says what a feature is and asks for it.

A hospital may begin with some departments (`pilot` of its file). It holds back what people of other departments would
add or change, never what they see: half a record in front of somebody who treats is worse than none. Machines, imports
and jobs belong to no department. It sorts out who writes on paper still, and is no fence: roles and sight stay that.
"""

from collections.abc import Mapping
from typing import Final

from emr.access.permissions import CODES, DESK, GRANTS, MONEY
from emr.identity.principal import Principal
from emr.kernel.errors import Forbidden
from emr.kernel.tenant import Tenant

CHART: Final = "chart"
DOCUMENTS: Final = "documents"
IMAGING: Final = "imaging"
VERBS: Final[Mapping[str, frozenset[str]]] = {
    CHART: frozenset({"vitals:write", "note:write", "problem:write", "allergy:write"}),
    DOCUMENTS: frozenset({"document:write"}),
    IMAGING: frozenset({"imaging:store"}),
}
"""The verbs of each feature."""
_NOBODYS: Final = DESK | MONEY | CODES | {"Subscription", "Provenance"}
"""Types that no feature owns: registering who came goes on everywhere, and what tells of a change goes with it."""
_TYPES: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(("DocumentReference", "Binary"), frozenset({CHART, DOCUMENTS})),
    "DocumentManifest": frozenset({DOCUMENTS}),
    **dict.fromkeys(("ImagingStudy", "Media", "Endpoint"), frozenset({IMAGING})),
    **dict.fromkeys(("DiagnosticReport",), frozenset({CHART, IMAGING})),
}
"""What other features than the chart write. A note is a DocumentReference as a paper is: any of them suffices."""
_CHARTS: Final = frozenset({CHART})
CODE: Final = "department-not-in-pilot"


def withheld(tenant: Tenant, principal: Principal) -> frozenset[str]:
    """The features that are not on for this principal: in none of the departments that it works in."""
    if tenant.pilot is None or principal.kind != "person":
        return frozenset()
    return frozenset(feature for feature, wards in tenant.pilot.features if wards.isdisjoint(principal.wards))


def held_back(tenant: Tenant, role: str, wards: frozenset[str]) -> frozenset[str]:
    """Of the features that a role would have, those that are on in none of these departments."""
    if tenant.pilot is None:
        return frozenset()
    own = GRANTS[role].verbs
    return frozenset(feature for feature, on in tenant.pilot.features if own & VERBS[feature] and on.isdisjoint(wards))


def withheld_verbs(tenant: Tenant, principal: Principal) -> frozenset[str]:
    """What a page does not offer for it."""
    return frozenset().union(*(VERBS[feature] for feature in withheld(tenant, principal)))


def demand_feature(tenant: Tenant, principal: Principal, permission: str) -> None:
    """Raise `Forbidden` for a verb of a feature that is not on for this principal."""
    for feature in withheld(tenant, principal):
        if permission in VERBS[feature]:
            raise _refusal(feature)


def demand_feature_of(tenant: Tenant, principal: Principal, resource_type: str) -> None:
    """Raise `Forbidden` for a change of a type whose features are all off for this principal."""
    if tenant.pilot is None or resource_type in _NOBODYS:
        return
    features = _TYPES.get(resource_type, _CHARTS)
    if features <= withheld(tenant, principal):
        raise _refusal(min(features))


def _refusal(feature: str) -> Forbidden:
    return Forbidden(CODE, f"The hospital's pilot does not have this feature ({feature}) in a department of yours.")
