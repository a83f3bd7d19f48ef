"""The flow that asks for a second factor after a hospital's own provider, and the providers that name it.

Steps that are missing are made, one that is off or weaker is set right, and the flow is given to each hospital's
provider that has none. Steps, providers and other flows of the installation's own stay.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any, Final, cast

from keycloak import KeycloakAdmin
from keycloak.exceptions import KeycloakGetError, raise_error_from_response

from emr.identity.brokers import AFTERWARDS
from emr.identity.realm_change import Change
from emr.identity.tokens import BROKER

_STRICTEST: Final = "REQUIRED"
_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Step:
    """A step as the realm file has it.

    name: of the authenticator, or of the flow that stands here, which then has `steps`; `config` belongs to `label`.
    """

    name: str
    requirement: str
    priority: int
    label: str
    config: Mapping[str, str]
    description: str
    steps: tuple[Step, ...] | None


@dataclass(frozen=True, slots=True)
class Found:
    """A step as the realm has it: Keycloak's own words, its settings, and what is below it."""

    info: Mapping[str, Any]
    config: Mapping[str, str]
    steps: list[Found]

    @property
    def name(self) -> str:
        """Of the flow that stands here, or of the authenticator."""
        return str(self.info["displayName"] if self.info.get("authenticationFlow") else self.info.get("providerId"))


def demanded_flows() -> dict[str, list[dict[str, Any]]]:
    """The flows and settings that the platform relies on, as the realm file writes them; a test compares the two."""
    text = files("emr.identity").joinpath("data", "realm_flows.json").read_text("utf-8")
    found: dict[str, list[dict[str, Any]]] = json.loads(text)
    return found


def lacking(admin: KeycloakAdmin) -> Iterator[Change]:
    """What the realm lacks of the flow, parents first, then the providers that do not name it yet."""
    flow = {each["alias"]: each for each in demanded_flows()["authenticationFlows"]}[AFTERWARDS]
    there = any(each["alias"] == AFTERWARDS for each in admin.get_authentication_flows())
    if not there:
        body = {name: value for name, value in flow.items() if name != "authenticationExecutions"}
        yield Change("add", "flow", AFTERWARDS, flow["description"], lambda at: at.create_authentication_flow(body))
    yield from _missing(AFTERWARDS, _wanted(AFTERWARDS), _found(admin) if there else [])
    for provider in _providers(admin):
        alias = provider["alias"]
        if alias.startswith(BROKER) and not provider.get("postBrokerLoginFlowAlias"):
            yield Change("bind", "provider", alias, f"flow {AFTERWARDS}", partial(_bind, alias=alias))


def _providers(admin: KeycloakAdmin) -> Iterator[Mapping[str, Any]]:
    """All of them: Keycloak gives a hundred where it is not asked for pages, which python-keycloak cannot do."""
    path, first = f"admin/realms/{admin.connection.realm_name}/identity-provider/instances", 0
    while True:
        answer = admin.connection.raw_get(path, first=first, max=_PAGE)
        page = cast("list[Mapping[str, Any]]", raise_error_from_response(answer, KeycloakGetError))
        yield from page
        if len(page) < _PAGE:
            return
        first += len(page)


def _wanted(alias: str) -> tuple[Step, ...]:
    file = demanded_flows()
    flows = {each["alias"]: each for each in file["authenticationFlows"]}
    configs = {each["alias"]: each["config"] for each in file["authenticatorConfig"]}

    def step(given: Mapping[str, Any]) -> Step:
        label, below = given.get("authenticatorConfig", ""), given.get("flowAlias")
        return Step(
            name=below or given["authenticator"],
            requirement=given["requirement"],
            priority=given["priority"],
            label=label,
            config=configs[label] if label else {},
            description=flows[below]["description"] if below else "",
            steps=steps(below) if below else None,
        )

    def steps(flow: str) -> tuple[Step, ...]:
        return tuple(step(each) for each in flows[flow]["authenticationExecutions"])

    return steps(alias)


def _found(admin: KeycloakAdmin) -> list[Found]:
    """Keycloak tells a flow as one list in which each step has its level."""
    levels: list[list[Found]] = [[]]
    for info in admin.get_authentication_flow_executions(AFTERWARDS):
        known = info.get("authenticationConfig")
        config = admin.get_authenticator_config(known).get("config", {}) if known else {}
        step = Found(info, config, [])
        del levels[info["level"] + 1 :]
        levels[-1].append(step)
        levels.append(step.steps)
    return levels[0]


def _missing(flow: str, wanted: Sequence[Step], found: Sequence[Found]) -> Iterator[Change]:
    for step in wanted:
        same = _same(step, found)
        if same is None:
            yield Change("add", "flow", flow, _told(step), partial(_add, flow=flow, step=step))
            yield from _missing(step.name, step.steps or (), [])
            continue
        if not _holds(step, same):
            yield Change("change", "flow", flow, _told(step), partial(_correct, flow=flow, step=step, found=same))
        yield from _missing(same.name, step.steps or (), same.steps)


def _same(step: Step, found: Sequence[Found]) -> Found | None:
    """The step of that name, or a flow under another name that does the same: somebody has made it by hand."""
    named = (each for each in found if each.name == step.name)
    return next(named, next((each for each in found if step.steps and _does(step, each)), None))


def _does(step: Step, found: Found) -> bool:
    below = [(each, _same(each, found.steps)) for each in step.steps or ()]
    return _holds(step, found) and all(same is not None and _does(each, same) for each, same in below)


def _holds(step: Step, found: Found) -> bool:
    """Stricter is as good."""
    return found.info["requirement"] in (step.requirement, _STRICTEST) and step.config.items() <= found.config.items()


def _told(step: Step) -> str:
    settings = [f"{name}={value}" for name, value in step.config.items()]
    return ", ".join([f"{'step' if step.steps is None else 'flow'} {step.name}", step.requirement, *settings])


def _add(admin: KeycloakAdmin, flow: str, step: Step) -> None:
    if step.steps is None:
        admin.create_authentication_flow_execution({"provider": step.name, "priority": step.priority}, flow)
    else:
        body = {"alias": step.name, "type": "basic-flow", "description": step.description, "priority": step.priority}
        admin.create_authentication_flow_subflow(body, flow)
    top = [Found(each, {}, []) for each in admin.get_authentication_flow_executions(flow) if each["level"] == 0]
    _correct(admin, flow, step, next(each for each in top if each.name == step.name))


def _correct(admin: KeycloakAdmin, flow: str, step: Step, found: Found) -> None:
    """Its settings first: it counts once it is on."""
    config, known = dict(found.config) | dict(step.config), found.info.get("authenticationConfig")
    if known:
        admin.update_authenticator_config(dict(admin.get_authenticator_config(known)) | {"config": config}, known)
    elif config:
        admin.create_execution_config(found.info["id"], {"alias": step.label, "config": config})
    if found.info["requirement"] not in (step.requirement, _STRICTEST):
        now = {each["id"]: each for each in admin.get_authentication_flow_executions(flow)}[found.info["id"]]
        admin.update_authentication_flow_executions(dict(now) | {"requirement": step.requirement}, flow)


def _bind(admin: KeycloakAdmin, alias: str) -> None:
    """Keycloak keeps the secret that it hides behind asterisks."""
    admin.update_idp(alias, dict(admin.get_idp(alias)) | {"postBrokerLoginFlowAlias": AFTERWARDS})
