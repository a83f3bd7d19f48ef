"""The source as the architecture tests read it: parsed, never imported."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PLATFORM = ROOT / "platform"


@dataclass(frozen=True)
class Module:
    """One file of the service or of the demo."""

    path: Path
    name: str
    tree: ast.Module
    lines: int

    @property
    def shown(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def room(self) -> str:
        """The package below `emr`, such as `records`; the file's own name for `app` and `cli`."""
        return self.name.split(".")[1] if "." in self.name else ""

    def imports(self) -> Iterator[str]:
        """Every module that is imported, with the names taken from it."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


@cache
def modules(package: str = "emr") -> tuple[Module, ...]:
    """Every module of a package; migrations are records of the past and are left out."""
    found = []
    for path in sorted((PLATFORM / package).rglob("*.py")):
        if "migrations" in path.parts and path.parent.name != "migrations":
            continue
        text = path.read_text("utf-8")
        parts = path.relative_to(PLATFORM).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        found.append(Module(path, name, ast.parse(text), text.count("\n")))
    return tuple(found)


def everything() -> tuple[Module, ...]:
    """Every module of the service and of the demo; parsed when it is asked for, and not by who only collects tests."""
    return (*modules(), *modules("emr_demo"))
