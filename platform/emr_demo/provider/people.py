"""The demo's accounts: one for each role in each hospital, machines too, and the department's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID, uuid5

from emr.identity.principal import DEPARTMENT_ROLES, HOSPITAL_ROLES, MACHINE_ROLES
from emr_demo.people.staff import with_account

_SPACE: Final = UUID("6f0c0a52-6f0e-5c8b-9a3e-2b7e6d1f4c10")

TITLES: Final = {
    "reception": "Tiếp đón",
    "nurse": "Điều dưỡng",
    "doctor": "Bác sĩ",
    "lab": "Xét nghiệm",
    "imaging": "Chẩn đoán hình ảnh",
    "pharmacist": "Dược sĩ",
    "cashier": "Thu ngân",
    "archivist": "Lưu trữ hồ sơ",
    "admin": "Quản trị bệnh viện",
    "privacy": "Cán bộ bảo vệ dữ liệu",
    "visiting": "Bác sĩ hội chẩn, hai bệnh viện",
    "ops": "Điều hành, Sở Y tế",
    "auditor": "Thanh tra, Sở Y tế",
}

_FAMILIES: Final = ("Nguyễn", "Trần", "Lê", "Phạm", "Huỳnh", "Phan", "Vũ", "Võ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô")
_MIDDLES: Final = ("Thị", "Văn", "Minh", "Thanh", "Ngọc", "Hoàng", "Kim", "Đức", "Thu", "Quốc", "Bảo", "Gia")
_GIVENS: Final = ("An", "Bình", "Chi", "Dung", "Giang", "Hà", "Khoa", "Lan", "Mai", "Nam", "Oanh", "Phúc", "Quân", "Vy")

DEPARTMENT: Final = "city"


@dataclass(frozen=True, slots=True)
class Hospital:
    """A hospital as an organization of the provider: its alias is the slug."""

    alias: str
    name: str
    organization_id: str


@dataclass(frozen=True, slots=True)
class Account:
    """A person or a machine that can be signed in. `hospital` is None for the department's people.

    `also` are further hospitals where a person has the same role. The other fields are those of
    `emr.identity.memberships.Membership`.
    """

    subject: str
    username: str
    name: str
    role: str
    hospital: Hospital | None
    duties: frozenset[str] = frozenset()
    wards: frozenset[str] = frozenset()
    practitioner: str | None = None
    also: tuple[Hospital, ...] = ()

    @property
    def hospitals(self) -> tuple[Hospital, ...]:
        """Where the account is known to work."""
        return () if self.hospital is None else (self.hospital, *self.also)

    @property
    def acr(self) -> str:
        """How surely the demo's click counts: "2", with a second factor, for those who may not come in without."""
        return "2" if self.duties or self.role in ("admin", *DEPARTMENT_ROLES) else "1"

    @property
    def title(self) -> str:
        """What the account is there for, on the page to choose one."""
        return TITLES["visiting" if self.also else next(iter(self.duties), self.role)]

    @property
    def machine(self) -> bool:
        """Whether this is a program: never on the page, only through client credentials."""
        return self.role in MACHINE_ROLES


def organization_id(alias: str) -> str:
    """The provider's id of a hospital's organization, the same after every start."""
    return str(uuid5(_SPACE, f"organization:{alias}"))


def subject_of(username: str) -> str:
    """The provider's id of an account such as `doctor@hoa-sen`, the same after every start."""
    return str(uuid5(_SPACE, f"account:{username}"))


def hospital(alias: str, name: str) -> Hospital:
    """A hospital from its slug and its name."""
    return Hospital(alias=alias, name=name, organization_id=organization_id(alias))


def accounts(hospitals: Iterable[Hospital]) -> tuple[Account, ...]:
    """Every account of the demo, hospital by hospital in the order of the roles, then the department's.

    Beside one for each role a hospital has its privacy officer, `privacy@<slug>`, who is an archivist by role. Where
    there is a second hospital, a doctor of the first works there, too: `visiting@<slug>`.
    """
    hospitals = tuple(hospitals)
    found: list[Account] = []
    for place in hospitals:
        found += [_account(role, place) for role in HOSPITAL_ROLES]
        found.append(_privacy_officer(place))
        found += [_account(role, place) for role in MACHINE_ROLES]
    if len(hospitals) > 1:
        found.append(_visiting_doctor(hospitals[0], hospitals[1]))
    return (*found, *(_account(role, None) for role in DEPARTMENT_ROLES))


def _account(role: str, place: Hospital | None) -> Account:
    username = f"{role}@{place.alias if place else DEPARTMENT}"
    name = username if role in MACHINE_ROLES else _invented_name(username)
    account = Account(subject=subject_of(username), username=username, name=name, role=role, hospital=place)
    member = with_account(place.alias, role) if place else None
    if place is None or member is None:
        return account
    return replace(
        account,
        name=member.text,
        wards=frozenset({f"{place.alias}-{member.department}"}),
        practitioner=f"{place.alias}-{member.id}",
    )


def _privacy_officer(place: Hospital) -> Account:
    username = f"privacy@{place.alias}"
    return Account(
        subject=subject_of(username),
        username=username,
        name=_invented_name(username),
        role="archivist",
        hospital=place,
        duties=frozenset({"privacy"}),
    )


def _visiting_doctor(place: Hospital, other: Hospital) -> Account:
    username = f"visiting@{place.alias}"
    name = f"BS. {_invented_name(username)}"
    return Account(
        subject=subject_of(username), username=username, name=name, role="doctor", hospital=place, also=(other,)
    )


def _invented_name(username: str) -> str:
    """A made-up Vietnamese name, always the same for one account."""
    digest = hashlib.sha256(username.encode()).digest()
    parts = (_FAMILIES, _MIDDLES, _GIVENS)
    return " ".join(names[digest[place] % len(names)] for place, names in enumerate(parts))
