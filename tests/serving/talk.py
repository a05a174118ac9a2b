"""A conversation over the real stores, with a scripted engine that counts words and a deterministic embedder."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mainspring import stores
from mainspring.core.path import Answer, collect
from mainspring.core.settings import Settings
from mainspring.core.types import ChatRequest, Context, Message, Responder, Sampling
from mainspring.engines import ChatModel
from mainspring.engines.base import Embedded
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import Script, ScriptedEngine
from mainspring.features.replays.service import Replays
from mainspring.guards.detect import pii
from mainspring.guards.policy.policies import GuardPolicy
from mainspring.serving.admit.rate_limits import Limits
from mainspring.serving.memory.keeper import Keeper
from mainspring.serving.memory.model_summary import Writer
from mainspring.serving.memory.terms import words
from mainspring.serving.memory.tokens import Tokens
from mainspring.serving.money.charged_models import ChargedModels
from mainspring.serving.money.pricing import Price
from mainspring.serving.prompts.registry import PromptRegistry
from mainspring.serving.ring.background import Background
from mainspring.serving.ring.compose import Services, call_ring, request_ring
from mainspring.serving.ring.registry import Registry, Served
from mainspring.stores import Stores
from tests.serving.house import CountingMetrics, MemoryTracing, visitor

POLICIES = {"strict": GuardPolicy("strict", injection="refuse", pii_output_kinds=pii.KINDS)}
"""What replays may name."""


class WordVectors:
    """Texts that share words have a high cosine."""

    name = "words"
    dimensions = 256
    max_tokens = 64

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        self.embedded += texts
        rows = np.full((len(texts), self.dimensions), 1e-3, np.float32)
        for row, text in enumerate(texts):
            for word in words(text):
                rows[row, zlib.crc32(word.encode()) % self.dimensions] += 1
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return Embedded(rows, sum(self.count_tokens(texts)))

    async def close(self) -> None:
        return None


class Talk:
    """A house with a memory. ``shown`` is the last prompt, as messages."""

    def __init__(
        self,
        opened: Stores,
        settings: Settings,
        script: Script | None,
        *,
        writes: bool,
        window: int,
        policy: GuardPolicy | None = None,
    ) -> None:
        self.stores = opened
        self.background = Background()
        self.engine = ScriptedEngine(
            script or (lambda _: ["Well", " said", "."]), templates=True, context_window=window
        )
        self.embedder = WordVectors()
        model = self.served = ModelResponder(self.engine, model_name="chat", fingerprint="weights-1")
        chat = ChatModel("chat", self.engine, model, writes, "scripted")
        policy = policy or GuardPolicy(injection="off", pii_input="off", pii_output="off")
        self.prompts = PromptRegistry(opened.prompts)
        stored = opened.events, opened.sessions, opened.cache
        self.tracing = MemoryTracing()
        services = Services(
            settings, self.tracing, CountingMetrics(), policy, *stored, self.background, prompts=self.prompts
        )
        calls = call_ring(services, model, model="chat", provider="scripted")
        charged = ChargedModels(lambda inner, name, provider: call_ring(services, inner, model=name, provider=provider))
        self.keeper = Keeper(
            opened.memory,
            Tokens({"chat": chat}),
            lambda context: charged.embedder(self.embedder, context),
            opened.events,
            writer=Writer(calls, "chat") if writes else None,
        )
        registry = self.registry = Registry()
        registry.add(Served("chat", "chat", calls))
        registry.add(Served("application", "application", calls))
        self.services = dataclasses.replace(services, keeper=self.keeper)
        self.ring = self.under(policy)
        self.replays = Replays(
            opened.events, self.ring, lambda name: self.under(POLICIES[name]), registry, self.embedder
        )

    def under(self, policy: GuardPolicy) -> Responder:
        """The request ring with this policy."""
        return request_ring(dataclasses.replace(self.services, policy=policy), self.registry, Limits(10**9, 10**9))

    def serve(self, name: str, script: Script) -> ScriptedEngine:
        """Serve one more model."""
        engine = ScriptedEngine(script, templates=True)
        model = ModelResponder(engine, model_name=name, fingerprint=f"weights of {name}")
        price = Price.per_million(2.0, 6.0)
        calls = call_ring(self.services, model, model=name, provider="scripted", price=price)
        self.registry.add(Served(name, "chat", calls))
        return engine

    async def say(self, text: str, context: Context | None = None, **fields: Any) -> Answer:
        """One turn, with what follows it in the background."""
        messages = fields.pop("messages", (Message("user", text),))
        request = ChatRequest(
            **{"model": "chat", "messages": messages, "session_id": "s", "sampling": Sampling(max_tokens=32), **fields}
        )
        answer = await collect(await self.ring.respond(request, context or visitor()))
        await self.keeper.idle()
        return answer

    @property
    def shown(self) -> tuple[Message, ...]:
        return self.engine.seen[-1].messages

    @property
    def prompt(self) -> str:
        return "\n".join(each.content for each in self.shown)


@asynccontextmanager
async def talk(
    home: Path,
    script: Script | None = None,
    *,
    writes: bool = False,
    window: int = 4096,
    policy: GuardPolicy | None = None,
    sections: Mapping[str, Any] | None = None,
    **sessions: Any,
) -> AsyncIterator[Talk]:
    """A talk over the stores under ``home``; ``sessions`` are its settings, ``sections`` those of other sections,
    ``writes``: the model writes summaries."""
    settings = Settings.model_validate({"home": home, "sessions": sessions, **(sections or {})})
    async with stores.open(settings) as opened:
        made = Talk(opened, settings, script, writes=writes, window=window, policy=policy)
        try:
            yield made
        finally:
            await made.keeper.close()
            await made.background.close()
