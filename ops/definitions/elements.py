"""Structure definitions to element tables: what a type adds to its base, nested elements under their dotted path."""

from typing import Any

PREFIX = "http://hl7.org/fhir/StructureDefinition/"
FHIRPATH = "http://hl7.org/fhirpath/System."
FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
CORRECTED = {"Resource.id": ["id"], "Extension.url": ["uri"], "Element.id": ["string"]}
"""Where the published snapshots name a FHIRPath type or, for the id of a resource, a wider one than the text says."""

FOREIGN = {
    "Binary": {"url"},
    "DeviceDefinition": {"bodySite", "classification"},
    "Meta": {"account", "accounts", "author", "compartment", "onBehalfOf", "project"},
    "ObservationDefinition": {"publisher"},
    "ResearchStudy": {
        *("associatedParty", "classifier", "comparisonGroup", "descriptionSummary", "label", "name", "outcomeMeasure"),
        *("progressStatus", "recruitment", "region", "result", "studyDesign", "whyStopped"),
    },
    "ResearchStudy.objective": {"description"},
}
"""Elements that the package adds to its R4: its server's own, and some of R5. None of them is in 4.0.1."""

Json = dict[str, Any]

REPLACED: dict[str, Json] = {
    "EvidenceVariable.characteristic": {
        "description": {"types": ["string"]},
        "definition[x]": {
            "types": [
                "Reference",
                "canonical",
                "CodeableConcept",
                "Expression",
                "DataRequirement",
                "TriggerDefinition",
            ],
            "min": 1,
            "targets": ["Group"],
            "summary": True,
        },
        "usageContext": {"types": ["UsageContext"], "max": "*"},
        "exclude": {"types": ["boolean"]},
        "participantEffective[x]": {"types": ["dateTime", "Period", "Duration", "Timing"]},
        "timeFromStart": {"types": ["Duration"]},
        "groupMeasure": {"types": ["code"], "binding": "http://hl7.org/fhir/ValueSet/group-measure"},
    }
}
"""What the package gives in the form of R5, as 4.0.1 has it (https://hl7.org/fhir/R4/evidencevariable.html)."""


def types(structures: list[Json]) -> tuple[set[str], dict[str, Json]]:
    """The value sets that are required somewhere, and name to `{base, kind, elements}`."""
    bound: set[str] = set()
    compiled: dict[str, Json] = {}
    for structure in structures:
        if structure["resourceType"] == "StructureDefinition" and _belongs(structure):
            compiled.update(_type(structure, bound))
    _correct(compiled)
    bound |= {each["binding"] for kind in REPLACED.values() for each in kind.values() if "binding" in each}
    return bound, {name: compiled[name] for name in sorted(compiled)}


def _correct(compiled: dict[str, Json]) -> None:
    """Take out what is not R4, with the nested types that nothing names any more."""
    for name, elements in FOREIGN.items():
        for own in elements:
            compiled[name]["elements"].pop(own, None) or compiled[name]["elements"].pop(f"{own}[x]")
            _forget(compiled, f"{name}.{own}")
    for name, elements in REPLACED.items():
        for own in compiled[name]["elements"]:
            _forget(compiled, f"{name}.{own}")
        compiled[name]["elements"] = elements
    compiled["EvidenceVariable"]["elements"]["characteristic"]["min"] = 1


def _forget(compiled: dict[str, Json], path: str) -> None:
    for nested in [each for each in compiled if each == path or each.startswith(f"{path}.")]:
        del compiled[nested]


def _belongs(structure: Json) -> bool:
    """The package also carries a type of R4B, which is not in 4.0.1."""
    return structure["kind"] != "logical" and structure.get("fhirVersion") == "4.0.1"


def _type(structure: Json, bound: set[str]) -> dict[str, Json]:
    name = structure["id"]
    base = structure.get("baseDefinition", "").removeprefix(PREFIX)
    kind = structure["kind"]
    compiled: dict[str, Json] = {name: {"base": base or None, "kind": kind, "elements": {}}}
    if structure.get("abstract"):
        compiled[name]["abstract"] = True
    if kind == "primitive-type":
        return compiled
    for element in structure["snapshot"]["element"][1:]:
        path = name + element["path"][len(structure["type"]) :]
        parent, _, own = path.rpartition(".")
        if element["base"]["path"].split(".")[0] != structure["type"] or element["base"]["path"] != element["path"]:
            continue
        if structure.get("derivation") == "constraint":
            continue
        entry = _element(element, bound)
        nested = entry["types"][0] if entry["types"] else ""
        if nested in {"BackboneElement", "Element"}:
            entry["types"] = [path]
            compiled[path] = {"base": nested, "kind": "backbone", "elements": {}}
        compiled[parent]["elements"][own] = entry
    return compiled


def _element(element: Json, bound: set[str]) -> Json:
    entry: Json = {"types": CORRECTED.get(element["path"]) or _types(element)}
    if element["min"]:
        entry["min"] = element["min"]
    if element["max"] != "1":
        entry["max"] = element["max"] if element["max"] == "*" else int(element["max"])
    targets = sorted(
        {target.removeprefix(PREFIX) for kind in element.get("type", []) for target in kind.get("targetProfile", [])}
    )
    if targets and "Resource" not in targets:
        entry["targets"] = targets
    binding = element.get("binding", {})
    if binding.get("strength") == "required":
        entry["binding"] = binding["valueSet"].split("|")[0]
        bound.add(entry["binding"])
    if element.get("isSummary"):
        entry["summary"] = True
    return entry


def _types(element: Json) -> list[str]:
    if reference := element.get("contentReference"):
        return [reference.removeprefix("#")]
    return [_name(kind) for kind in element.get("type", [])]


def _name(kind: Json) -> str:
    if PREFIX + "SimpleQuantity" in kind.get("profile", []):
        return "SimpleQuantity"
    if kind["code"].startswith(FHIRPATH):
        return next(each["valueUrl"] for each in kind["extension"] if each["url"] == FHIR_TYPE)
    return str(kind["code"])
