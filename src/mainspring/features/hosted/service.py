"""Answers requests with tools that the server runs: an agent of one request, whose model is the requested one.

It passes the loop of all agents: calls of the model pass the call ring, calls of tools are checked and filtered by the
guard policy, and a call with an effect that only a stranger's text asks for is not made before a person approves it.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import orjson

from mainspring.agents.agent import Callbacks, Limits, LlmAgent, Reasoning
from mainspring.agents.errors import Waiting
from mainspring.agents.history import NoHistory, Perform, Step
from mainspring.agents.loop.event_target import Emit
from mainspring.agents.loop.ports import Models, Surrounded, Surroundings
from mainspring.agents.loop.responder import Playing
from mainspring.agents.loop.runner import Runner
from mainspring.agents.tools.base import ToolContext, ToolResult
from mainspring.agents.tools.effects import APPROVED
from mainspring.agents.tools.sources.code import CodeRunner
from mainspring.core.errors import Unsupported
from mainspring.core.types import (
    ChatRequest,
    Context,
    Event,
    Finish,
    Head,
    HostedCall,
    HostedKind,
    Request,
    Responder,
    Response,
    ToolCallDelta,
    Usage,
)
from mainspring.feature import Rooms, Services
from mainspring.features.hosted.kit import Kit, Kits
from mainspring.features.hosted.pending import Pending, split
from mainspring.features.hosted.settings import HostedSettings
from mainspring.serving.ring.registry import Served

_EXTRACT = 300
"""Characters of what a search found that are kept with the answer."""
ENOUGH = "No further call is permitted for this request. Answer now, with what you know."


class HostedTools:
    """What the registry asks for requests with such tools; see ``serving.ring.registry.Hosting``."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self.settings = rooms.settings.section(HostedSettings)
        self._services: Services | None = None

    def serve(self, services: Services) -> None:
        """Answer such requests from now on."""
        self._services = services
        self._rooms.path.registry.hosting = self

    async def respond(self, request: ChatRequest, context: Context, served: Served) -> Response:
        assert self._services is not None
        if served.kind != "chat":
            raise Unsupported(
                f"{served.name} is not a chat model, and only chat models can use tools that the server runs",
                remedy="Name a chat model; an agent has tools of its own, and a collection searches its documents",
                param="tools",
            )
        if request.sampling.logprobs is not None:
            problem = "an answer with tools that the server runs has no logprobs"
            raise Unsupported(problem, remedy="Leave logprobs out", param="logprobs")
        around = self._services.fitting(Surrounded).surroundings()  # type: ignore[type-abstract]
        code = self._services.perhaps(CodeRunner)  # type: ignore[type-abstract]
        messages, pending = split(request.messages)
        kit = await Kits(self._rooms, self.settings, code).made(request.hosted, context, pending)
        asked = dataclasses.replace(request, messages=messages, hosted=(), options={})
        run = HostedRun(asked, context, kit, pending, served.name, around, self.settings)
        playing = Playing(run.play)

        async def close() -> None:
            await playing.close()
            await kit.stack.aclose()

        try:
            await playing.begun()
        except BaseException:
            await close()
            raise
        return Response(Head(served.name), playing.events(), on_close=close)


class HostedRun:
    """The run of one request."""

    def __init__(
        self,
        request: ChatRequest,
        context: Context,
        kit: Kit,
        pending: list[Pending],
        model: str,
        around: Surroundings,
        settings: HostedSettings,
    ) -> None:
        self._request, self._context, self._kit = request, context, kit
        self._pending = pending
        self._model = model
        most = request.max_hosted_calls
        self._most = settings.calls if most is None else min(settings.calls, most)
        self._limits = Limits(steps=settings.steps, wall_s=settings.seconds)
        self._around = dataclasses.replace(around, models=_Resuming(around.models, pending)) if pending else around
        self._open: dict[str, tuple[HostedKind, int, dict[str, Any]]] = {}
        self._count = 0
        self._calls = 0
        self._made: Counter[str] = Counter()
        # The loop chooses for itself after its first call.
        self._forced = kit.forced or (request.tool_choice if request.tool_choice not in ("auto", "none") else "")
        self._emit: Emit = _nowhere

    async def play(self, emit: Emit) -> None:
        """Run, and tell the events. Raises what models raise."""
        self._emit = emit
        before = self._context.allowance.spent
        for listed in self._kit.listed:
            self._tell("mcp_list_tools", {"server": listed["server"], "tools": []}, done=False, number=self._next())
            self._tell("mcp_list_tools", listed, done=True, number=self._count)
        agent = LlmAgent(
            name=self._model,
            model=self._model,
            tools=self._kit.tools,
            # A call that is made first, whatever the model is good for, is a call of its own.
            reasoning="native" if self._pending or self._forced else "auto",
            limits=self._limits,
            callbacks=Callbacks(before_model=self._first, before_tool=self._begin, after_tool=self._end),
            untrusted="approve",
            visible="nothing",
        )
        history = _Approvals(self._kit, self._pending)
        approved = [{"tool": each.tool, "arguments": each.arguments} for each in self._pending if each.approved]
        state: dict[str, Any] = {APPROVED: approved} if approved else {}
        runner = Runner(agent, self._around)
        try:
            asked = dataclasses.replace(self._request, tool_choice="auto")
            await runner.run(asked, self._context, history=history, state=state, emit=emit)
        except Waiting:
            if not history.asked:
                raise
            for tool, arguments in history.asked:
                known = self._kit.known[tool]
                details = {"server": known.server, "name": known.name, "tool": tool, "arguments": _text(arguments)}
                self._tell("mcp_approval_request", details, done=True, number=self._next())
            emit(_spent(self._context.allowance.spent, before))
            emit(Finish("stop"))

    async def _first(self, request: ChatRequest, _: Any) -> ChatRequest | None:
        """The first call of the model has to call what the caller names."""
        forced, self._forced = self._forced, ""
        return dataclasses.replace(request, tool_choice=forced) if forced and request.tools else None

    async def _begin(self, name: str, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult | None:
        known = self._kit.known.get(name)
        if known is None:
            return None
        if self._calls >= self._most or (known.most is not None and self._made[name] >= known.most):
            return ToolResult(error=ENOUGH)
        self._calls += 1
        self._made[name] += 1
        if known.kind == "web_search":
            details: dict[str, Any] = {"query": str(arguments.get("query", ""))}
        elif known.kind == "code_interpreter":
            details = {"code": str(arguments.get("code", "")), "container_id": self._kit.container}
        else:
            waited = next((each.id for each in self._pending if each.fits(name, arguments)), None)
            details = {"server": known.server, "name": known.name, "tool": name, "arguments": _text(arguments)}
            details["approval_request_id"] = waited
        self._open[context.call_id] = known.kind, self._next(), details
        self._tell(known.kind, details, done=False, number=self._count)
        return None

    async def _end(self, _: str, result: ToolResult, context: ToolContext) -> ToolResult | None:
        begun = self._open.pop(context.call_id, None)
        if begun is not None:
            kind, number, details = begun
            self._tell(kind, details | _outcome(kind, result), done=True, number=number)
        return None

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _tell(self, kind: HostedKind, details: Mapping[str, Any], *, done: bool, number: int) -> None:
        self._emit(HostedCall(kind, number, details, done))


class _Approvals(NoHistory):
    """What a person has decided, and which calls wait for one."""

    def __init__(self, kit: Kit, pending: list[Pending]) -> None:
        super().__init__()
        self._kit = kit
        self._pending = list(pending)
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    async def outcome(self, step: Step, perform: Perform) -> Any:
        if step.kind != "approval":
            return await super().outcome(step, perform)
        arguments = step.input["arguments"]
        for each in self._pending:
            if each.fits(step.name, arguments):
                self._pending.remove(each)
                return {"decision": "approved" if each.approved else "denied", "note": each.reason}
        known = self._kit.known.get(step.name)
        if known is None or not known.asks:
            # There is no way to ask for these; a model that wants to go on says so.
            return {"decision": "denied", "note": "The user did not ask for it with these values, other texts did."}
        self.asked.append((step.name, arguments))
        raise Waiting(f"{known.name} of {known.server} waits for an approval", step=step.path)


class _Resuming:
    """Models, of which the first call is answered with the calls on which a person has decided."""

    def __init__(self, models: Models, pending: list[Pending]) -> None:
        self._models = models
        self._pending = pending

    async def find(self, name: str, context: Context) -> tuple[str, Responder]:
        name, found = await self._models.find(name, context)
        return name, _Decided(found, self._pending)

    def reasoning(self, name: str) -> Reasoning:
        return self._models.reasoning(name)


class _Decided:
    """``inner`` after one answer: the ``pending`` calls."""

    def __init__(self, inner: Responder, pending: list[Pending]) -> None:
        self._inner = inner
        self._pending = tuple(pending)

    async def respond(self, request: Request, context: Context) -> Response:
        pending, self._pending = self._pending, ()
        if not pending:
            return await self._inner.respond(request, context)
        return Response(Head(request.model), _called(pending))

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return self._inner.fingerprint(request, context)


async def _called(pending: tuple[Pending, ...]) -> AsyncGenerator[Event, None]:
    for index, each in enumerate(pending):
        yield ToolCallDelta(0, index, f"call_{each.id}", each.tool, _text(each.arguments))
    yield Finish("tool_calls")


def _outcome(kind: HostedKind, result: ToolResult) -> dict[str, Any]:
    """The details of a call that has ended, as the model reads them."""
    output = result.output if isinstance(result.output, Mapping) else {}
    if kind == "web_search":
        rows = output.get("results") or ()
        named = ("number", "title", "url")
        told = [{name: each[name] for name in named} | {"text": each["text"][:_EXTRACT]} for each in rows]
        return {"sources": told} | ({"error": result.error} if result.error else {})
    if kind == "code_interpreter":
        value = output.get("value")
        logs = "\n".join(filter(None, (output.get("stdout", ""), "" if value is None else _said(value))))
        return {"logs": logs, "error": result.error or output.get("error") or "", "files": output.get("files") or []}
    said = result.output
    return {"output": None if result.error else said if isinstance(said, str) else _text(said), "error": result.error}


def _said(value: Any) -> str:
    return value if isinstance(value, str) else _text(value)


def _text(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def _spent(now: Usage, before: Usage) -> Usage:
    return Usage(
        now.prompt_tokens - before.prompt_tokens,
        now.completion_tokens - before.completion_tokens,
        now.cached_tokens - before.cached_tokens,
        now.cost_nanousd - before.cost_nanousd,
    )


def _nowhere(_: Event) -> None:
    """Nobody listens yet."""
