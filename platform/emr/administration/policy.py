"""What the forms of administration mean: pure functions from typed text to requests, refusals by field."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from emr.access.scopes import scope_of
from emr.identity.principal import DUTIES, HOSPITAL_ROLES, MACHINE_ROLES
from emr.kernel.errors import Malformed
from emr.web.answers import ROLE_NAMES
from emr.web.forms import Form
from emr.web.i18n import mark

ROLES: Final[Mapping[str, str]] = {role: ROLE_NAMES[role] for role in HOSPITAL_ROLES}
MACHINES: Final[Mapping[str, str]] = {
    "lis": mark("LIS, hệ thống xét nghiệm"),
    "his": mark("HIS, hệ thống quản lý bệnh viện"),
    "pacs": mark("PACS, kho hình ảnh"),
    "warehouse": mark("Kho dữ liệu"),
}
DUTY_NAMES: Final[Mapping[str, str]] = {"privacy": mark("Phụ trách bảo mật hồ sơ")}
MOST_LEAVERS: Final = 150
LEAVERS_BYTES: Final = 256 * 1024
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
EMAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")
SUBJECT: Final = re.compile(r"[A-Za-z0-9:@._-]{1,255}")
_LABEL: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")
_DISCOVERY: Final = "/.well-known/openid-configuration"
_DOMAIN: Final = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
CHOOSE_OF_LIST: Final = mark("Hãy chọn một mục trong danh sách")
EMAIL_WRONG: Final = mark("Thư điện tử viết dạng ten@benhvien.vn, không dấu")


@dataclass(frozen=True, slots=True)
class Standing:
    """What a member is in the hospital: role, duties, wards (ids of Locations), clearances (labels), own resource."""

    role: str
    duties: frozenset[str]
    wards: frozenset[str]
    clearances: frozenset[str]
    practitioner: str | None


@dataclass(frozen=True, slots=True)
class Invitation:
    """Somebody who is to become a member: by `email`, or by `subject` where the provider is not administered."""

    email: str
    subject: str
    name: str
    standing: Standing


def standing_of(form: Form, wards: Mapping[str, str]) -> Standing:
    """Role, duties and the rest. `wards`: the hospital's, id to name."""
    role = form.choice("role", ROLES, required=mark("Chọn vai trò"))
    chosen = frozenset(ward for ward in wards if form.values.get(f"ward-{ward}"))
    clearances = frozenset(form.text("clearances", limit=600).replace(",", " ").split())
    if any(not _LABEL.fullmatch(each) for each in clearances):
        form.refuse("clearances", mark("Mỗi nhãn là một mã: chữ không dấu, số, gạch nối; cách nhau bằng dấu cách"))
    practitioner = form.text("practitioner", limit=64)
    if practitioner and not _ID.fullmatch(practitioner):
        form.refuse("practitioner", mark("Mã hồ sơ nhân viên gồm chữ không dấu, số, dấu chấm và gạch nối"))
    return Standing(
        role=role,
        duties=frozenset(duty for duty in DUTIES if form.values.get(f"duty-{duty}")),
        wards=chosen,
        clearances=clearances,
        practitioner=practitioner or None,
    )


def name_of(form: Form) -> str:
    """A person's whole name: two words at least, since the provider keeps two parts."""
    name = " ".join(form.text("name", required=mark("Nhập họ và tên"), limit=120).split())
    if name and " " not in name:
        form.refuse("name", mark("Nhập cả họ và tên"))
    return name


def invitation_of(form: Form, wards: Mapping[str, str], *, by_email: bool) -> Invitation:
    """Somebody new."""
    email = subject = ""
    if by_email:
        email = form.text("email", required=mark("Nhập thư điện tử"), limit=254).lower()
        if email and not EMAIL.fullmatch(email):
            form.refuse("email", EMAIL_WRONG)
    else:
        subject = form.text("subject", required=mark("Nhập mã tài khoản"), limit=255)
        if subject and not SUBJECT.fullmatch(subject):
            form.refuse("subject", mark("Mã tài khoản gồm chữ không dấu, số và các dấu : @ . _ -"))
    return Invitation(email, subject, name_of(form), standing_of(form, wards))


def leavers_of(form: Form, file: bytes = b"") -> Sequence[str]:
    """Lines of a pasted list, of a file or of both, each once: e-mail addresses, account ids or names."""
    wanted = "" if file else mark("Dán danh sách, mỗi người một dòng, hoặc chọn một tệp")
    text = form.text("list", required=wanted, limit=20_000)
    if file:
        text = "\n".join([text, *_of_file(form, file)])
    lines = dict.fromkeys(" ".join(line.strip(" \t,;\"'").split()) for line in text.splitlines())
    found = [line for line in lines if line]
    if len(found) > MOST_LEAVERS:
        form.refuse("list", mark("Mỗi lần nhiều nhất {most} người"), most=MOST_LEAVERS)
    return found


def _of_file(form: Form, file: bytes) -> Sequence[str]:
    """Whom each row of a text or CSV file names: the cell that is an e-mail address, else the first that is no number.

    UTF-8, or UTF-16 with its mark as Excel writes "Unicode text"; cells are parted by a comma, semicolon or tab.
    """
    try:
        text = file.decode("utf-16" if file.startswith(_UTF_16) else "utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        form.refuse("file", mark("Tệp phải là văn bản hoặc CSV (UTF-8); từ Excel hãy lưu dạng CSV UTF-8"))
        return ()
    rows = csv.reader(io.StringIO(text), delimiter=_parted_by(text))
    return [named for row in rows if (named := _named([cell.strip() for cell in row]))]


def _parted_by(text: str) -> str:
    first = text.partition("\n")[0]
    return max((",", ";", "\t"), key=first.count)


def _named(cells: Sequence[str]) -> str:
    addresses = [each for each in cells if EMAIL.fullmatch(each)]
    return next(iter([*addresses, *(each for each in cells if each and not each.rstrip(".").isdigit())]), "")


@dataclass(frozen=True, slots=True)
class NewMachine:
    """A machine client that is wanted. `jwks_url`: where its public keys are; "" for one with a secret."""

    name: str
    role: str
    scopes: frozenset[str]
    jwks_url: str


def machine_of(form: Form) -> NewMachine:
    """Name, role, scopes and how it proves itself."""
    name = " ".join(form.text("name", required=mark("Nhập tên hệ thống"), limit=80).split())
    role = form.choice("role", {each: each for each in MACHINE_ROLES}, required=mark("Chọn loại hệ thống"))
    scopes = frozenset(form.text("scopes", limit=2_000).split())
    for scope in sorted(scopes):
        if not _is_system_scope(scope):
            form.refuse("scopes", mark("«{scope}» không phải phạm vi dạng system/Observation.rs"), scope=scope[:60])
    proof = form.choice("proof", {"secret": 1, "keys": 1}, required=mark("Chọn cách xác thực"))
    url = form.text("jwks_url", limit=500) if proof == "keys" else ""
    if proof == "keys" and not url:
        form.refuse("jwks_url", mark("Nhập địa chỉ khóa công khai (JWKS)"))
    return NewMachine(name, role, scopes, url)


def _is_system_scope(scope: str) -> bool:
    try:
        return scope.startswith("system/") and scope_of(scope) is not None
    except Malformed:
        return False


@dataclass(frozen=True, slots=True)
class OwnProvider:
    """A hospital's own OpenID provider. `domain`: whose e-mail addresses lead there; "" for none."""

    issuer: str
    client_id: str
    secret: str = field(repr=False)
    domain: str = ""


def provider_of(form: Form) -> OwnProvider:
    """Issuer, client and secret; the address itself is judged before it is asked."""
    issuer = form.text("issuer", required=mark("Nhập địa chỉ dịch vụ"), limit=500).removesuffix(_DISCOVERY).rstrip("/")
    client_id = form.text("client_id", required=mark("Nhập mã ứng dụng"), limit=255)
    secret = form.text("secret", required=mark("Nhập mật khẩu ứng dụng"), limit=500)
    domain = form.text("domain", limit=253).lower()
    if domain and not _DOMAIN.fullmatch(domain):
        form.refuse("domain", mark("Tên miền viết dạng benhvien.vn"))
    return OwnProvider(issuer, client_id, secret, domain)
