"""The next build: a copy of the code whose hospitals have one script more, and commands run by a build of one's choice."""

import shutil
import sys
from pathlib import Path

from tests.house import ROOT

THIS = ROOT / "platform"
"""The folder of the build that is tested."""
_SCRIPT = '''"""One change more, for a measurement or a test."""

import sqlalchemy as sa
from alembic import op

revision = "{name}"
down_revision = "{before}"
branch_labels = None
depends_on = None
served_from = "{before}"


def upgrade() -> None:
    {change}
'''
EXPAND = """op.add_column("grants", sa.Column("measured", sa.Text(), nullable=True))
    op.create_index("grants_measured", "grants", ["measured"])"""
"""What no older build sees."""
CONTRACT = """op.drop_index("grants_measured", "grants")
    op.drop_column("grants", "measured")"""
"""What the build before does not use any more."""


def next_build(folder: Path, *, after: Path = THIS, change: str = EXPAND) -> tuple[Path, str]:
    """Make the one after another; gives where it is in the folder, and the revision that its hospitals stand at."""
    newest = max(path.stem for path in (after / _SCRIPTS).glob("tenant_*.py"))
    name = f"tenant_{int(newest[-4:]) + 1:04}"
    copy = folder / name
    shutil.copytree(after / "emr", copy / "emr")
    text = _SCRIPT.format(name=name, before=newest, change=change)
    (copy / _SCRIPTS / f"{name}.py").write_text(text, "utf-8")
    return copy, name


def command_of(*arguments: str | Path) -> list[str | Path]:
    """`emr …` by the build that PYTHONPATH names first."""
    return [sys.executable, "-c", "from emr.cli import main; main()", *arguments]


_SCRIPTS = Path("emr", "db", "migrations", "tenant")
