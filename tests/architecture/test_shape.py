"""The shape of the code: what a machine can check of the conventions."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import PLATFORM, ROOT, Module, everything, modules

BANNED = re.compile(r"(^|_)(utils?|helpers?|common|manager|misc|base2?|service2|v2)$")
ONLY_IN = {
    "sqlalchemy": {"db", "tenancy", "identity", "access", "audit", "storage", "work", "records", "warehouse", "fleet"},
    "asyncpg": {"db", "audit", "work", "warehouse"},
    "alembic": {"db"},
    "fastapi": {"app", "web", "fhir", "dicomweb", "smart"},
    "minio": {"storage"},
    "joserfc": {"identity"},
    "keycloak": {"identity"},
    "opentelemetry": {"telemetry"},
    "prometheus_client": {"telemetry"},
    "pynetdicom": {"dimse"},
    "deltalake": {"warehouse"},
}
EDGES = ("pages", "api", "answers", "upload", "arrival")
"""File names of a feature that may speak HTTP."""


def broken(rule: object) -> list[str]:
    return sorted(str(each) for each in rule)  # type: ignore[attr-defined]


class TestFiles:
    def test_platform_is_no_package(self) -> None:
        assert not (PLATFORM / "__init__.py").exists()

    def test_none_is_longer_than_400_lines(self) -> None:
        assert not broken(f"{each.shown}: {each.lines}" for each in everything() if each.lines > 400)

    def test_names_say_what_is_inside(self) -> None:
        assert not broken(each.shown for each in everything() if BANNED.search(each.path.stem))

    def test_every_package_says_what_it_owns(self) -> None:
        packages = [each for each in everything() if each.path.name == "__init__.py"]
        assert not broken(each.shown for each in packages if not ast.get_docstring(each.tree))

    def test_top_level_is_the_agreed_one(self) -> None:
        folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
        tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        top = {name.split("/")[0] for name in tracked.split("\0") if "/" in name and not name.startswith(".")}
        assert top <= {"platform", "tenants", "helm", "terraform", "tests", "ops"}
        assert {"platform", "tenants", "helm", "terraform", "tests", "ops"} <= folders


class TestFunctions:
    def test_none_is_longer_than_40_lines(self) -> None:
        long = (
            f"{each.shown}:{function.lineno} {function.name}"
            for each in everything()
            for function in each.functions()
            if (function.end_lineno or 0) - function.lineno + 1 > 40
        )
        assert not broken(long)

    def test_none_takes_more_than_five_parameters(self) -> None:
        assert not broken(
            f"{each.shown}:{function.lineno} {function.name}"
            for each in everything()
            for function in each.functions()
            if _parameters(function) > 5
            and not _is_command(function)
            and function.name not in ("settings_customise_sources", "__init__")
        )

    def test_none_imports(self) -> None:
        assert not broken(
            f"{each.shown}:{node.lineno}"
            for each in everything()
            for function in each.functions()
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
        )


class TestImports:
    def test_point_down(self) -> None:
        command = Path(sys.executable).with_name("lint-imports")
        done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout

    def test_nobody_dodges_with_type_checking(self) -> None:
        names = ((each, node) for each in everything() for node in ast.walk(each.tree) if isinstance(node, ast.Name))
        assert not broken(f"{each.shown}:{node.lineno}" for each, node in names if node.id == "TYPE_CHECKING")

    @pytest.mark.parametrize("library", sorted(ONLY_IN))
    def test_libraries_stay_in_their_rooms(self, library: str) -> None:
        assert not broken(
            f"{each.shown} imports {name}"
            for each in modules()
            for name in each.imports()
            if name.split(".")[0] == library and not _may(each, library)
        )

    def test_nothing_runs_at_import(self) -> None:
        called = ("Settings", "create_pool", "create_engine", "FastAPI", "runtime")
        assert not broken(
            f"{each.shown}:{node.lineno}"
            for each in modules()
            for statement in each.tree.body
            if isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr)
            for node in ast.walk(statement)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in called
        )


class TestErrors:
    def test_only_loops_catch_everything(self) -> None:
        allowed = {"emr.work.loop", "emr.work.rounds", "emr.telemetry.health", "emr.work.leases"}
        assert not broken(
            f"{each.shown}:{node.lineno}"
            for each in modules()
            if each.name not in allowed
            for node in ast.walk(each.tree)
            if isinstance(node, ast.ExceptHandler) and _catches_everything(node)
        )


class TestSql:
    def test_is_never_put_together_from_text(self) -> None:
        verbs = re.compile(r"^\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|GRANT|SET LOCAL)\b")
        composed = (
            f"{each.shown}:{node.lineno}"
            for each in modules()
            for node in ast.walk(each.tree)
            if isinstance(node, ast.JoinedStr)
            and node.values
            and isinstance(node.values[0], ast.Constant)
            and verbs.match(str(node.values[0].value))
        )
        assert not broken(composed)

    def test_lives_only_where_tables_are_owned(self) -> None:
        rooms = ONLY_IN["sqlalchemy"] | {"web"}
        text = re.compile(r"\b(SELECT .+ FROM|INSERT INTO|DELETE FROM|UPDATE \w+ SET)\b", re.DOTALL)
        assert not broken(
            f"{each.shown}:{node.lineno}"
            for each in modules()
            if each.room not in rooms and each.path.stem not in ("repository", "idempotency")
            for node in ast.walk(each.tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and text.search(node.value)
        )


def _may(module: Module, library: str) -> bool:
    if module.room in ONLY_IN[library]:
        return True
    feature_edge = library == "fastapi" and module.path.stem in EDGES
    return feature_edge or (library == "sqlalchemy" and module.path.stem == "repository")


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = function.args
    named = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return len([name for name in named if name not in ("self", "cls")])


def _is_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Options of a command are its interface and not parameters that a caller counts."""
    return any("command" in ast.dump(each) for each in function.decorator_list)


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or (isinstance(handler.type, ast.Name) and handler.type.id == "Exception")
