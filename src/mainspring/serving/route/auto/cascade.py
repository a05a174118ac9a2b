"""A small model first; a large one if the confidence in its answer is low (FrugalGPT, Chen et al., 2023).

The small answer is read completely before anything is shown, so that it can still be discarded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from mainspring.core.errors import InvalidRequest, MainspringError
from mainspring.core.path import Answer
from mainspring.core.types import Context, Event, Head, Responder, Response, Text, Usage
from mainspring.serving.route.auto.confidence import Asking, Confidence, well_formed


@dataclass(frozen=True, slots=True)
class Attempt:
    """A small model's answer: its ``events``, and its cost. ``problem`` is the code of the error that it ended in."""

    head: Head
    events: list[Event]
    usage: Usage
    confidence: float
    problem: str = ""

    def response(self) -> Response:
        """The attempt as the answer."""
        return Response(self.head, _replayed(self.events))


async def attempt(
    small: Responder, signal: Confidence, request: Asking, context: Context, aside: Context | None = None
) -> Attempt:
    """Ask ``small``; the signal's own questions run under ``aside`` (None: ``context``). A failure that another model
    might not have is an attempt with confidence 0.

    Raises ``InvalidRequest`` for what no model would answer.
    """
    asked = request
    if signal.logprobs and request.sampling.logprobs is None:
        asked = dataclasses.replace(request, sampling=dataclasses.replace(request.sampling, logprobs=0))
    hidden = asked is not request
    answer = Answer(Head(request.model))
    events: list[Event] = []
    try:
        response = await small.respond(asked, context)
        answer.head = response.head
        async with response:
            async for event in response:
                answer.add(event)
                if isinstance(event, Text) and hidden:
                    event = dataclasses.replace(event, logprobs=())
                events.append(event)
        sure = await signal.of(request, aside or context, answer) if well_formed(request, answer) else 0.0
    except InvalidRequest:
        raise
    except MainspringError as error:
        return Attempt(answer.head, events, answer.usage, 0.0, error.code)
    return Attempt(answer.head, events, answer.usage, sure)


def besides(response: Response, usage: Usage) -> Response:
    """``response``, whose usage includes ``usage``: discarded answers were paid for."""
    return response.through(lambda events: _with(events, usage))


async def _with(events: object, usage: Usage) -> AsyncGenerator[Event, None]:
    async for event in events:  # type: ignore[attr-defined]
        if isinstance(event, Usage):
            event = event + usage
            usage = Usage()
        yield event


async def _replayed(events: list[Event]) -> AsyncGenerator[Event, None]:
    for event in events:
        yield event
