"""The hospital's own resources: organization, departments, and the people who treat; loaded before any patient.

They have ids of our choosing and come by PUT, so that loading them again makes no copies.
"""

from dataclasses import dataclass
from random import Random

from emr_demo.people.fhir import FACILITY, PRACTICE_LICENCE, Resource, TransactionBundle, hl7, refer
from emr_demo.people.hospital import HospitalProfile

PAYER = "Organization/bao-hiem-xa-hoi"


@dataclass(frozen=True)
class Member:
    """Somebody who works there."""

    id: str
    title: str
    family: str
    given: tuple[str, ...]
    female: bool
    department: str
    specialty: str

    @property
    def text(self) -> str:
        """With the title, as on a badge."""
        return f"{self.title} {self.family} {' '.join(self.given)}"


_HOA_SEN = (
    Member("bs-quan", "BS.", "Trần", ("Minh", "Quân"), False, "kham", "Nội khoa"),
    Member("bs-hang", "BS.", "Lê", ("Thu", "Hằng"), True, "kham", "Nội tiết"),
    Member("bs-dat", "BS.", "Nguyễn", ("Thành", "Đạt"), False, "noi", "Nội tổng hợp"),
    Member("bs-nhu", "BS.", "Phạm", ("Quỳnh", "Như"), True, "nhi", "Nhi khoa"),
    Member("bs-vinh", "BS.", "Huỳnh", ("Công", "Vinh"), False, "ngoai", "Ngoại khoa"),
    Member("bs-yen", "BS.", "Đặng", ("Hải", "Yến"), True, "san", "Sản phụ khoa"),
    Member("bs-loc", "BS.", "Võ", ("Phước", "Lộc"), False, "cap-cuu", "Cấp cứu"),
    Member("bs-tam", "BS.", "Bùi", ("Thanh", "Tâm"), True, "cdha", "Chẩn đoán hình ảnh"),
    Member("ktv-son", "KTV.", "Đỗ", ("Hoàng", "Sơn"), False, "xn", "Xét nghiệm"),
    Member("dd-thao", "ĐD.", "Ngô", ("Thị", "Thảo"), True, "kham", "Điều dưỡng"),
)
_CAU_VONG = (
    Member("bs-hieu", "BS.", "Hoàng", ("Trung", "Hiếu"), False, "kham", "Đa khoa"),
    Member("bs-lan", "BS.", "Trịnh", ("Ngọc", "Lan"), True, "noi", "Nội - Nhi"),
    Member("bs-thuy", "BS.", "Phan", ("Thu", "Thủy"), True, "san", "Sản phụ khoa"),
    Member("bs-nam", "BS.", "Lê", ("Hoài", "Nam"), False, "cap-cuu", "Cấp cứu"),
    Member("ktv-hoa", "KTV.", "Trương", ("Văn", "Hòa"), False, "xn", "Xét nghiệm"),
    Member("dd-duyen", "ĐD.", "Hồ", ("Mỹ", "Duyên"), True, "noi", "Điều dưỡng"),
)
_MEMBERS = {"hoa-sen": _HOA_SEN, "cau-vong": _CAU_VONG}
_WITH_ACCOUNTS = {
    "hoa-sen": {"doctor": "bs-quan", "nurse": "dd-thao", "lab": "ktv-son", "imaging": "bs-tam"},
    "cau-vong": {"doctor": "bs-hieu", "nurse": "dd-duyen", "lab": "ktv-hoa"},
}


@dataclass(frozen=True)
class House:
    """Addresses of the hospital's own resources, to refer to."""

    profile: HospitalProfile

    @property
    def organization(self) -> Resource:
        """The hospital."""
        return refer(f"Organization/{self.profile.slug}", self.profile.name)

    def department(self, code: str) -> Resource:
        """A department, or the outpatient department where the hospital has none of that kind."""
        known = dict(self.profile.departments)
        code = code if code in known else "kham"
        return refer(f"Location/{self.profile.slug}-{code}", known[code])

    def member(self, department: str, rng: Random) -> Resource:
        """A doctor of the department, or of the outpatient department."""
        doctors = [one for one in _MEMBERS[self.profile.slug] if one.title == "BS."]
        fitting = [one for one in doctors if one.department == department]
        return self.refer_to(rng.choice(fitting or [one for one in doctors if one.department == "kham"]))

    def technician(self) -> Resource:
        """Who answers for the laboratory."""
        return self.refer_to(next(one for one in _MEMBERS[self.profile.slug] if one.title == "KTV."))

    def named(self, ident: str) -> Resource:
        """One member by the short id above."""
        return self.refer_to(next(one for one in _MEMBERS[self.profile.slug] if one.id == ident))

    def refer_to(self, member: Member) -> Resource:
        """A reference to a member."""
        return refer(f"Practitioner/{self.profile.slug}-{member.id}", member.text)


def with_account(slug: str, role: str) -> Member | None:
    """Who signs in as the demo's account of a role; None where nobody of the record does."""
    short = _WITH_ACCOUNTS.get(slug, {}).get(role)
    return next((one for one in _MEMBERS.get(slug, ()) if one.id == short), None)


def house_bundle(profile: HospitalProfile) -> Resource:
    """Organization, Location, Practitioner and PractitionerRole as one transaction."""
    bundle, house = TransactionBundle(Random(profile.slug)), House(profile)
    bundle.put_known(
        {
            "resourceType": "Organization",
            "id": profile.slug,
            "identifier": [{"system": FACILITY, "value": profile.facility_code}],
            "active": True,
            "type": [hl7("organization-type", "prov", "Cơ sở khám bệnh, chữa bệnh")],
            "name": profile.name,
        }
    )
    bundle.put_known(
        {
            "resourceType": "Organization",
            "id": PAYER.split("/")[1],
            "active": True,
            "type": [hl7("organization-type", "pay", "Cơ quan bảo hiểm")],
            "name": "Bảo hiểm xã hội Việt Nam",
        }
    )
    for code, name in profile.departments:
        bundle.put_known(
            {
                "resourceType": "Location",
                "id": f"{profile.slug}-{code}",
                "status": "active",
                "name": name,
                "mode": "instance",
                "managingOrganization": house.organization,
            }
        )
    for number, member in enumerate(_MEMBERS[profile.slug], 1):
        _put_member(bundle, house, member, number)
    return bundle.finish()


def _put_member(bundle: TransactionBundle, house: House, member: Member, number: int) -> None:
    slug = house.profile.slug
    bundle.put_known(
        {
            "resourceType": "Practitioner",
            "id": f"{slug}-{member.id}",
            "identifier": [{"system": PRACTICE_LICENCE, "value": f"TEST-{house.profile.facility_code}-{number:03d}"}],
            "active": True,
            "name": [
                {"text": member.text, "family": member.family, "given": list(member.given), "prefix": [member.title]}
            ],
            "gender": "female" if member.female else "male",
        }
    )
    bundle.put_known(
        {
            "resourceType": "PractitionerRole",
            "id": f"{slug}-{member.id}",
            "active": True,
            "practitioner": house.refer_to(member),
            "organization": house.organization,
            "specialty": [{"text": member.specialty}],
            "location": [house.department(member.department)],
        }
    )
