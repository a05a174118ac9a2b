"""One agent with a model: it is asked, its calls are performed, and so on until it answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from mainspring.agents.agent import LlmAgent
from mainspring.agents.choice import plainly
from mainspring.agents.choice.base import UNABLE, Choice, Turn
from mainspring.agents.choice.request import CONTEXT
from mainspring.agents.errors import LimitReached
from mainspring.agents.history import Step
from mainspring.agents.limits.budgets import Budget
from mainspring.agents.loop import react, structured
from mainspring.agents.loop.acting import Acted, Acting
from mainspring.agents.loop.agent_tool import TRANSFER
from mainspring.agents.loop.event_target import EventTarget
from mainspring.agents.loop.instructions import rendered
from mainspring.agents.loop.nodes import Node
from mainspring.agents.loop.salvage import HeldBackText, salvaged
from mainspring.agents.loop.steps import Frame, Outcome, Reply, Run, ask
from mainspring.agents.tools.base import ToolResult
from mainspring.agents.tools.calling import record
from mainspring.core.errors import BudgetExceeded, SessionSpent
from mainspring.core.types import ChatRequest, Message, Responder, Text, Tool, ToolCall
from mainspring.telemetry.tracing import NoTracing

_SYSTEM = ("system", "developer")
ENOUGH = "You may take no further steps. Answer now, with what you know, and say what is still open."


async def run_llm(run: Run, node: Node, view: Sequence[Message], frame: Frame, shown: EventTarget) -> Outcome:
    """Run the agent of ``node`` on the conversation ``view``. The budget of ``frame`` is its own."""
    agent = node.agent
    assert isinstance(agent, LlmAgent)
    budget = frame.budget
    assert budget is not None
    deadline = run.context.deadline
    if deadline is None or budget.deadline < deadline:
        run = run.under(dataclasses.replace(run.context, deadline=budget.deadline))
    turn = _Turns(run, node, view, frame, budget, shown)
    try:
        await turn.prepare()
        return await turn.answer()
    except LimitReached as error:
        if not budget.answers_for(error.owner):
            raise
        return turn.stopped(error.message, error.limit)
    except (BudgetExceeded, SessionSpent) as error:
        # If nothing was done yet, the request is refused. What agents within have used up ends the answer.
        if shown.inner or not turn.begun:
            raise
        return turn.stopped(error.message, "budget")


class _Turns:
    """The turns of one agent: its conversation with the model, and what it may do."""

    def __init__(
        self, run: Run, node: Node, view: Sequence[Message], frame: Frame, budget: Budget, shown: EventTarget
    ) -> None:
        assert isinstance(node.agent, LlmAgent)
        self._run, self._node, self._agent, self._frame = run, node, node.agent, frame
        self._budget, self._shown = budget, shown
        self._given = "\n\n".join(each.content for each in view if each.role in _SYSTEM and each.content)
        self._messages = [each for each in view if each.role not in _SYSTEM]
        self._start = len(self._messages)
        self._playbook = ""
        self._system = Message("system", "")
        self._client = {each.name for each in frame.client_tools}
        self._sure: set[str] = set()
        self._results: list[ToolResult] = []

    async def prepare(self) -> None:
        """Look up the tools, the model and the playbook."""
        run, agent = self._run, self._agent
        self._box = await run.toolbox(self._node)
        self._model, self._responder = await run.model(agent.model)
        wanted = agent.reasoning if agent.reasoning != "auto" else run.around.models.reasoning(self._model)
        self._able = wanted == "native"
        self._chooser = agent.chooser or run.around.chooser
        if agent.chooser is not None:
            wanted = "choice"
        self._way = "native" if wanted == "choice" and self._chooser is None else wanted
        self._acting = Acting(run, self._node, self._frame, self._box, self._budget, self._shown, self._decided)
        if run.provenance is not None:
            run.provenance.offered(self._box.tools.values())
        self._tools = (*self._box.declarations, *self._frame.client_tools)
        self._grammar = structured.grammar(agent.output_schema) or self._frame.grammar
        if agent.playbook and run.around.playbooks is not None:
            playbooks = run.around.playbooks
            self._playbook = await self._value(
                "playbook", agent.playbook, lambda: playbooks.text(agent.playbook, run.context)
            )

    async def answer(self) -> Outcome:
        """Until the model answers, hands over or calls what the client performs."""
        while True:
            reply = self._confirmed() or await self._reply()
            if not reply.calls:
                return await self._finished(reply)
            own = [call for call in reply.calls if call.name not in self._client]
            if not own:
                return Outcome(reply.text, "tool_calls", calls=tuple(reply.calls), trail=self.trail())
            # A client performs its calls once this answer has ended, so its tools are called on their own.
            asked = len(self._messages)
            self._messages.append(Message("assistant", reply.text, tool_calls=tuple(reply.calls)))
            acted = await self._acting.calls(own, partial(self._trusted_view, asked), self._sure)
            self._told(reply.calls, acted)
            self._results += [each.outcome for each in acted]
            if (ended := self._ended(acted, reply)) is not None:
                return ended

    def _confirmed(self) -> Reply | None:
        """The call that the user has just said yes to: it is made without asking the model again."""
        effects = self._run.effects
        due = None if effects is None else effects.take(self._box.tools)
        if due is None:
            return None
        name, arguments = due
        call = ToolCall(f"call_{self._frame.path()}_confirmed", name, structured.dumps(dict(arguments)))
        self._sure.add(call.id)
        return Reply(calls=[call])

    @property
    def begun(self) -> bool:
        """Whether its model has answered."""
        return len(self._messages) > self._start

    def stopped(self, why: str, limit: str) -> Outcome:
        """End at a limit, and tell the user."""
        said = f"I could not finish this. {why.rstrip('.')}."
        self._shown.notice("agent_limit_reached", why, limit)
        self._say(Text(said))
        return Outcome(said, "length", limit=limit, trail=self.trail())

    def trail(self) -> tuple[Message, ...]:
        """What it said and found out, in words for another agent."""
        told = []
        for each in self._messages[self._start :]:
            if each.role == "assistant" and each.content:
                told.append(f"[{self._agent.name}] said: {each.content}")
            elif each.role == "tool" and each.name and each.name != TRANSFER:
                told.append(f"[{self._agent.name}] called {each.name}, which said: {each.content}")
        return (Message("user", CONTEXT + "\n".join(told)),) if told else ()

    async def _reply(self) -> Reply:
        self._budget.take()
        if self._budget.steps_left <= 0 and self._messages[self._start :]:
            return await self._asked((), ENOUGH)
        if self._way == "choice" and self._box.tools:
            choice = await self._chosen(self._messages)
            if choice.calls or choice.say:
                return self._of(choice)
            if choice.way == "model":
                return await self._asked(None)
            misread = choice.way == "served" and self._model in UNABLE and self._grammar is None
            if misread and (said := plainly.told(self._results)):
                self._say(Text(said))
                return Reply(said)
            return await self._asked(self._frame.client_tools)
        return await self._asked(None)

    async def _asked(self, tools: tuple[Tool, ...] | None, note: str = "") -> Reply:
        """The model's answer, with these ``tools`` (None: all)."""
        agent, run = self._agent, self._run
        messages: Sequence[Message] = self._conversation(note)
        if run.around.composer is not None:
            messages = await run.around.composer.compose(messages, self._model, run.context)
            for tool in run.around.composer.tools(run.context):
                self._box.add(tool)
            self._tools = (*self._box.declarations, *self._frame.client_tools)
        tools = self._tools if tools is None else tools
        sampling = run.sampling
        left = self._budget.tokens_left
        if left is not None:
            sampling = dataclasses.replace(sampling, max_tokens=max(1, min(sampling.max_tokens or left, left)))
        if self._grammar is not None and not tools:
            sampling = dataclasses.replace(sampling, grammar=self._grammar)
        request = ChatRequest(
            self._model,
            tuple(messages),
            sampling,
            tools,
            parallel_tool_calls=run.parallel,
            store=False,
            user=run.user,
        )
        if agent.callbacks.before_model is not None:
            changed = await agent.callbacks.before_model(request, self._frame.state)
            if isinstance(changed, Message):
                self._say(Text(changed.content))
                return Reply(changed.content, calls=list(changed.tool_calls))
            request = changed or request
        reply = await self._sent(request, self._responder)
        if run.provenance is not None:
            run.provenance.written(reply.text)
        if agent.callbacks.after_model is not None:
            message = Message("assistant", reply.text, tool_calls=tuple(reply.calls))
            changed = await agent.callbacks.after_model(message, self._frame.state)
            if changed is not None:
                reply.text, reply.calls = changed.content, list(changed.tool_calls)
        return reply

    async def _sent(self, request: ChatRequest, responder: Responder) -> Reply:
        path = self._frame.path()
        if self._way == "react" and request.tools:
            asked = react.request(request)
            reply = react.read(await ask(self._run, asked, responder, path, self._budget, None), path)
            if reply.reasoning:
                self._shown.within().text(self._agent.name, Text(reply.reasoning + "\n"))
            if reply.text and not reply.calls:
                self._say(Text(reply.text))
            return reply
        # An answer that must fit a schema is shown once it does.
        hidden = self._grammar is not None
        if not request.tools:
            return await ask(self._run, request, responder, path, self._budget, None if hidden else self._say)
        held = HeldBackText(self._say)
        reply = await ask(self._run, request, responder, path, self._budget, None if hidden else held)
        calls = salvaged(reply, {each.name for each in request.tools}, path)
        if calls:
            return Reply("", reply.reasoning, calls, "tool_calls", reply.usage)
        held.release()
        return reply

    async def _decided(self, messages: tuple[Message, ...], tools: tuple[Tool, ...]) -> Sequence[ToolCall]:
        """The calls that the model makes on this view of the conversation."""
        self._budget.take()
        if self._way == "choice":
            return self._called(await self._chosen(messages, self._trusted_view()[0]))
        request = ChatRequest(self._model, messages, self._run.sampling, tools, store=False, user=self._run.user)
        path = self._frame.path()
        if self._way == "react":
            reply = await ask(self._run, react.request(request), self._responder, path, self._budget, None)
            return react.read(reply, path).calls
        return (await ask(self._run, request, self._responder, path, self._budget, None)).calls

    def _say(self, text: Text) -> None:
        self._shown.text(self._agent.name, text)

    def _trusted_view(self, first: int | None = None) -> list[Message]:
        """The conversation, or its ``first`` messages, under an instruction that holds no value of the state which is
        a stranger's text."""
        provenance = self._run.provenance
        state = provenance.values(self._frame.state) if provenance is not None and provenance.tainted else None
        seen = self._conversation("", state)
        return seen if first is None else seen[: len(seen) - len(self._messages) + first]

    def _conversation(self, note: str, state: Mapping[str, Any] | None = None) -> list[Message]:
        said = rendered(self._agent.instruction, self._frame.state if state is None else state, self._agent.name)
        parts = [self._playbook, said, self._given, note]
        if self._box.untrusted:
            parts.append(self._run.light.instruction)
        text = "\n\n".join(part for part in parts if part)
        if text != self._system.content:
            self._system = Message("system", text)
        return [self._system, *self._messages] if text else list(self._messages)

    async def _chosen(self, messages: Sequence[Message], system: Message | None = None) -> Choice:
        chooser = self._chooser
        assert chooser is not None
        system = system or self._conversation("")[0]
        turn = Turn(
            tuple(each for each in messages if each.role not in _SYSTEM),
            list(self._box.tools.values()),
            tuple(self._agent.rules),
            self._model,
            system.content if system.role == "system" else "",
            self._frame.state,
            self._able,
            self._caller(),
            self._agent.name,
        )
        run = self._run
        tracer = run.around.tracer
        opened = tracer.span("tool choice", run.context) if tracer else NoTracing(run.context)
        with opened as span:
            choice = await chooser.choose(turn, _ChooserSteps(self))
            for name, value in choice.attributes.items():
                span.set(name, value)
        self._frame.state.update(choice.state)
        if choice.facts is not None:
            record(run.context, choice.facts)
        return choice

    def _caller(self) -> str:
        principal = self._run.context.principal
        return f"{principal.tenant}/{principal.key_id}/{self._run.user or ''}"

    def _of(self, choice: Choice) -> Reply:
        if choice.say:
            self._say(Text(choice.say))
        if not choice.calls:
            return Reply(choice.say)
        calls = self._called(choice)
        if choice.sure:
            self._sure |= {each.id for each in calls}
        return Reply(choice.say, calls=calls)

    def _called(self, choice: Choice) -> list[ToolCall]:
        path = self._frame.path()
        return [
            ToolCall(f"call_{path}_{index}", each.name, structured.dumps(dict(each.arguments)))
            for index, each in enumerate(choice.calls)
        ]

    def _told(self, calls: Sequence[ToolCall], acted: Sequence[Acted]) -> None:
        """Tell the model what its calls did, in their order."""
        results = {id(each.call): each.message for each in acted}
        for call in calls:
            left = Message(
                "tool",
                "Error: this tool was not called. Call it in a turn of its own.",
                name=call.name,
                tool_call_id=call.id,
            )
            self._messages.append(results.get(id(call), left))

    def _ended(self, acted: Sequence[Acted], reply: Reply) -> Outcome | None:
        for each in acted:
            result = each.outcome
            if result.transfer_to and result.transfer_to in self._node.targets():
                self._shown.handoff(self._agent.name, result.transfer_to, self._agent.visible)
                return Outcome(reply.text, transfer_to=result.transfer_to, trail=self.trail())
            if result.escalate:
                return self._kept(Outcome(reply.text, escalate=True, trail=self.trail()))
            if result.final and not result.error:
                text = result.output if isinstance(result.output, str) else structured.dumps(result.output)
                self._say(Text(text))
                return self._kept(Outcome(text, trail=self.trail()))
        return None

    async def _finished(self, reply: Reply) -> Outcome:
        if self._grammar is not None:
            reply = await self._fitting(reply)
        self._messages.append(Message("assistant", reply.text))
        finish = reply.finish if reply.finish != "tool_calls" else "stop"
        return self._kept(Outcome(reply.text, finish, trail=self.trail()))

    async def _fitting(self, reply: Reply) -> Reply:
        """An answer that fits the schema: asked for again if need be. Raises ``UnfitAnswer``."""
        assert self._grammar is not None
        fault = None
        for attempt in range(structured.ATTEMPTS + 1):
            fault = structured.fault(self._grammar, reply.text)
            if fault is None:
                self._say(Text(reply.text))
                return reply
            if attempt == structured.ATTEMPTS:
                break
            note = structured.ASK if attempt == 0 and self._tools else structured.AGAIN.format(fault=fault)
            self._messages += [Message("assistant", reply.text), Message("user", note)]
            self._budget.take()
            sampling = dataclasses.replace(self._run.sampling, grammar=self._grammar)
            request = ChatRequest(
                self._model, tuple(self._conversation("")), sampling, store=False, user=self._run.user
            )
            reply = await ask(self._run, request, self._responder, self._frame.path(), self._budget, None)
        raise structured.unfit(self._agent.name, fault or "")

    def _kept(self, outcome: Outcome) -> Outcome:
        if self._agent.output_key:
            text = outcome.text
            self._frame.state[self._agent.output_key] = text if self._grammar is None else structured.loads(text)
        return outcome

    async def _value(self, name: str, asked: Any, find: Callable[[], Awaitable[Any]]) -> Any:
        async def perform(_: str) -> Any:
            return await find()

        return await self._run.history.outcome(Step(self._frame.path(), "value", name, asked), perform)


class _ChooserSteps:
    """The steps that a chooser takes are the run's."""

    def __init__(self, turns: _Turns) -> None:
        self._turns = turns

    async def ask(self, request: ChatRequest) -> Message:
        turns = self._turns
        request = dataclasses.replace(request, model=turns._model, store=False, user=turns._run.user)
        path = turns._frame.path()
        reply = await ask(turns._run, request, turns._responder, path, turns._budget, None)
        return Message("assistant", reply.text, tool_calls=tuple(reply.calls))

    async def value(self, name: str, asked: Any, find: Callable[[], Awaitable[Any]]) -> Any:
        return await self._turns._value(name, asked, find)
