"""Two models answer the same question at once; the failure of one leaves the other its answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field

from mainspring.core.errors import EngineError, MainspringError
from mainspring.core.types import (
    ChatRequest,
    Context,
    Message,
    Request,
    Responder,
    Sampling,
    Settlement,
    Text,
    TraceParent,
    Usage,
)
from mainspring.features.arena.definitions import Side

SIDES: tuple[Side, Side] = ("left", "right")


@dataclass(slots=True)
class SideAnswer:
    """What one side has answered so far. ``error`` says why it has failed."""

    text: str = ""
    answer_id: str = ""
    trace_id: str = ""
    usage: Usage = Usage()
    error: MainspringError | None = None


@dataclass(slots=True)
class BattleAnswers:
    """Both sides, while they answer."""

    said: Mapping[Side, SideAnswer] = field(default_factory=lambda: {side: SideAnswer() for side in SIDES})

    @property
    def complete(self) -> bool:
        """Both have answered, and neither has failed."""
        return all(each.error is None and each.text.strip() for each in self.said.values())


def request(model: str, messages: tuple[Message, ...], max_tokens: int, user: str) -> ChatRequest:
    """The same for both models but the name."""
    return ChatRequest(model, messages, Sampling(max_tokens=max_tokens), user=user or None)


async def ask(
    responder: Responder, requests: Mapping[Side, Request], context: Context, asked: BattleAnswers
) -> AsyncGenerator[tuple[Side, str], None]:
    """The pieces of both answers as they come; ``asked`` holds all of them when it ends. Leaving it cancels both."""
    pieces: asyncio.Queue[tuple[Side, str] | None] = asyncio.Queue()

    async def one(side: Side) -> None:
        said = asked.said[side]
        try:
            await _read(responder, requests[side], context, side, said, pieces)
            if not said.text.strip():
                said.error = EngineError("the model answered with no text")
        except MainspringError as error:
            said.error = error
        finally:
            pieces.put_nowait(None)

    tasks = [asyncio.create_task(one(side), name=f"arena: {side}") for side in SIDES]
    try:
        left = len(tasks)
        while left:
            piece = await pieces.get()
            if piece is None:
                left -= 1
            else:
                yield piece
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(
    responder: Responder,
    request: Request,
    context: Context,
    side: Side,
    said: SideAnswer,
    pieces: asyncio.Queue[tuple[Side, str] | None],
) -> None:
    # Each side is a request by itself: it has its own trace, reservation and record.
    own = context.apart(context.allowance.fork(), Settlement(), trace=TraceParent.new(), arrival=None)
    said.trace_id = own.trace.trace_id
    response = await responder.respond(request, own)
    async with response:
        said.answer_id = response.head.answer_id
        async for event in response:
            if isinstance(event, Text) and event.choice == 0:
                said.text += event.text
                pieces.put_nowait((side, event.text))
            elif isinstance(event, Usage):
                said.usage = said.usage + event
