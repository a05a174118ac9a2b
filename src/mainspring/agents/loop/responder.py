"""An agent as a ``Responder``: served as a model, within the request ring like any other application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from mainspring.agents.agent import Agent
from mainspring.agents.errors import Waiting
from mainspring.agents.history import History
from mainspring.agents.loop.event_target import Emit
from mainspring.agents.loop.ports import Surroundings
from mainspring.agents.loop.runner import Runner
from mainspring.agents.runs import RUN
from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.types import (
    ChatRequest,
    Context,
    Event,
    Finish,
    Head,
    Notice,
    Reasoning,
    Request,
    Response,
    Text,
)
from mainspring.serving.ring.registry import MAX_DEPTH

RUN_HEADER = "x-mainspring-run"
_OPTIONS = (RUN, "session", "approval")


class AgentResponder:
    """Runs ``agent`` for each request, in a task of its own: it returns with the first event.

    A run that waits for a person ends the answer with the notice ``approval_pending``; a later request with
    ``options.run`` resumes it. Tools of a request are performed by the client.
    """

    recalls = True
    """What is known of the person may stand in its conversation (``serving.memory.remember``)."""

    def __init__(self, agent: Agent, around: Surroundings, version: str = "") -> None:
        """``version`` is a digest of the definition."""
        self.agent = agent
        self.version = version
        self.runner = Runner(agent, around)
        self._around = around

    def fingerprint(self, request: Request, context: Context) -> str | None:  # noqa: ARG002
        """None: what tools say changes."""
        return None

    async def respond(self, request: Request, context: Context) -> Response:
        """Raises ``InvalidRequest``, ``Unsupported``, and what a run raises before it has said anything."""
        asked = self._checked(request)
        if context.depth > MAX_DEPTH:
            problem = f"agents ask each other as models more than {MAX_DEPTH} levels deep"
            raise InvalidRequest(problem, remedy=f"Give {self.agent.name} another model", param="model")
        opened = await self._around.histories.open_run(self.agent.name, asked, context, version=self.version)
        state = dict(opened.state)
        playing = Playing(
            lambda emit: self._run(opened.request or asked, context, opened.history, state, emit), opened.watch
        )
        await playing.begun()
        head = Head(self.agent.name, headers={RUN_HEADER: opened.history.run_id})
        return Response(head, playing.events(), on_close=playing.close)

    async def play(
        self, request: ChatRequest, context: Context, history: History, state: dict[str, Any]
    ) -> AsyncGenerator[Event, None]:
        """The events of a run over ``history``, which the caller keeps."""

        async def work(emit: Emit) -> None:
            await self.runner.run(request, context, history=history, state=state, emit=emit)

        playing = Playing(work)
        try:
            async for event in playing.events():
                yield event
        finally:
            await playing.close()

    async def _run(
        self, request: ChatRequest, context: Context, history: History, state: dict[str, Any], emit: Emit
    ) -> None:
        end = self._around.histories.end_run
        said: list[Event] = []

        def heard(event: Event) -> None:
            if isinstance(event, Text) and not said:
                said.append(event)
            emit(event)

        try:
            await self.runner.run(request, context, history=history, state=state, emit=heard)
        except Waiting as error:
            await end(history, "waiting", state, error)
            emit(Notice("approval_pending", str(error), id=error.approval_id))
            told = waits(str(error), error.approval_id, history.run_id)
            # An agent that has told its user why there is no answer yet says it better. Only Chat Completions has
            # notices: the other protocols show who must decide on what with the steps.
            if not said:
                emit(Text(told))
            elif getattr(self.agent, "visible", "steps") != "nothing":
                emit(Reasoning(f"\n[{self.agent.name}] {told}\n"))
            emit(Finish("stop"))
        except BaseException as error:
            cancelled = isinstance(error, asyncio.CancelledError)
            await asyncio.shield(end(history, "cancelled" if cancelled else "failed", state, error))
            raise
        else:
            await end(history, "completed", state)

    def _checked(self, request: Request) -> ChatRequest:
        if not isinstance(request, ChatRequest):
            raise InvalidRequest(f"{self.agent.name} is an agent: it only chats", param="model")
        for name in request.options:
            if name not in _OPTIONS:
                raise InvalidRequest(
                    f"an agent has no option {name!r}",
                    remedy=f"Agents take {', '.join(_OPTIONS)}",
                    param=f"options.{name}",
                )
        if request.sampling.n > 1:
            raise Unsupported("an agent gives one answer", remedy="Leave n out", param="n")
        if request.sampling.logprobs is not None:
            raise Unsupported("an agent has no logprobs", remedy="Leave logprobs out", param="logprobs")
        if request.tool_choice not in ("auto", "none"):
            problem = "an agent chooses by itself what it calls"
            raise Unsupported(problem, remedy="Leave tool_choice out, or send auto or none", param="tool_choice")
        if request.continues:
            raise Unsupported("an agent does not continue an answer", remedy="End messages with one of the user's")
        return request


def waits(what: str, approval_id: str, run_id: str) -> str:
    """``what`` waits, in words that a client of any protocol can act on."""
    if not approval_id:
        return what
    return f"{what}: {approval_id}. Once it is decided, continue with options.run = {run_id}."


class Playing:
    """A run in a task of its own, and its events as a stream. ``watch`` is told each event first."""

    def __init__(
        self, work: Callable[[Emit], Coroutine[Any, Any, None]], watch: Callable[[Event], None] | None = None
    ) -> None:
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._first: list[Event | None] = []
        self._watch = watch
        self._task = asyncio.get_running_loop().create_task(work(self._emit))
        self._task.add_done_callback(lambda _: self._queue.put_nowait(None))

    async def begun(self) -> None:
        """Wait for the first event. Raises what the run raises before it."""
        try:
            self._first.append(await self._queue.get())
            if self._first[0] is None:
                await self._task
        except BaseException:
            await self.close()
            raise

    async def events(self) -> AsyncGenerator[Event, None]:
        """All events; raises what the run raises."""
        event = self._first.pop() if self._first else await self._queue.get()
        while event is not None:
            yield event
            event = await self._queue.get()
        await self._task

    async def close(self) -> None:
        """Cancel the run unless it is over, and wait for its end."""
        self._task.cancel()
        await asyncio.wait([self._task])

    def _emit(self, event: Event) -> None:
        if self._watch is not None:
            self._watch(event)
        self._queue.put_nowait(event)
