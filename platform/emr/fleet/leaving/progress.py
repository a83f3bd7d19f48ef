"""How far an export has come, in one small file beside what it has written."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from emr.fleet.leaving.layout import PROGRESS, FileFact
from emr.fleet.leaving.shelf import put_file


@dataclass(slots=True)
class Progress:
    """`facts`: what was settled at the moment. `done`: phases that are over, with their files. `place`: where the
    phase under way stands, and its growing files.
    """

    root: Path
    facts: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)
    done: dict[str, list[FileFact]] = field(default_factory=dict)
    place: dict[str, Any] = field(default_factory=dict)
    shelf: dict[str, Any] | None = None

    @classmethod
    def of(cls, root: Path) -> "Progress":
        """What the folder's file says; a beginning where there is none."""
        path = root / PROGRESS
        if not path.exists():
            return cls(root)
        kept = json.loads(path.read_bytes())
        kept["done"] = {phase: [FileFact(**each) for each in facts] for phase, facts in kept["done"].items()}
        return cls(root, **kept)

    def keep(self) -> None:
        """Write it down; what it speaks of must be on the disk already."""
        kept = {name: value for name, value in asdict(self).items() if name != "root"}
        put_file(self.root, PROGRESS, json.dumps(kept).encode())

    def over(self, phase: str, files: list[FileFact]) -> None:
        """The phase under way is over."""
        self.done[phase] = files
        self.place, self.shelf = {}, None
        self.keep()

    def forget(self) -> None:
        """Nothing of it counts any more."""
        self.facts, self.counts, self.done, self.place, self.shelf = {}, {}, {}, {}, None

    def files(self) -> list[FileFact]:
        """Every file of the phases that are over."""
        return sorted((each for files in self.done.values() for each in files), key=lambda each: each.path)
