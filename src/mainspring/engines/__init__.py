"""Engines generate text and embed it, behind the protocols of ``base``.

Engine children import this package, so it imports nothing heavy: ``prepare`` starts the children first, ``open``
brings in the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from mainspring.core import plugins
from mainspring.core.errors import SettingsError
from mainspring.core.settings import Settings, references
from mainspring.engines.chat.chat_model import ChatModel, Replica

if TYPE_CHECKING:
    from mainspring.engines.base import Embedder, Engine, Reranker

__all__ = ["ChatModel", "Engines", "Prepared", "Replica", "filled", "open", "prepare"]

log = logging.getLogger("mainspring.engines")


@dataclass(slots=True)
class Engines:
    """The opened engines. ``load_embedder`` loads another embedder of the catalogue for collections that use it (None:
    not possible). ``reader`` is the reranker that reads the sentences of answers, ``near_misses``
    the one that says whether they answer. ``load_chat`` starts a chat model of the catalogue that came later, which
    ends with the others; ``load_reranker`` a reranker, which its caller closes. ``plugins`` are the installed ones, of
    every kind."""

    chat: dict[str, ChatModel]
    embedder: Embedder
    reranker: Reranker | None = None
    load_embedder: Callable[[str], Embedder] | None = None
    reader: Reranker | None = None
    load_chat: Callable[[str], Awaitable[ChatModel]] | None = None
    load_reranker: Callable[[str], Reranker] | None = None
    plugins: plugins.Registry = field(default_factory=plugins.Registry)
    near_misses: Reranker | None = None


class Prepared:
    """Engines whose children are starting, before there is an event loop."""

    def __init__(self, registry: plugins.Registry, models: list[ChatModel]) -> None:
        self.registry = registry
        self.models = models
        self.taken = False

    def abandon(self) -> None:
        """End the children of engines that were never opened."""
        if not self.taken:
            for engine in self.engines():
                kill = getattr(engine, "kill", None)
                if kill is not None:
                    kill()

    def engines(self) -> list[Engine]:
        """The engines of all replicas of all models."""
        return [replica.engine for model in self.models for replica in model.all_replicas()]


def prepare(settings: Settings) -> Prepared:
    """Make the configured engines and start their children, which load while the caller imports the rest.

    Raises ``ModelNotPulled``, ``UnknownModel``, ``SettingsError``.
    """
    from mainspring.engines import builtin

    if named := references.credentials_in(settings):
        raise SettingsError(f"{next(iter(named))} names a credential that was not filled in")
    registry = plugins.registry()
    registry.check(settings.plugins)
    models = [
        *builtin.local_models(settings, registry),
        *builtin.remote_models(settings),
        *builtin.vllm_models(settings),
    ]
    prepared = Prepared(registry, models)
    for engine in prepared.engines():
        spawn = getattr(engine, "spawn", None)
        if spawn is not None:
            spawn()
    return prepared


async def filled(settings: Settings) -> Settings:
    """``settings`` with the secrets of the credentials that they name. Raises ``SettingsError``."""
    if not references.credentials_in(settings):
        # Nothing else here needs the database, and importing it is slow.
        return settings
    from mainspring.stores.keys import credentials

    return await credentials.resolved(settings)


@asynccontextmanager
async def open(settings: Settings, prepared: Prepared | None = None) -> AsyncIterator[Engines]:  # noqa: A001
    """The engines and the embedder. Engines load in the background: their first request waits for them."""
    from mainspring.engines import builtin

    settings = await filled(settings)
    prepared = prepared or prepare(settings)
    prepared.taken = True
    starting = [asyncio.create_task(_start(engine)) for engine in prepared.engines()]
    async with AsyncExitStack() as stack:
        stack.push_async_callback(_end, prepared, starting)
        embedder = await builtin.embedder(settings)
        stack.push_async_callback(embedder.close)
        reranker = builtin.reranker(settings)
        if reranker is not None:
            stack.push_async_callback(reranker.close)
        reader = builtin.reader(settings)
        if reader is not None:
            stack.push_async_callback(reader.close)
        near_misses = builtin.near_misses(settings)
        if near_misses is not None:
            stack.push_async_callback(near_misses.close)
        chat = {model.name: model for model in prepared.models}
        load_chat = partial(_load_chat, settings, prepared)
        yield Engines(
            chat,
            embedder,
            reranker,
            builtin.embedders(settings),
            reader,
            load_chat,
            partial(builtin.reranking, settings=settings),
            prepared.registry,
            near_misses,
        )


async def _load_chat(settings: Settings, prepared: Prepared, name: str) -> ChatModel:
    """Raises ``ModelNotPulled``, ``UnknownModel``, ``ModelError``."""
    from mainspring.engines import builtin

    models = settings.models.model_copy(update={"chat": (name,)})
    made = await asyncio.to_thread(
        builtin.local_models, settings.model_copy(update={"models": models}), prepared.registry
    )
    (model,) = made
    prepared.models.append(model)
    await asyncio.gather(*(replica.engine.start() for replica in model.all_replicas()))
    return model


async def _end(prepared: Prepared, starting: list[asyncio.Task[None]]) -> None:
    for task in starting:
        task.cancel()
    await asyncio.gather(*starting, return_exceptions=True)
    await asyncio.gather(*(engine.close() for engine in prepared.engines()))


async def _start(engine: Engine) -> None:
    from mainspring.core.errors import MainspringError

    try:
        await engine.start()
    except MainspringError as error:
        # The server stays up for what else it serves; requests for this model repeat the error.
        log.error("%s cannot be served: %s", engine.name, error)
