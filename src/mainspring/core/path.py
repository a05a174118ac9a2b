"""The ring mechanism: how layers wrap a responder, how a stream is collected into one answer, and several at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mainspring.core.types import (
    Answered,
    Citation,
    Context,
    Contradiction,
    Event,
    Finish,
    FinishReason,
    Head,
    HostedCall,
    Missing,
    Notice,
    Reasoning,
    Request,
    Responder,
    Response,
    Scores,
    Text,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    Usage,
    Vectors,
)

T = TypeVar("T")
LayerFactory = Callable[[Responder], Responder]


class Layer:
    """A responder around another. Subclasses override the methods that they change; the rest passes through."""

    def __init__(self, inner: Responder) -> None:
        self.inner = inner

    async def respond(self, request: Request, context: Context) -> Response:
        return await self.inner.respond(request, context)

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return self.inner.fingerprint(request, context)


def ring(layers: list[LayerFactory], core: Responder) -> Responder:
    """Wrap ``core`` in ``layers``. The first layer is outermost: the list reads in the order of a request."""
    responder = core
    for layer in reversed(layers):
        responder = layer(responder)
    return responder


@dataclass(slots=True)
class Choice:
    """One choice of a collected answer."""

    text: str = ""
    reasoning: str = ""
    tool_calls: list[ToolCall] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish: FinishReason | None = None
    stopped_by: str = ""
    reasoning_tokens: int = 0


@dataclass(slots=True)
class Answer:
    """A response read to its end."""

    head: Head
    choices: list[Choice] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    answered: bool | None = None
    """Whether documents answered the question; None if none were asked."""
    sought: tuple[str, ...] = ()
    """Topics of the question that the documents do not mention."""
    contradictions: list[Contradiction] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    hosted: list[tuple[int, HostedCall]] = field(default_factory=list)
    """The calls that the server made, each with the number of characters of text before it."""
    usage: Usage = Usage()
    vectors: Vectors | None = None
    scores: Scores | None = None

    @property
    def text(self) -> str:
        """The text of the first choice; empty without one."""
        return self.choices[0].text if self.choices else ""

    def add(self, event: Event) -> None:
        """Take one more event in."""
        match event:
            case Text():
                choice = self._choice(event.choice)
                choice.text += event.text
                choice.logprobs.extend(event.logprobs)
            case Reasoning():
                choice = self._choice(event.choice)
                choice.reasoning += event.text
                choice.reasoning_tokens += event.tokens
            case ToolCallDelta():
                self._add_tool_call(event)
            case Citation():
                self.citations.append(event)
            case Missing():
                self.missing.append(event)
            case Answered():
                self.answered, self.sought = event.answered, event.sought
            case Contradiction():
                self.contradictions.append(event)
            case Notice():
                self.notices.append(event)
            case HostedCall():
                if event.done:
                    self.hosted.append((len(self.text), event))
            case Usage():
                self.usage = self.usage + event
            case Vectors():
                self.vectors = event
            case Scores():
                self.scores = event
            case Finish():
                choice = self._choice(event.choice)
                choice.finish, choice.stopped_by = event.reason, event.stopped_by
            case _:
                return

    def _choice(self, index: int) -> Choice:
        while len(self.choices) <= index:
            self.choices.append(Choice())
        return self.choices[index]

    def _add_tool_call(self, event: ToolCallDelta) -> None:
        calls = self._choice(event.choice).tool_calls
        while len(calls) <= event.index:
            calls.append(ToolCall("", "", ""))
        call = calls[event.index]
        calls[event.index] = ToolCall(event.id or call.id, event.name or call.name, call.arguments + event.arguments)


async def collect(response: Response) -> Answer:
    """Read ``response`` to its end. A failure of the stream is raised; the response is closed either way."""
    answer = Answer(response.head)
    async with response:
        async for event in response:
            answer.add(event)
    return answer


async def together(*works: Coroutine[Any, Any, T]) -> list[T]:
    """The results of ``works``, run concurrently. If one fails, or the caller is cancelled, the others are cancelled
    and awaited before the exception is raised. Their spending is booked by then, and none of them keeps running."""
    tasks = [asyncio.ensure_future(work) for work in works]
    if not tasks:
        return []
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def replay(events: list[Event]) -> AsyncIterator[Event]:
    """Stored events as a stream."""
    for event in events:
        yield event
