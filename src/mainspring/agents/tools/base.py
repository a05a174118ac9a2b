"""The protocol of tools: a declaration for the model, and a call with checked arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from mainspring.core.types import Citation, Context, Tool

Effect = Literal["none", "keyed", "unkeyed"]
"""What a call does to the world: nothing (it may be repeated), something once for each idempotency key, or something
each time that it is called."""

Untrusted = Literal["confirm", "approve", "refuse", "allow"]
"""What becomes of a call with an effect to which trusted text alone does not lead: the user is asked in the
conversation, a person with the scope ``approve`` is asked, the model is told that it is not made; ``allow`` checks
nothing."""


@dataclass(frozen=True, slots=True)
class ToolPolicy:
    """How a tool may be called.

    ``effect`` says whether a call may be repeated. ``scopes`` are those that the caller's key needs. ``approval`` asks
    a person before each call, or before those whose arguments a callable picks. ``timeout_s`` bounds one attempt, in
    seconds; ``retries`` are further attempts after a failure that may pass, for tools that may be repeated.
    ``trusted`` results are shown to the model as they are; others are marked as data in which no instruction counts,
    and what was read from them decides over no effect by itself (``agents.tools.provenance``).

    ``outward`` calls show their arguments to people or servers outside, and count as effects there. ``foreign``
    declarations are the words of a stranger. ``content`` names the arguments into which text of untrusted results may
    flow (the body of a ticket). ``result`` is the JSON schema that an output must fit; its numbers, enumerations, dates
    and short patterned texts are facts on which effects may be decided. ``max_characters`` bounds the output, as JSON.
    """

    effect: Effect = "none"
    scopes: frozenset[str] = frozenset()
    approval: bool | Callable[[Mapping[str, Any]], bool] = False
    timeout_s: float = 30.0
    retries: int = 0
    trusted: bool = False
    outward: bool = False
    foreign: bool = False
    content: frozenset[str] = frozenset()
    result: Mapping[str, Any] | None = None
    max_characters: int = 20_000

    @property
    def acts(self) -> bool:
        """Whether a call changes or shows something outside of the run."""
        return self.effect != "none" or self.outward


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a call of a tool knows of its run.

    ``user`` is the user whom the caller's application names (empty: the caller).

    ``context`` is the caller's, for inner calls. ``key`` is the idempotency key of this call: the same after a restart,
    another one for each intended call. ``state`` is the session's state, which all agents of a run share; changes
    belong to the recorded outcome of the call. ``progress`` shows a line to people who watch.
    """

    context: Context
    run_id: str
    call_id: str
    key: str
    agent: str
    state: MutableMapping[str, Any]
    session_id: str | None = None
    progress: Callable[[str], None] = lambda _: None
    user: str = ""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The outcome of a call. ``output`` is a JSON value that the model reads; ``error`` says what went wrong and what
    to do instead, in words for the model (empty: nothing). ``transfer_to`` names the agent that goes on; ``escalate``
    ends the surrounding loop, or hands the conversation to the agent above. ``final``: the output is the answer.
    ``unknown``: nobody knows whether the call has had its effect; a run that is kept waits for a person then."""

    output: Any = None
    error: str = ""
    citations: tuple[Citation, ...] = ()
    transfer_to: str = ""
    escalate: bool = False
    final: bool = False
    unknown: bool = False


@runtime_checkable
class BaseTool(Protocol):
    """Something that an agent can call."""

    @property
    def declaration(self) -> Tool:
        """The name, the description and the JSON schema of the arguments, for the model."""
        ...

    @property
    def policy(self) -> ToolPolicy: ...

    @property
    def examples(self) -> tuple[str, ...]:
        """Requests of users that this tool serves: small models are helped by them in choosing."""
        ...

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        """Call it with arguments that fit the schema. Errors that the model should know are results; an exception is
        told to the model without its details."""
        ...


@runtime_checkable
class Toolset(Protocol):
    """Tools that come together: those of one server, one description, one collection."""

    @property
    def name(self) -> str: ...

    async def tools(self, context: Context) -> Sequence[BaseTool]:
        """The tools that this caller may use. Connects if need be; raises a ``MainspringError`` that names the server
        and the remedy."""
        ...

    async def aclose(self) -> None:
        """End what it holds."""
        ...


@dataclass(frozen=True, slots=True)
class FixedToolset:
    """Tools that are the same for every caller."""

    name: str
    fixed: tuple[BaseTool, ...]

    async def tools(self, context: Context) -> Sequence[BaseTool]:  # noqa: ARG002
        return self.fixed

    async def aclose(self) -> None:
        """Nothing is held."""
