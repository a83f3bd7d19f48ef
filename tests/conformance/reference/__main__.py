"""A long run: `python -m tests.conformance.reference --minutes 60 --seed 7`, with a PostgreSQL of its own."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from emr_demo.postgres import temporary
from tests.conformance.reference.running import minutes
from tests.house import house


def main() -> int:
    """0 when nothing differed."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.reference")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with temporary() as cluster, tempfile.TemporaryDirectory() as folder, house(cluster, Path(folder)) as made:
        run = asyncio.run(minutes(made, asked.seed, asked.minutes, lambda line: print(line, flush=True)))
    print(f"{run.asked} searches, first seed {asked.seed}: {run.difference or 'no difference'}", flush=True)
    return 1 if run.difference else 0


if __name__ == "__main__":
    sys.exit(main())
