"""Tools, an embedder and steps for tests of tool choice."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from mainspring.agents.tools.base import ToolContext, ToolPolicy, ToolResult
from mainspring.core.types import ChatRequest, Message, Tool, ToolCall
from mainspring.engines.base import Embedded


@dataclass(frozen=True, slots=True)
class Declared:
    """A tool that is never called."""

    declaration: Tool
    examples: tuple[str, ...] = ()
    policy: ToolPolicy = field(default_factory=ToolPolicy)

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        raise AssertionError


def declared(name: str, description: str, examples: tuple[str, ...] = (), /, **properties: Any) -> Declared:
    """A tool whose arguments are required unless their schema has a default."""
    needed = [each for each, schema in properties.items() if "default" not in schema]
    schema = {"type": "object", "properties": properties, "required": needed}
    return Declared(Tool(name, description, schema), examples)


class Words:
    """Embeds a text as the bag of its words: equal words, equal directions."""

    name = "all-minilm-l6-v2"
    dimensions = 256
    max_tokens = 256

    def __init__(self) -> None:
        self.texts = 0

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def close(self) -> None:
        """Nothing is held."""

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        self.texts += len(texts)
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for at, text in enumerate(texts):
            for word in re.findall(r"[a-z]+", text.lower()) or ["nothing"]:
                digest = hashlib.sha256(word.encode()).digest()
                vectors[at, digest[0]] += 1
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return Embedded(vectors, len(texts))


class Recorded:
    """Steps whose model writes what ``writes`` says: the arguments of a forced call, or a text."""

    def __init__(self, *writes: Any, values: list[Any] | None = None) -> None:
        self.writes = list(writes)
        self.asked: list[ChatRequest] = []
        self.values: list[Any] = []
        self._kept = values

    async def ask(self, request: ChatRequest) -> Message:
        self.asked.append(request)
        written = json.dumps(self.writes.pop(0))
        if not request.tools:
            return Message("assistant", written)
        name = request.tool_choice if request.tool_choice != "required" else request.tools[0].name
        return Message("assistant", "", tool_calls=(ToolCall("1", name, written),))

    async def value(self, name: str, asked: Any, find: Callable[[], Awaitable[Any]]) -> Any:
        found = self._kept.pop(0) if self._kept is not None else await find()
        self.values.append(found)
        return found


TEXT, NUMBER, WHOLE = {"type": "string"}, {"type": "number"}, {"type": "integer"}
STATUS = declared("get_order_status", "Look up the status of an order", order_id=TEXT)
WEATHER = declared("get_weather", "Tell the weather of a city", city=TEXT)
REFUND = declared("refund_order", "Refund the money of an order", order_id=TEXT)
VERIFY = declared("verify_identity", "Verify the identity of the customer by e-mail", email=TEXT)
