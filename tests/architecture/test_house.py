"""The rules of the house: routes, use cases, permissions, tables, documents."""

import ast
import inspect
import json
import re
from typing import Any, TypeGuard

import pytest
from fastapi.routing import APIRoute

from emr.access.permissions import DUTIES, GRANTS
from emr.app import ROUTERS
from emr.db.migrate import History, head
from emr.db.revisions import newest_hospital_revision
from emr.db.tables import tenant as tenant_tables
from emr.fleet.directory_cli import settings_page
from emr.settings import Settings
from emr.tenancy.definition import json_schema
from emr.work.department import DepartmentWork
from emr.work.unit import UnitOfWork
from emr.work.visit import Visit
from tests.architecture.source import PLATFORM, ROOT, modules

PUBLIC = frozenset(
    {
        "/",
        "/auth/sign-in",
        "/auth/step-up",
        "/auth/callback",
        "/auth/sign-out",
        "/auth/backchannel-logout",
        "/h/{slug}/fhir/metadata",
        "/h/{slug}/smart/authorize",
        "/h/{slug}/smart/token",
        "/h/{slug}/smart/introspect",
        "/h/{slug}/smart/revoke",
        "/static/{name}",
        "/preferences",
        "/design",
        "/h/{slug}/me/lock",
        "/h/{slug}/me/locked",
        "/h/{slug}/me/unlock",
    }
)
"""Routes without a unit of work: choosing a hospital, signing in and out, what the server can do; where apps prove
who they are, and send a browser that may have to sign in first; built files of the pages, how a reader likes them, the components on one page (demo and test only); the
lock of a session."""
STREAMED = re.compile(r"/h/\{slug\}/(dicomweb/|patients/\{patient\}/documents/new$)")
"""What streams in or out opens units of work of its own, so that a slow line holds no connection; their tests hold it."""


def every(router: Any, prefix: str = "") -> list[tuple[str, APIRoute]]:
    found: list[tuple[str, APIRoute]] = []
    for route in router.routes:
        if isinstance(route, APIRoute):
            found.append((prefix + route.path, route))
        elif hasattr(route, "routes"):
            found += every(route, prefix)
    return found


class TestRoutes:
    def test_every_one_takes_a_unit_of_work_or_is_public(self) -> None:
        naked = [
            path
            for router in ROUTERS
            for path, route in every(router)
            if path not in PUBLIC and not STREAMED.match(path) and not _takes_work(route.endpoint)
        ]
        assert not naked


class TestUseCases:
    def test_every_verb_of_a_feature_is_one(self) -> None:
        bare = []
        for module in modules():
            if not (module.path.stem == "service" or module.path.parent.name == "actions"):
                continue
            if module.room == "identity":
                continue
            for node in module.tree.body:
                if _is_verb(node) and not any("use_case" in ast.dump(each) for each in node.decorator_list):
                    bare.append(f"{module.shown}:{node.lineno} {node.name}")
        assert not bare

    def test_every_permission_is_demanded_somewhere(self) -> None:
        granted = set().union(*(grant.verbs for grant in GRANTS.values()), *DUTIES.values())
        said = "\n".join(path.read_text("utf-8") for path in (PLATFORM / "emr").rglob("*.py"))
        templates = "\n".join(path.read_text("utf-8") for path in (PLATFORM / "emr").rglob("*.html"))
        unused = {each for each in granted if said.count(f'"{each}"') < 2 and f'"{each}"' not in templates}
        assert not unused

    def test_every_demanded_permission_is_granted(self) -> None:
        granted = set().union(*(grant.verbs for grant in GRANTS.values()), *DUTIES.values())
        demanded = {
            match
            for module in modules()
            for match in re.findall(r'@use_case\(\s*"([a-z]+:[a-z-]+)"', module.path.read_text("utf-8"))
        }
        assert demanded <= granted


class TestTables:
    def test_a_hospital_has_at_most_24(self) -> None:
        assert len(tenant_tables.metadata.tables) + 1 <= 24

    def test_none_has_an_enum(self) -> None:
        kinds = {
            type(column.type).__name__ for history in History for table in history.metadata.tables.values()
            for column in table.columns
        }  # fmt: skip
        assert "Enum" not in kinds

    def test_no_key_leaves_a_hospital(self) -> None:
        assert not [key for table in tenant_tables.metadata.tables.values() for key in table.foreign_keys]

    def test_the_service_knows_the_newest_revision(self) -> None:
        assert newest_hospital_revision() == head(History.TENANT)


class TestDocuments:
    def test_every_setting_is_described(self) -> None:
        for group, part in Settings.model_fields.items():
            for name, each in getattr(part.annotation, "model_fields", {}).items():
                assert each.description, f"{group}.{name}"

    def test_the_page_of_settings_is_the_generated_one(self) -> None:
        page = (PLATFORM / "docs" / "settings.md").read_text("utf-8")
        assert settings_page(Settings) in page, "run: emr settings, and put it into platform/docs/settings.md"

    def test_the_schema_of_hospitals_files_is_the_generated_one(self) -> None:
        kept = json.loads((ROOT / "tenants" / "schema.json").read_text("utf-8"))
        assert kept == json_schema(), "run: emr tenants schema > tenants/schema.json"

    @pytest.mark.parametrize("role", sorted(GRANTS))
    def test_the_page_of_permissions_says_what_the_code_says(self, role: str) -> None:
        page = (PLATFORM / "docs" / "access-and-audit.md").read_text("utf-8")
        row = re.search(rf"^\| `{role}` \| (.*) \|$", page, re.MULTILINE)
        assert row is not None, f"{role} has no row"
        assert set(re.findall(r"`([a-z]+:[a-z-]+)`", row[1])) == set(GRANTS[role].verbs)

    @pytest.mark.parametrize("duty", sorted(DUTIES))
    def test_it_says_what_each_duty_gives(self, duty: str) -> None:
        page = (PLATFORM / "docs" / "access-and-audit.md").read_text("utf-8")
        row = re.search(rf"^\| `{duty}` \| (.*) \|$", page, re.MULTILINE)
        assert row is not None, f"{duty} has no row"
        assert set(re.findall(r"`([a-z]+:[a-z-]+)`", row[1])) == set(DUTIES[duty])

    @pytest.mark.parametrize("folder", ["platform", "tenants", "helm", "terraform", "tests", "ops"])
    def test_every_top_level_folder_has_a_readme_of_a_screen(self, folder: str) -> None:
        text = (ROOT / folder / "README.md").read_text("utf-8")
        assert 3 < text.count("\n") < 60

    def test_links_between_documents_lead_somewhere(self) -> None:
        lost = []
        for page in [ROOT / "README.md", *(PLATFORM / "docs").rglob("*.md")]:
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
                if not (page.parent / target).exists():
                    lost.append(f"{page.name}: {target}")
        assert not lost


def _takes_work(endpoint: Any) -> bool:
    for parameter in inspect.signature(endpoint).parameters.values():
        arguments = getattr(parameter.annotation, "__args__", ()) or (parameter.annotation,)
        if {UnitOfWork, Visit, DepartmentWork} & set(arguments):
            return True
    return False


def _is_verb(node: ast.stmt) -> TypeGuard[ast.AsyncFunctionDef]:
    if not isinstance(node, ast.AsyncFunctionDef) or node.name.startswith("_"):
        return False
    arguments = [*node.args.posonlyargs, *node.args.args]
    return bool(arguments) and arguments[0].arg == "work"
