"""From the wizard's fields to what a hospital's file says, and back from a broken rule to its field."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from emr.console.onboarding.checks import Fault
from emr.console.onboarding.words import CATALOGUE, FAULTS, FEATURES, RESERVED_WORD, RULES, TIERS
from emr.kernel.errors import Issue
from emr.tenancy.definition import RESERVED
from emr.web.forms import Form
from emr.web.i18n import mark

DEFAULTS: Final = {
    "feature-outpatient": "yes", "tier": "shared", "cell": "default", "storage": "200", "users": "150",
    "requests": "0", "concurrent": "0",
}  # fmt: skip
_QUOTAS: Final[Mapping[str, str]] = {
    "storage_gib": "storage",
    "users": "users",
    "requests_per_second": "requests",
    "concurrent_requests": "concurrent",
}
"""Field of a definition, and of the form."""
_FIELDS: Final[Mapping[str, str]] = {
    **{f"quotas.{name}": field for name, field in _QUOTAS.items()},
    "dicom.ae_title": "ae_title",
    "dicom.peers": "peers",
    "identity.organization": "slug",
    "identity.domains": "domains",
    "identity.administrator.name": "admin_name",
    "identity.administrator.email": "admin_email",
}
_NUMBER: Final = re.compile(r"-?[0-9]{1,9}")


def said_by(form: Form, cells: Sequence[str]) -> dict[str, Any]:
    """The definition that the form says; what is missing, and what is no figure or network, is refused at its field."""
    slug = form.text("slug", required=mark("Ghi mã của bệnh viện"), limit=64)
    return {
        "slug": slug,
        "name": form.text("name", required=mark("Ghi tên bệnh viện")),
        "facility_code": form.text("facility_code", required=mark("Ghi mã cơ sở khám chữa bệnh"), limit=10),
        "province": form.text("province", required=mark("Ghi mã tỉnh, thành phố"), limit=10),
        "sandbox": form.values.get("sandbox") == "yes",
        "tier": form.choice("tier", TIERS, required=RULES["tier"]),
        "cell": form.choice("cell", dict.fromkeys(cells), required=RULES["cell"]),
        "features": [name for name in FEATURES if form.values.get(f"feature-{name}") == "yes"],
        "quotas": {name: _figure(form, field) for name, field in _QUOTAS.items()},
        "identity": {"organization": slug, "domains": form.text("domains", limit=2000).split()} | _administrator(form),
        "access": {"catalogue": [name for name in CATALOGUE if form.values.get(f"label-{name}") == "yes"]},
    } | _dicom(form)


def refuse(form: Form, issues: Sequence[Issue]) -> None:
    """Say the rule of each field that breaks one."""
    for issue in issues:
        name = field_of(issue.location or "")
        typed = form.values.get(name, "").strip()
        if name == "slug" and typed in RESERVED:
            form.refuse(name, RESERVED_WORD, value=typed)
        elif name in RULES:
            form.refuse(name, RULES[name])
        else:
            form.refuse("slug", mark("Chưa đúng quy tắc: {rule}"), rule=f"{issue.location}: {issue.message}")


def refuse_faults(form: Form, faults: Sequence[Fault]) -> None:
    """Say at each field what stands in the way."""
    for fault in faults:
        form.refuse(field_of(fault.field), FAULTS[fault.code], value=fault.value, owner=fault.owner)


def field_of(path: str) -> str:
    """The form's field of a definition's dotted path; the path's first part where both have one name."""
    return next((field for name, field in _FIELDS.items() if path.startswith(name)), path.partition(".")[0])


def _administrator(form: Form) -> dict[str, Any]:
    name = form.text("admin_name", required=mark("Ghi tên người quản trị đầu tiên"))
    email = form.text("admin_email", required=mark("Ghi thư điện tử của người quản trị đầu tiên"), limit=255)
    return {"administrator": {"name": name, "email": email.lower()}}


def _dicom(form: Form) -> dict[str, Any]:
    title, peers = form.text("ae_title", limit=64), list[dict[str, str]]()
    for line in form.text("peers", limit=4000).splitlines():
        words = line.split()
        if words and (len(words) != 2 or not _is_network(words[1])):
            form.refuse("peers", RULES["peers"])
        elif words:
            peers.append({"ae_title": words[0], "cidr": words[1]})
    if peers and not title:
        form.refuse("ae_title", mark("Ghi AE title của bệnh viện, hoặc bỏ danh sách thiết bị"))
    return {"dicom": {"ae_title": title, "peers": peers}} if title else {}


def _figure(form: Form, name: str) -> int:
    typed = form.text(name, limit=10)
    if not _NUMBER.fullmatch(typed):
        form.refuse(name, RULES[name])
        return 0
    return int(typed)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True
