"""Python's collector of cycles, set for processes that make many objects and few cycles."""

import gc
from typing import Final

_THRESHOLDS: Final = (20_000, 20, 50)


def look_seldom() -> None:
    """Look for cycles after many new objects only: as it comes, the collector takes a quarter of a process's start."""
    gc.set_threshold(*_THRESHOLDS)


def leave_old_objects_alone() -> None:
    """What has been made by now stays, and is not walked again and again: each walk stops the loop for tens of ms, and
    an import that walked the definitions with every few hundred lines took half as long again.
    """
    gc.collect()
    gc.freeze()
    look_seldom()
