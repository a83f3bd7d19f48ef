"""The hospital's organization at the identity provider: made in Keycloak if the platform may, else left as it is."""

from emr.fleet.onboarding import MakeOrganization
from emr.identity.provisioning import Organization, Organizations
from emr.settings import Settings
from emr.tenancy.definition import HospitalFile


def organizations_of(settings: Settings) -> MakeOrganization:
    """How organizations come about under these settings. Several may be made at a time."""

    def make(hospital: HospitalFile, known: str | None) -> str | None:
        provider = Organizations(settings.identity)
        if not provider.configured:
            return known
        part = hospital.identity
        return provider.ensure(Organization(part.organization, hospital.name, part.domains), known)

    return make
