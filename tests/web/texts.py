"""Every text that a page can show: read from the templates and from marked texts in Python."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOMS = Path(__file__).parents[2] / "platform" / "emr"
_SAID = re.compile(r'\bt\(\s*"((?:[^"\\]|\\.)*)"')
_VIETNAMESE = re.compile(r"[àáảãạăằắẳẵặâầấẩẫậèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵđ]", re.IGNORECASE)
_CODE = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", re.DOTALL)


def templates() -> Iterator[Path]:
    yield from sorted(ROOMS.glob("*/templates/**/*.html"))


def texts() -> Iterator[str]:
    """Texts of `t("…")` in templates and of `mark("…")` in Python."""
    for path in templates():
        yield from _SAID.findall(path.read_text(encoding="utf-8"))
    for path in ROOMS.rglob("*.py"):
        yield from _marked(ast.parse(path.read_text(encoding="utf-8")))


def _marked(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "mark":
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def untold(path: Path) -> list[str]:
    """Vietnamese words of a template that stand outside `t()`, whether between tags or in attributes."""
    source = path.read_text(encoding="utf-8")
    without_calls = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", source, flags=re.DOTALL)
    return [line.strip() for line in without_calls.splitlines() if _VIETNAMESE.search(line)]
