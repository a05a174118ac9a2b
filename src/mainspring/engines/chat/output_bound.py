"""How long an answer may be: what its request asks for, within the settings and the rest of the context window.

A cap above that is no fault: clients send large ones unasked. It is lowered, and ``BOUND_HEADER`` tells so.
"""

from __future__ import annotations

import dataclasses

from mainspring.core.errors import PromptTooLong
from mainspring.core.types import Sampling
from mainspring.engines.base import Engine, Generation

BOUND_HEADER = "x-mainspring-max-tokens"
"""The tokens that an answer may have, where these are fewer than were asked for."""
# Tokens at the start and end of a text, which no count of it includes.
_MARKS = 2
# Few texts have fewer: an estimate of a remote prompt is not to be too small.
_BYTES_A_TOKEN = 3


class OutputBound:
    """Bounds the answers of ``engine``: without a cap they get ``default`` tokens (0: any number), and never more than
    ``most`` (None: any number)."""

    def __init__(self, engine: Engine, default: int, most: int | None) -> None:
        self._engine = engine
        self._default = default
        self._most = most

    async def of(self, generation: Generation) -> Sampling:
        """The sampling with a ``max_tokens`` that fits behind the prompt; none where the engine stops by itself. Raises
        ``PromptTooLong``."""
        sampling, window = generation.sampling, self._engine.capabilities.context_window
        wanted = sampling.max_tokens or self._default or None
        if self._most is not None:
            wanted = min(wanted or self._most, self._most)
        if generation.messages:
            # Without a cap the endpoint knows better what its model can write.
            return sampling if wanted is None else _with(sampling, min(wanted, _estimated_room(generation, window)))
        # A token has at least one byte, so most prompts fit without counting.
        if len(generation.prompt.encode()) + _MARKS + (wanted or 1) <= window:
            return _with(sampling, wanted)
        room = await self._room(generation, window)
        return _with(sampling, room if wanted is None else min(wanted, room))

    async def _room(self, generation: Generation, window: int) -> int:
        """Tokens that fit behind the prompt, in each of the sequences that are asked for."""
        prompt_tokens = await self._engine.count_tokens(generation.prompt)
        if prompt_tokens >= window:
            raise PromptTooLong.counted(prompt_tokens, window)
        capacity, width = self._engine.capacity, max(generation.sampling.n, generation.sampling.beams, 1)
        most = window if capacity is None else min(window, capacity.kv_tokens // width)
        return max(1, most - prompt_tokens - _MARKS)


def lowered(asked: Sampling, given: Sampling) -> dict[str, str]:
    """The headers of an answer that was ``given`` fewer tokens than were ``asked`` for."""
    if asked.max_tokens is None or given.max_tokens is None or given.max_tokens >= asked.max_tokens:
        return {}
    return {BOUND_HEADER: str(given.max_tokens)}


def _with(sampling: Sampling, max_tokens: int | None) -> Sampling:
    return sampling if sampling.max_tokens == max_tokens else dataclasses.replace(sampling, max_tokens=max_tokens)


def _estimated_room(generation: Generation, window: int) -> int:
    """A remote prompt's tokens are only estimated here, and its server decides about a refusal."""
    texts = [each for message in generation.messages for each in (message.content, str(message.tool_calls))]
    sent = sum(len(text.encode()) for text in [*texts, *map(str, generation.tools)])
    return max(1, window - sent // _BYTES_A_TOKEN)
