"""What the web service may not load: each worker process would hold it."""

import subprocess
import sys

_APART = ("pydicom", "numpy", "gdcm", "PIL", "pypdfium2", "pynetdicom", "deltalake", "pyarrow", "alembic")
"""Readers and decoders of what strangers send (they run in processes apart), and what other commands are made of."""
_ASKED = "import sys, emr.cli, emr.app; print(*(name for name in sys.argv[1:] if name in sys.modules))"


class TestWebService:
    def test_it_loads_no_library_of_images_or_of_other_commands(self):
        done = subprocess.run([sys.executable, "-c", _ASKED, *_APART], capture_output=True, text=True, check=True)
        assert done.stdout.split() == []
