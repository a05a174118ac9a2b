"""The state of conversations that clients keep themselves: found again by what was said so far.

A client without a session sends the whole conversation each time. What a dialogue knew after its last answer is kept in
this process under a digest of the caller and of the conversation up to that answer, so that nobody can bring a state of
his own. After a restart it is gone, and the customer is asked who they are again.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.agents.choice.base import Steps, Turn
from mainspring.core.types import Message
from mainspring.features.support.dialogue.memory import STATE

_KEPT = 10_000


class Recall:
    """``key`` is the key of the state under which it stands who the customer is."""

    def __init__(self, key: str) -> None:
        self._keys = tuple(each for each in (STATE, key) if each)
        self._kept: OrderedDict[str, dict[str, Any]] = OrderedDict()

    async def find(self, turn: Turn, steps: Steps) -> dict[str, Any]:
        """The state after the latest answer of the conversation; empty: it is not known."""
        before = list(turn.messages[:-1])
        while before and before[-1].role != "assistant":
            before.pop()
        if not before:
            return {}
        digest = _digest(turn.caller, before)

        async def look() -> dict[str, Any]:
            return self._kept.get(digest, {})

        found: dict[str, Any] = await steps.value("dialogue", {"conversation": digest}, look)
        return dict(found)

    def keep(self, turn: Turn, said: str, state: Mapping[str, Any]) -> None:
        """Keep the state after the answer ``said``."""
        digest = _digest(turn.caller, [*turn.messages, Message("assistant", said)])
        self._kept[digest] = {key: state[key] for key in self._keys if key in state}
        self._kept.move_to_end(digest)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)


def _digest(caller: str, messages: Sequence[Message]) -> str:
    said = [[each.role, each.content.strip()] for each in messages if each.role in ("user", "assistant")]
    said = [each for each in said if each[1]]
    return hashlib.sha256(json.dumps([caller, said]).encode()).hexdigest()[:32]
