"""The next build: a copy of the code whose hospitals have one script more, and commands run by a build of one's choice."""

import shutil
import sys
from pathlib import Path

from tests.house import ROOT

THIS = ROOT / "platform"
"""The folder of the build that is tested."""
_SCRIPT = '''"""One column and one index more, for a measurement."""

import sqlalchemy as sa
from alembic import op

revision = "{name}"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("grants", sa.Column("measured", sa.Text(), nullable=True))
    op.create_index("grants_measured", "grants", ["measured"])
'''


def next_build(folder: Path) -> tuple[Path, str]:
    """Make it in a folder; gives where it is, and the revision that its hospitals stand at."""
    copy = folder / "next"
    shutil.copytree(THIS / "emr", copy / "emr")
    scripts = copy / "emr" / "db" / "migrations" / "tenant"
    newest = max(path.stem for path in scripts.glob("tenant_*.py"))
    name = f"tenant_{int(newest[-4:]) + 1:04}"
    (scripts / f"{name}.py").write_text(_SCRIPT.format(name=name, before=newest), "utf-8")
    return copy, name


def command_of(*arguments: str | Path) -> list[str | Path]:
    """`emr …` by the build that PYTHONPATH names first."""
    return [sys.executable, "-c", "from emr.cli import main; main()", *arguments]
