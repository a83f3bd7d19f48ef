"""Constraints of structure definitions: FHIRPath expressions by the type, or its element, that they are about."""

from typing import Any

INHERITED = {"ele-1", "ext-1"}
"""Repeated at every element and every extension, where the tables themselves hold them."""
FOREIGN = {"evv-1"}
"""About elements that are not in R4; see `elements.REPLACED`."""
_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
CORRECTED = {
    "con-3": "clinicalStatus.exists() or verificationStatus.coding.where(system='http://terminology.hl7.org/CodeSystem/"
    "condition-ver-status' and code = 'entered-in-error').exists() or "
    "category.coding.where(code='problem-list-item').empty()",
    "sdf-8a": "(%resource.kind = 'logical' or element.first().path.startsWith(%resource.type)) and ("
    "element.tail().empty() or element.tail().all(path.startsWith("
    "%resource.differential.element.first().path.split('.').first() & '.')))",
    "ppc-2": f"patient.exists() or scope.coding.where(system='{_SCOPE}' and code='patient-privacy').empty()",
    "ppc-3": f"patient.exists() or scope.coding.where(system='{_SCOPE}' and code='research').empty()",
    "ppc-4": f"patient.exists() or scope.coding.where(system='{_SCOPE}' and code='adr').empty()",
    "ras-2": "probability.empty() or (probability is decimal implies (probability as decimal) <= 100)",
    "ppc-5": f"patient.exists() or scope.coding.where(system='{_SCOPE}' and code='treatment').empty()",
}
"""Published expressions that can never fail, or always do, put right by the sentence that they stand beside: con-3
selects booleans and asks whether there are none, ppc-2 to ppc-5 name the system `something`, ras-2 says nothing of a
prediction without a probability. sdf-8a is written without a replacement by regular expression, which is not
supported."""

Json = dict[str, Any]


def constraints(structures: list[Json], types: dict[str, Json]) -> dict[str, list[Json]]:
    """Type to its constraints: `{key, severity, human, expression}`, and `at` for one about an element of the type."""
    compiled: dict[str, list[Json]] = {}
    for structure in structures:
        if structure["resourceType"] != "StructureDefinition" or structure["id"] not in types:
            continue
        for element in structure["snapshot"]["element"]:
            path = structure["id"] + element["path"][len(structure["type"]) :]
            for constraint in element.get("constraint", []):
                _add(compiled, types, path, constraint)
    return {name: compiled[name] for name in sorted(compiled)}


def _add(compiled: dict[str, list[Json]], types: dict[str, Json], path: str, constraint: Json) -> None:
    key = constraint["key"]
    root = path.partition(".")[0]
    if key in INHERITED | FOREIGN or (key.startswith("dom-") and root != "DomainResource"):
        return
    held = path in types
    owner, _, own = (path, "", "") if held else path.rpartition(".")
    entry = {
        "key": key,
        "severity": constraint["severity"],
        "human": " ".join(constraint["human"].split()),
        "expression": CORRECTED.get(key) or " ".join(constraint["expression"].split()),
    }
    if not held:
        entry["at"] = own.removesuffix("[x]")
    if owner in types and entry not in compiled.setdefault(owner, []):
        compiled[owner].append(entry)
