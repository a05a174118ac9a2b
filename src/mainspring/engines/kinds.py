"""The registry's kinds of engines, with the arguments and results of their factories."""

from __future__ import annotations

from mainspring.core.plugins import Kind
from mainspring.core.settings import Settings
from mainspring.core.settings.endpoints import RemoteModel
from mainspring.core.types import Responder
from mainspring.engines.base import ChatReranker, Embedder, Engine, Reranker
from mainspring.engines.catalogue.pull import PulledModel

ENGINE: Kind[[PulledModel, Settings], Engine] = Kind(
    "engine", Engine, ("pulled", "settings"), builtins="mainspring.engines.builtin", setting="engines.kind"
)
"""Runs a chat model of the catalogue on this machine."""
PROVIDER: Kind[[str, RemoteModel, int], Engine] = Kind(
    "provider", Engine, ("name", "remote", "retries"), builtins="mainspring.engines.builtin", setting="provider"
)
"""Asks a model that runs elsewhere: ``name`` is its key in ``models.remote``. A call that had not started may be
retried ``retries`` times."""
EMBEDDER: Kind[[str, Settings], Embedder] = Kind(
    "embedder",
    Embedder,
    ("model", "settings"),
    builtins="mainspring.engines.encode.builtin",
    setting="models.embedding",
)
"""``models.embedding: NAME:MODEL`` asks NAME for its MODEL; without NAME it is a model of the catalogue. One with a
method ``start`` is started before it is used."""
RERANKER: Kind[[str, Settings], Reranker] = Kind(
    "reranker",
    Reranker,
    ("model", "settings"),
    builtins="mainspring.engines.encode.builtin",
    setting="models.reranker",
)
"""``models.reranker: NAME:MODEL`` asks NAME for its MODEL."""
CHAT_RERANKER: Kind[[str, Responder, Settings], ChatReranker] = Kind(
    "chat-reranker",
    ChatReranker,
    ("model", "responder", "settings"),
    builtins="mainspring.rag.search.listwise",
    setting="models.reranker",
)
"""``models.reranker: NAME:MODEL`` has the chat model MODEL rerank as NAME says. ``responder`` serves it within its call
ring, which is there later than the engines."""
