"""Published packages are read where somebody names a folder of them."""

import os

collect_ignore = [] if os.environ.get("EMR_TEST_PACKAGES") else ["test_published_packages.py"]
