"""A row of the trail as a FHIR R4 AuditEvent, by the patterns of IHE BALP (profiles.ihe.net/ITI/BALP). Pure.

One row is one AuditEvent, also where it names several patients, and never holds what was searched for; the trail knows
no network address of a client. So no BALP profile is claimed in `meta`.
"""

from collections.abc import Iterable
from typing import Any, Final

from emr.privacy.trail import Entry

Resource = dict[str, Any]

ACTION: Final = "urn:emr:audit-action"
"""System of the trail's own names of events, such as `note.signed`."""
SUBJECT: Final = "urn:emr:subject"
"""System of what the identity provider calls a person or a client."""
INTERACTION: Final = "http://hl7.org/fhir/restful-interaction"
TYPE: Final = {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"}

_DICOM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_PARTICIPATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_ENTITY: Final = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_OBJECT: Final = "http://terminology.hl7.org/CodeSystem/object-role"
_REASON: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_SERVER_TYPE: Final = {"system": "http://terminology.hl7.org/CodeSystem/security-source-type", "code": "4"}
_REQUEST: Final = {"system": "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType", "code": "XrequestId"}
_WRITES: Final = {"create": "C", "update": "U", "delete": "D"}
_INTERACTIONS: Final = {
    "record.read": "read",
    "record.history": "history",
    "record.searched": "search",
    "record.transaction": "transaction",
    "C": "create",
    "R": "read",
    "U": "update",
    "D": "delete",
}
_REFUSED: Final = "4"


def action_of(entry: Entry) -> str:
    """`C R U D E` (http://hl7.org/fhir/audit-event-action): what was written, else whether something was shown by id.

    An act that wrote in several ways is an update.
    """
    verbs = {touched[0] for touched in entry.text["touched"]}
    written = {_WRITES[verb] for verb in verbs & _WRITES.keys()}
    if written:
        return written.pop() if len(written) == 1 else "U"
    return "R" if "read" in verbs and entry.text["action"] != "record.searched" else "E"


def outcome_of(entry: Entry) -> str:
    """0 for success, 4 (minor failure) for a refusal (http://hl7.org/fhir/audit-event-outcome)."""
    return "0" if entry.text["outcome"] == "success" else _REFUSED


def subtypes_of(entry: Entry) -> list[Resource]:
    """The interaction, where there is one of FHIR, and the trail's own name of the event."""
    name, action = entry.text["action"], action_of(entry)
    interaction = _INTERACTIONS.get(name) or _INTERACTIONS.get(action)
    own = {"system": ACTION, "code": name}
    return [{"system": INTERACTION, "code": interaction}, own] if interaction else [own]


def audit_event(entry: Entry, site: str, base: str) -> Resource:
    """The AuditEvent of an entry: `site` is the hospital's name, `base` its FHIR endpoint."""
    text = entry.text
    codes = text["detail"].get("codes")
    event: Resource = {
        "resourceType": "AuditEvent",
        "id": str(entry.number),
        "meta": {"versionId": "1", "lastUpdated": text["at"]},
        "type": TYPE,
        "subtype": subtypes_of(entry),
        "action": action_of(entry),
        "recorded": text["at"],
        "outcome": outcome_of(entry),
    }
    event |= {"outcomeDesc": ", ".join(codes)} if codes else {}
    event |= {"purposeOfEvent": purpose} if (purpose := _purpose(text)) else {}
    return event | {
        "agent": list(_agents(entry, site, base)),
        "source": {"site": site, "observer": {"display": site}, "type": [_SERVER_TYPE]},
        "entity": list(_entities(text)),
    }


def _purpose(text: Resource) -> list[Resource]:
    """Why: `BTG` where a glass was broken; else what the row's detail says, when it does (v3 PurposeOfUse)."""
    code = "BTG" if text["action"].startswith("break-glass.") else text["detail"].get("purpose")
    return [{"coding": [{"system": _REASON, "code": code}]}] if code else []


def _agents(entry: Entry, site: str, base: str) -> Iterable[Resource]:
    """Who asked and who answered. Data flow from the source to the destination: from us in a read, else to us."""
    actor, reading = entry.text["actor"], action_of(entry) == "R"
    client, server = ("110152", "110153") if reading else ("110153", "110152")
    if actor is not None:
        who = {"identifier": {"system": SUBJECT, "value": actor["subject"]}, "display": actor["name"]}
        machine = actor["kind"] != "person"
        own = who if machine else {"display": "browser or application"}
        yield {"type": _coded(_DICOM, client), "who": own, "requestor": machine}
        if not machine:
            kind = "AUT" if action_of(entry) in _WRITES.values() else "IRCP"
            person = {"type": _coded(_PARTICIPATION, kind), "who": who, "requestor": True}
            person |= {"altId": actor["subject"], "name": actor["name"]}
            # Who belongs nowhere has none.
            person |= {"role": [_coded("urn:emr:role", actor["role"])]} if actor["role"] else {}
            yield person | ({"purposeOfUse": purpose} if (purpose := _purpose(entry.text)) else {})
    else:
        yield {"type": _coded(_DICOM, client), "who": {"display": "not known"}, "requestor": True}
    network = {"address": base, "type": "5"}
    yield {"type": _coded(_DICOM, server), "who": {"display": site}, "requestor": False, "network": network}


def _entities(text: Resource) -> Iterable[Resource]:
    yield {"type": _REQUEST, "what": {"identifier": {"value": text["request"]}}}
    for _, kind, key, version in text["touched"]:
        place = f"{kind}/{key}" + (f"/_history/{version}" if version else "")
        what = {"reference": place, "type": kind}
        yield {"what": what, "type": {"system": _ENTITY, "code": "2"}, "role": {"system": _OBJECT, "code": "4"}}
    for patient in text["patients"]:
        what = {"reference": f"Patient/{patient}", "type": "Patient"}
        yield {"what": what, "type": {"system": _ENTITY, "code": "1"}, "role": {"system": _OBJECT, "code": "1"}}
    if text["action"] == "record.searched":
        named = ", ".join(map(str, text["detail"].get("parameters", ())))
        query: Resource = {"type": {"system": _ENTITY, "code": "2"}, "role": {"system": _OBJECT, "code": "24"}}
        yield query | ({"description": f"by {named}"} if named else {})


def _coded(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}
