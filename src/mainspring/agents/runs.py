"""How the code that runs agents and the keeper of their runs meet, without knowing each other.

The server of an agent asks ``Histories`` for the history of each run, and says how it ended; the service of a feature
is one (``Services.fitting(Histories)``). The keeper starts a run again by asking the served agent once more, with
``options.run``. A served agent that is an ``AgentPlayer`` can be replayed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from mainspring.agents.history import History, NoHistory
from mainspring.core.types import ChatRequest, Context, Event, Principal

PREFIX = "run_"
"""Of the ids of runs."""
RUN = "run"
"""The option of a request that names the run to go on with."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A run that may begin or go on: its history, the ``state`` that its session has, and the ``request`` to be played
    (None: the one that was given), which is the same however often the run is resumed. ``watch`` is told each event of
    the answer before it is sent."""

    history: History
    state: Mapping[str, Any] = field(default_factory=dict)
    request: ChatRequest | None = None
    watch: Callable[[Event], None] = lambda _: None


@runtime_checkable
class Histories(Protocol):
    """Keeps the histories of runs, and the state of sessions."""

    async def open_run(self, agent: str, request: ChatRequest, context: Context, *, version: str = "") -> Opened:
        """A new run of ``agent`` for ``request``, or the one that ``request.options["run"]`` names.

        ``version`` is a digest of the agent's definition. A request with ``store: false`` is kept nowhere. Raises
        ``NotFound`` for a run that the caller does not have, ``Conflict`` for one that is over or runs elsewhere.
        """
        ...

    async def end_run(
        self, history: History, status: str, state: Mapping[str, Any], error: BaseException | None = None
    ) -> None:
        """The run has ended (``completed``, ``waiting``, ``failed`` or ``cancelled``) and leaves ``state``; durable
        when it returns. ``error`` is what the agent raised. Call it once for each run that was opened."""
        ...


@dataclass(frozen=True, slots=True)
class RunStanding:
    """How a run stands: its state, and the error that it stands still for (``code``, ``message``, and of one that waits
    ``approval_id``)."""

    state: str
    error: Mapping[str, Any] | None = None


@runtime_checkable
class BackgroundRuns(Protocol):
    """Runs that go on whether or not anybody waits."""

    async def begin_run(
        self, context: Context, request: ChatRequest, *, metadata: Mapping[str, str], deadline_s: float | None = None
    ) -> str:
        """Queue a run of the agent ``request.model``; its id. Durable when it returns. Raises ``QuotaExceeded``."""
        ...

    async def run_standing(self, tenant: str, run_id: str) -> RunStanding:
        """For callers who may see what the run works on. Raises ``NotFound``."""
        ...

    async def cancel_run(self, principal: Principal, run_id: str) -> None:
        """Stop a run for good. Raises ``NotFound``, ``Conflict`` for one that is over."""
        ...


@dataclass(frozen=True, slots=True)
class CalledTool:
    """A call of a tool in a run, and its output (a JSON value)."""

    name: str
    arguments: Any
    output: Any


@runtime_checkable
class CalledTools(Protocol):
    """Shows what tools said in a run, to those who work on what came of it."""

    async def called_tools(self, principal: Principal, run_id: str) -> Sequence[CalledTool]:
        """The calls with an output, in order. Raises ``NotFound`` for a run that ``principal`` may not see."""
        ...


@runtime_checkable
class AgentPlayer(Protocol):
    """A responder that plays an agent."""

    @property
    def version(self) -> str:
        """A digest of the agent's definition."""
        ...

    def play(
        self, request: ChatRequest, context: Context, history: History, state: dict[str, Any]
    ) -> AsyncIterator[Event]:
        """The events of a run over ``history``, which the caller keeps."""
        ...


class NoHistories:
    """Runs that keep nothing."""

    async def open_run(
        self,
        agent: str,  # noqa: ARG002
        request: ChatRequest,  # noqa: ARG002
        context: Context,  # noqa: ARG002
        *,
        version: str = "",  # noqa: ARG002
    ) -> Opened:
        return Opened(NoHistory())

    async def end_run(
        self, history: History, status: str, state: Mapping[str, Any], error: BaseException | None = None
    ) -> None:
        """Nothing is kept."""


Play = Callable[[History, ChatRequest, dict[str, Any]], AsyncIterator[Event]]
"""The events of an agent from its beginning: over a history, for a request, with a session's state."""


async def played(
    histories: Histories, agent: str, request: ChatRequest, context: Context, play: Play, *, version: str = ""
) -> AsyncGenerator[Event, None]:
    """The events of a run that is kept. Raises what ``open_run`` and ``play`` raise."""
    opened = await histories.open_run(agent, request, context, version=version)
    state = dict(opened.state)
    events = play(opened.history, opened.request or request, state)
    try:
        async for event in events:
            opened.watch(event)
            yield event
    except BaseException as error:
        await histories.end_run(opened.history, "failed", state, error)
        raise
    else:
        await histories.end_run(opened.history, "completed", state)
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()
