"""Made-up patients of the demo's two hospitals: who they are, two years of their care, their papers and images.

Owns the stated distributions (`distributions.py`), the drawing of people and visits, and their form as FHIR R4
transaction Bundles. Knows nothing of the service: it makes values and bytes, and `emr_demo.load` takes them in.
"""

from emr_demo.people.generate import generate
from emr_demo.people.hospital import PROFILES, HospitalProfile
from emr_demo.people.stories import canary

__all__ = ["PROFILES", "HospitalProfile", "canary", "generate"]
