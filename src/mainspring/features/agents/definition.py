"""Agents as data: the same fields as the classes in Python, checked, with tools and agents by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from mainspring.agents.agent import Agent, Limits, LlmAgent, LoopAgent, ParallelAgent, SequentialAgent
from mainspring.agents.choice.rules import Rule
from mainspring.agents.loop.agent_tool import AgentTool, exit_loop
from mainspring.agents.tools.base import BaseTool, Toolset
from mainspring.core.errors import InvalidRequest, MainspringError
from mainspring.core.plugins import nearest
from mainspring.http.bodies import Closed

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MAX_DEPTH = 6
RESERVED = ("draft", "runs")
"""The names of routes beside agents'."""
_Word = Annotated[str, Field(max_length=128)]
_Text = Annotated[str, Field(max_length=100_000)]


class _Part(Closed):
    model_config = ConfigDict(frozen=True)


class LimitsDefinition(_Part):
    """``Limits``."""

    steps: Annotated[int, Field(ge=1, le=10_000)] = 20
    tokens: Annotated[int | None, Field(ge=1)] = None
    money_nanousd: Annotated[int | None, Field(ge=1)] = None
    wall_s: Annotated[float, Field(gt=0, le=86_400)] = 300.0
    depth: Annotated[int, Field(ge=0, le=8)] = 5


class RuleDefinition(_Part):
    """``Rule``."""

    tool: _Word = ""
    pattern: Annotated[str, Field(max_length=2_000)] = ""
    never: bool = False
    requires: Annotated[list[_Word], Field(max_length=20)] = Field(default_factory=list)
    after: _Word = ""
    say: Annotated[str, Field(max_length=2_000)] = ""
    arguments: dict[str, Any] = Field(default_factory=dict)
    otherwise: bool = False


class UntilDefinition(_Part):
    """The loop ends once the state has this value under ``key``, or a text that begins with it."""

    key: _Word
    equals: str | int | float | bool


class AgentDefinition(_Part):
    """An agent. ``type`` says which class it becomes; a field that this class does not have is refused."""

    type: Literal["llm", "sequential", "parallel", "loop"] = "llm"
    name: _Word
    description: Annotated[str, Field(max_length=2_000)] = ""
    model: _Word = ""
    instruction: _Text = ""
    playbook: _Word = ""
    tools: Annotated[list[str | dict[str, Any]], Field(max_length=100)] = Field(default_factory=list)
    sub_agents: Annotated[list[AgentDefinition], Field(max_length=50)] = Field(default_factory=list)
    output_key: _Word = ""
    output_schema: dict[str, Any] | None = None
    reasoning: Literal["auto", "native", "react", "choice"] = "auto"
    limits: LimitsDefinition = LimitsDefinition()
    turns: Annotated[int | None, Field(ge=0, le=1_000)] = None
    rules: Annotated[list[RuleDefinition], Field(max_length=100)] = Field(default_factory=list)
    visible: Literal["steps", "names", "nothing"] = "steps"
    untrusted: Literal["confirm", "approve", "refuse", "allow"] = "confirm"
    disallow_transfer_to_parent: bool = False
    disallow_transfer_to_peers: bool = False
    max_iterations: Annotated[int, Field(ge=1, le=100)] = 5
    until: UntilDefinition | None = None


_COMMON = frozenset({"type", "name", "description", "sub_agents"})
_FIELDS: Mapping[str, frozenset[str]] = {
    "llm": frozenset(AgentDefinition.model_fields) - {"max_iterations", "until"},
    "sequential": _COMMON,
    "parallel": _COMMON,
    "loop": _COMMON | {"max_iterations", "until"},
}


@dataclass(frozen=True, slots=True)
class Making:
    """What makes the parts of agents: ``toolset`` of a name and options, ``toolsets`` are the permitted names (None:
    every one), ``code``: whether a definition may name Python functions."""

    toolset: Callable[[str, Mapping[str, Any]], Toolset]
    toolsets: frozenset[str] | None = None
    code: bool = False
    known: Sequence[str] = field(default=())


def read(found: Mapping[str, Any], place: str = "") -> AgentDefinition:
    """The definition in JSON values. Raises ``InvalidRequest`` naming the field."""
    try:
        return AgentDefinition.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        param = _place(place, *first["loc"])
        remedy = "Correct it"
        if first["type"] == "extra_forbidden":
            remedy = nearest(str(first["loc"][-1]), list(AgentDefinition.model_fields))
        raise InvalidRequest(f"{param or 'the agent'}: {first['msg']}", remedy=remedy, param=param or None) from None


def made(definition: AgentDefinition, making: Making, place: str = "", depth: int = 0) -> Agent:
    """The agent of a definition. Raises ``InvalidRequest`` naming the field at fault."""
    if not NAME.fullmatch(definition.name):
        problem = f"{definition.name!r} cannot be an agent's name"
        remedy = "Use 1 to 64 letters, digits, dots, dashes and underscores; the first must be a letter or a digit"
        raise InvalidRequest(problem, remedy=remedy, param=_place(place, "name"))
    if definition.name in RESERVED:
        raise InvalidRequest(f"the name {definition.name} is taken", param=_place(place, "name"))
    if depth > MAX_DEPTH:
        raise InvalidRequest(f"agents can be nested at most {MAX_DEPTH} deep", param=place)
    _check_fields(definition, place)
    sub_agents = tuple(
        made(each, making, _place(place, "sub_agents", index), depth + 1)
        for index, each in enumerate(definition.sub_agents)
    )
    name, description = definition.name, definition.description
    if definition.type == "sequential":
        return SequentialAgent(name=name, description=description, sub_agents=sub_agents)
    if definition.type == "parallel":
        return ParallelAgent(name=name, description=description, sub_agents=sub_agents)
    if definition.type == "loop":
        until = None if definition.until is None else _Until(definition.until)
        rounds = definition.max_iterations
        return LoopAgent(name=name, description=description, sub_agents=sub_agents, max_iterations=rounds, until=until)
    return _llm(definition, sub_agents, making, place, depth)


def _llm(
    definition: AgentDefinition, sub_agents: tuple[Agent, ...], making: Making, place: str, depth: int
) -> LlmAgent:
    tools = [_tool(each, making, _place(place, "tools", index), depth) for index, each in enumerate(definition.tools)]
    rules = []
    for index, each in enumerate(definition.rules):
        given = each.model_dump() | {"requires": tuple(each.requires)}
        try:
            rules.append(Rule(**given))
        except MainspringError as error:
            raise _named(error, _place(place, "rules", index)) from None
    return LlmAgent(
        name=definition.name,
        description=definition.description,
        model=definition.model,
        instruction=definition.instruction,
        playbook=definition.playbook,
        tools=tools,
        sub_agents=sub_agents,
        output_key=definition.output_key,
        output_schema=definition.output_schema,
        reasoning=definition.reasoning,
        limits=Limits(**definition.limits.model_dump()),
        turns=definition.turns,
        rules=tuple(rules),
        visible=definition.visible,
        untrusted=definition.untrusted,
        disallow_transfer_to_parent=definition.disallow_transfer_to_parent,
        disallow_transfer_to_peers=definition.disallow_transfer_to_peers,
    )


def _tool(
    given: str | Mapping[str, Any], making: Making, place: str, depth: int
) -> BaseTool | Toolset | Callable[..., Any]:
    if given == exit_loop.declaration.name:
        return exit_loop
    if isinstance(given, str):
        given = {given: {}}
    if len(given) != 1:
        problem = f"{place}: a tool is a name, or a name with its options"
        raise InvalidRequest(problem, remedy="Write one tool in each entry", param=place)
    ((name, options),) = given.items()
    place = _place(place, name)
    if name == "agent":
        return AgentTool(made(read(_mapping(options, place), place), making, place, depth + 1))
    if name == "function":
        return _function(options, making, place)
    if making.toolsets is not None and name not in making.toolsets:
        raise InvalidRequest(
            f"{place}: agents that are made over HTTP may not use the toolset {name!r}",
            remedy="`agents.toolsets` in the configuration permits it",
            param=place,
        )
    try:
        return making.toolset(name, _mapping(options or {}, place))
    except MainspringError as error:
        raise _named(error, place) from None


def _function(named: Any, making: Making, place: str) -> Callable[..., Any] | BaseTool:
    if not making.code:
        problem = f"{place}: only the configuration names Python functions"
        raise InvalidRequest(problem, remedy="Take a toolset", param=place)
    try:
        found: Callable[..., Any] | BaseTool = imported(str(named))
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidRequest(f"{place}: {named!r} cannot be imported: {error}", param=place) from None
    return found


def imported(name: str) -> Any:
    """What ``module:name`` names. Raises ``ValueError``, ``ImportError``, ``AttributeError``."""
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise ValueError("it has the form module:name")
    return getattr(import_module(module), attribute)


def _check_fields(definition: AgentDefinition, place: str) -> None:
    for name in sorted(definition.model_fields_set - _FIELDS[definition.type]):
        param = _place(place, name)
        raise InvalidRequest(f"{param}: an agent of the type {definition.type} has no {name}", param=param)
    if definition.type != "llm" and not definition.sub_agents:
        param = _place(place, "sub_agents")
        raise InvalidRequest(f"{param}: an agent of the type {definition.type} runs others", param=param)


def _mapping(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"{place}: its options must be a mapping", param=place)
    return value


def _named(error: MainspringError, place: str) -> InvalidRequest:
    return InvalidRequest(f"{place}: {error.message}", remedy=error.remedy, param=place)


def _place(*parts: str | int) -> str:
    return ".".join(str(part) for part in parts if part != "")


class _Until:
    def __init__(self, wanted: UntilDefinition) -> None:
        self._wanted = wanted

    def __call__(self, state: Mapping[str, Any]) -> bool:
        found, wanted = state.get(self._wanted.key), self._wanted.equals
        if isinstance(found, str) and isinstance(wanted, str):
            return found.strip().casefold().startswith(wanted.casefold())
        return bool(found == wanted)
