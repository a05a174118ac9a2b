"""How the code that runs agents and the keeper of their runs meet, without knowing each other.

Whoever serves an agent plays it through a ``RunKeeper``, which makes the run's history, or opens the one that
``options.run`` names:

    events = keeper.kept_run(agent.name, version, request, context, lambda history: loop(agent, request, history))

The keeper starts runs again by asking the served agent once more, with ``options.run``. It replays recorded runs with
an ``AgentPlayer``. Both are services of features: ``Services.fitting(RunKeeper)`` finds them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Protocol, runtime_checkable

from mainspring.agents.history import History, NoHistory
from mainspring.core.types import ChatRequest, Context, Event

RUN = "run"
"""The option of a request that names the run to go on with."""

Play = Callable[[History], AsyncIterator[Event]]
"""The events of an agent from its beginning, over a history. Its first step is of the kind ``input``: the messages as
they reach the agent, so that a run that is resumed sees those and no others."""


@runtime_checkable
class RunKeeper(Protocol):
    """Keeps runs with their steps."""

    def kept_run(
        self, agent: str, version: str, request: ChatRequest, context: Context, play: Play
    ) -> AsyncGenerator[Event, None]:
        """The events of ``play`` over the history of a run, which is durable before ``Finish`` is passed on.

        ``version`` is a digest of the agent's definition. A request with ``store: false`` is kept nowhere. Raises what
        ``play`` raises, ``Stopped`` if the run waits, is paused or cancelled, ``NotFound`` for a run that
        ``options.run`` names and the caller does not have, ``Conflict`` if it is over or runs elsewhere.
        """
        ...


@runtime_checkable
class AgentPlayer(Protocol):
    """Plays agents by their names."""

    def agent_version(self, agent: str) -> str:
        """A digest of the agent's definition. Raises ``UnknownModel``."""
        ...

    def play_agent(self, agent: str, request: ChatRequest, context: Context, history: History) -> AsyncIterator[Event]:
        """The events of the agent over ``history``, outside of the request ring. Raises ``UnknownModel``."""
        ...


class NoRunKeeper:
    """Keeps nothing: for agents that run outside of a system."""

    def kept_run(
        self,
        agent: str,  # noqa: ARG002
        version: str,  # noqa: ARG002
        request: ChatRequest,  # noqa: ARG002
        context: Context,  # noqa: ARG002
        play: Play,
    ) -> AsyncGenerator[Event, None]:
        return _plain(play(NoHistory()))


async def _plain(events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
    async for event in events:
        yield event
