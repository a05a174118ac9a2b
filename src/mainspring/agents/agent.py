"""The definitions of agents: what one is, apart from how it runs. The names are those of Google's ADK.

support = LlmAgent(name="support", instruction="Help with orders.", tools=(get_order_status,))
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import BaseModel

from mainspring.agents.tools.base import BaseTool, ToolContext, ToolResult, Toolset, Untrusted
from mainspring.core.types import ChatRequest, Message

if TYPE_CHECKING:
    from mainspring.agents.choice.base import Chooser
    from mainspring.agents.choice.rules import Rule

State = MutableMapping[str, Any]
Instruction = str | Callable[[Mapping[str, Any]], str]
"""Text in which ``{key}`` stands for the state's value (``{key?}``: if there is one), or a function of the state."""
BeforeModel = Callable[[ChatRequest, State], Awaitable[ChatRequest | Message | None]]
"""Changes what a model is asked, or answers in its place; None: neither."""
AfterModel = Callable[[Message, State], Awaitable[Message | None]]
BeforeTool = Callable[[str, Mapping[str, Any], ToolContext], Awaitable[ToolResult | None]]
"""Answers in place of a tool; None: it is called."""
AfterTool = Callable[[str, ToolResult, ToolContext], Awaitable[ToolResult | None]]
Reasoning = Literal["auto", "native", "react", "choice"]
"""How a model calls tools: by its own function calling, as text under a grammar (ReAct), or chosen for it by embeddings
and rules with its arguments under a grammar; ``auto`` takes what the model is good for."""
Visible = Literal["steps", "names", "nothing"]
"""What a client sees of the steps of an agent: calls with arguments and results, names only, or nothing."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an agent may use up in one run, with all its tools and sub-agents together.

    ``steps`` are calls of models and tools, ``tokens`` and ``money_nanousd`` what the calls of models use, those of its
    tools included (None: they are bounded by the caller's budgets alone), ``wall_s`` seconds, ``depth`` how deep agents
    stand within agents.
    """

    steps: int = 20
    tokens: int | None = None
    money_nanousd: int | None = None
    wall_s: float = 300.0
    depth: int = 5


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Functions around each call of a model and of a tool. They are part of the agent: they run again when a run is
    resumed, and must do nothing by themselves."""

    before_model: BeforeModel | None = None
    after_model: AfterModel | None = None
    before_tool: BeforeTool | None = None
    after_tool: AfterTool | None = None


class BaseAgent(Protocol):
    """What all agents have: a name, and what they are for."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def sub_agents(self) -> Sequence[Agent]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmAgent:
    """A model with an instruction and tools.

    ``model`` is a served name (empty: the default model), ``description`` says to other agents what it is for.
    ``tools`` are tools, sets of tools or plain typed functions. To ``sub_agents`` the conversation can be transferred,
    and from there to their parent and among themselves, unless ``disallow_transfer_to_parent`` or
    ``disallow_transfer_to_peers``. Its answer goes to the state under ``output_key``; with ``output_schema`` (a JSON
    schema or a pydantic model) it is JSON that fits. ``turns`` are the latest messages of the session that it sees
    after a transfer (None: all, and what the agents before have found out). ``playbook`` names a prompt of the
    registry (``name`` or ``name@label``) that stands before ``instruction``. ``rules`` say when tools are called and
    when not. ``visible`` is what clients see of its steps.
    ``chooser`` decides what is said and called next, in place of ``reasoning``; the model is asked where it says so.
    ``untrusted`` says what becomes of a call with an effect that only texts of strangers ask for.
    """

    name: str
    model: str = ""
    description: str = ""
    instruction: Instruction = ""
    tools: Sequence[BaseTool | Toolset | Callable[..., Any]] = ()
    sub_agents: Sequence[Agent] = ()
    output_key: str = ""
    output_schema: Mapping[str, Any] | type[BaseModel] | None = None
    reasoning: Reasoning = "auto"
    limits: Limits = field(default_factory=Limits)
    callbacks: Callbacks = field(default_factory=Callbacks)
    turns: int | None = None
    untrusted: Untrusted = "confirm"
    playbook: str = ""
    rules: Sequence[Rule] = ()
    chooser: Chooser | None = None
    visible: Visible = "steps"
    disallow_transfer_to_parent: bool = False
    disallow_transfer_to_peers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialAgent:
    """Runs its agents one after the other; each sees the state that the ones before have left."""

    name: str
    sub_agents: Sequence[Agent]
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelAgent:
    """Runs its agents side by side. Each works on its own copy of the state; their changes are joined in order."""

    name: str
    sub_agents: Sequence[Agent]
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopAgent:
    """Runs its agents again and again until one escalates or ``until`` holds of the state, at most ``max_iterations``
    times."""

    name: str
    sub_agents: Sequence[Agent]
    max_iterations: int = 5
    description: str = ""
    until: Callable[[Mapping[str, Any]], bool] | None = None


Agent = LlmAgent | SequentialAgent | ParallelAgent | LoopAgent
