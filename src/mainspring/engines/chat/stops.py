"""Stop strings found on our side, for engines that lose text at them."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from mainspring.core.types import Event, Finish, Text, Usage
from mainspring.engines.chat import markers


async def stopped(
    events: AsyncGenerator[Event, None], stops: Sequence[str], *, choices: int, prompt_tokens: int
) -> AsyncGenerator[Event, None]:
    """``events`` up to the first of ``stops`` in each choice, which is not shown.

    It holds back at most a partial stop string. When every choice has ended, ``events`` are closed; usage is then the
    count so far: ``prompt_tokens`` and the tokens of each ``Text``.
    """
    held: dict[int, Text] = {}
    done: dict[int, str] = {}
    counted = 0
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Text):
                counted += event.tokens
                if event.choice in done:
                    continue
                ready, kept, stop = _split(_join(held.pop(event.choice, None), event), stops)
                if ready is not None:
                    yield ready
                if kept is not None:
                    held[event.choice] = kept
                if stop:
                    done[event.choice] = stop
                if len(done) == choices:
                    yield Usage(prompt_tokens, counted)
                    for choice in sorted(done):
                        yield Finish("stop", choice, done[choice])
                    return
                continue
            if isinstance(event, Usage):
                for text in held.values():
                    yield text
                held.clear()
            if isinstance(event, Finish) and event.choice in done:
                event = Finish("stop", event.choice, done[event.choice])
            yield event


def _join(before: Text | None, event: Text) -> Text:
    if before is None:
        return event
    return dataclasses.replace(
        event,
        text=before.text + event.text,
        tokens=before.tokens + event.tokens,
        logprobs=before.logprobs + event.logprobs,
    )


def _split(event: Text, stops: Sequence[str]) -> tuple[Text | None, Text | None, str]:
    """The text to show, the text to hold back, and the stop string that ended the choice, if any."""
    found = markers.first(event.text, stops)
    if found:
        shown = event.text[: found[0]]
        return (dataclasses.replace(event, text=shown) if shown else None), None, found[1]
    keep = len(event.text) - markers.length_of_partial_marker(event.text, stops)
    if keep == len(event.text):
        return event, None, ""
    if keep == 0:
        return None, event, ""
    waiting = Text(event.text[keep:], event.choice)
    return dataclasses.replace(event, text=event.text[:keep]), waiting, ""
