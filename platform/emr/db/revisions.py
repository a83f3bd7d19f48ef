"""The newest revision of a hospital's schema, known without loading the migrations' machinery.

Scripts are named `<history>_<number>.py` and the highest number is the head; a test holds this against Alembic.
"""

from functools import cache
from importlib import resources


@cache
def newest_hospital_revision() -> str:
    """Such as `tenant_0001`."""
    scripts = resources.files("emr.db").joinpath("migrations", "tenant").iterdir()
    return max(script.name.removesuffix(".py") for script in scripts if script.name.startswith("tenant_"))
