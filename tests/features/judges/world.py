"""Stores, scripted chat models with probabilities, and the service over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, cast

from mainspring.core.errors import Unsupported
from mainspring.core.path import replay
from mainspring.core.settings import Settings
from mainspring.core.types import (
    ChatRequest,
    Context,
    Finish,
    Head,
    Principal,
    Request,
    Response,
    Text,
    TokenLogprob,
    Usage,
)
from mainspring.feature import Rooms
from mainspring.features.judges.service import Judges
from mainspring.serving.ring.registry import Registry, Served
from mainspring.stores import Stores

CALLER = Principal("acme", "key_judge", frozenset({"judges"}))
Chances = Mapping[str, float]
Script = Callable[[str], Chances]


def context(principal: Principal = CALLER) -> Context:
    return Context(principal)


class Model:
    """Replies to what it is shown by ``script``: the probability of each word. ``tells`` is how many probabilities a
    token its engine tells (None: none)."""

    def __init__(self, name: str, script: Script, tells: int | None = 20) -> None:
        self.name = name
        self.script = script
        self.tells = tells
        self.seen: list[str] = []
        self.weights = "1"

    async def respond(self, request: Request, context: Context) -> Response:
        import math

        assert isinstance(request, ChatRequest)
        asked = request.sampling.logprobs
        if asked is not None and (self.tells is None or asked > self.tells):
            raise Unsupported("the engine has no such probabilities", param="logprobs")
        shown = "\n".join(message.content for message in request.messages)
        self.seen.append(shown)
        context.allowance.spend(Usage(10, 1))
        chances = sorted(self.script(shown).items(), key=lambda each: -each[1])
        word, chance = chances[0]
        top = tuple((each, math.log(p)) for each, p in chances[:asked]) if asked else ()
        told = (TokenLogprob(word, math.log(chance), top),) if asked is not None else ()
        said = f'{{"reply": "{word}"}}' if request.sampling.grammar is not None else word
        return Response(Head(self.name), replay([Text(said, logprobs=told), Usage(10, 1), Finish("stop")]))

    def fingerprint(self, request: Request, context: Context) -> str:
        return f"{self.name} {self.weights}"


class World:
    """The service over ``models``."""

    def __init__(self, opened: Stores, *models: Model, **judges: Any) -> None:
        registry = Registry()
        for model in models:
            registry.add(Served(model.name, "chat", model))
        path = SimpleNamespace(
            registry=registry,
            chat={model.name: model for model in models},
            charged=SimpleNamespace(embedder=lambda inner, context: inner, reranker=lambda inner, context: inner),
            services=SimpleNamespace(purse=None),
        )
        settings = Settings.model_validate({"judges": judges, "models": {"chat": [each.name for each in models]}})
        engines = SimpleNamespace(embedder=None, reranker=None, reader=None, chat={})
        self.stores = opened
        self.rooms = cast(Rooms, SimpleNamespace(settings=settings, stores=opened, path=path, engines=engines))
        self.judges = Judges(self.rooms)
