"""Tokens of messages in the vocabulary of the model that will read them, each text counted once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence

from cachetools import LRUCache

import mainspring.serving.admit.token_estimate as estimate
from mainspring.core.errors import MainspringError
from mainspring.core.types import Message
from mainspring.engines import ChatModel
from mainspring.serving.memory.base import Count

_KEPT = 100_000
# Maximum number of concurrent template requests: the engine's child answers one at a time.
_AT_ONCE = 64


class Tokens:
    """Counts for every chat model. Other names (routes, applications) may lead to any model, so the model with the
    smallest window counts for them. Without a chat model the count is an estimate."""

    def __init__(self, chat: Mapping[str, ChatModel]) -> None:
        self._chat = chat
        # Under digests, so that nothing of an erased text can be read from here.
        self._known: LRUCache[tuple[str, bytes], int] = LRUCache(_KEPT)

    def window(self, model: str) -> int | None:
        """The context window of ``model``; None if it is not known."""
        found = self._reader(model)
        return None if found is None else found.engine.capabilities.context_window

    def counter(self, model: str) -> Count:
        """The counter for ``model``."""
        found = self._reader(model)
        if found is None:
            return estimated

        async def count(messages: Sequence[Message]) -> list[int]:
            total: list[int] = []
            for start in range(0, len(messages), _AT_ONCE):
                part = messages[start : start + _AT_ONCE]
                total += await asyncio.gather(*(self._message(found, message) for message in part))
            return total

        return count

    def _reader(self, model: str) -> ChatModel | None:
        smallest = min(self._chat.values(), key=lambda each: each.engine.capabilities.context_window, default=None)
        return self._chat.get(model, smallest)

    async def _message(self, model: ChatModel, message: Message) -> int:
        text = "\n".join([message.content, *(f"{call.name}{call.arguments}" for call in message.tool_calls)])
        key = model.name, hashlib.sha256(text.encode("utf-8", "replace")).digest()
        known = self._known.get(key)
        if known is None:
            try:
                known = await model.engine.count_tokens(text) if text else 0
            except MainspringError:
                # The engine is being started again: the request itself will wait for it, or say so.
                return estimate.TOKENS_A_MESSAGE + estimate.text_tokens(text)
            self._known[key] = known
        return known + estimate.TOKENS_A_MESSAGE


async def estimated(messages: Sequence[Message]) -> list[int]:
    """Four characters a token."""
    return [estimate.message_tokens([message]) for message in messages]
