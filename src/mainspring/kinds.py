"""All kinds of parts that a plugin may bring, each from the room that defines it.

    from mainspring.kinds import CHUNKER, ENGINE

The names in this module are imported on first use: a plugin with an engine loads no store.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mainspring.core.plugins import Kind

if TYPE_CHECKING:
    from mainspring.agents.sandbox.kinds import SANDBOX
    from mainspring.engines.audio.base import TRANSCRIBER, VOICE
    from mainspring.engines.kinds import CHAT_RERANKER, EMBEDDER, ENGINE, PROVIDER, RERANKER
    from mainspring.feature import AGENT, APPLICATION, FEATURE, SCORER, TOOLSET
    from mainspring.guards.policy.scanners import GUARD
    from mainspring.rag.chunk.base import CHUNKER
    from mainspring.rag.connect.registry import CONNECTOR
    from mainspring.rag.parse.formats import PARSER
    from mainspring.rag.triad.live import METRIC
    from mainspring.rag.websearch.base import WEB_SEARCH
    from mainspring.serving.plugin_layers import LAYER
    from mainspring.stores.kinds import CACHE, VECTORS
    from mainspring.stores.sql.database import DATABASE
    from mainspring.training.recipe import RECIPE

__all__ = [
    "AGENT",
    "APPLICATION",
    "CACHE",
    "CHAT_RERANKER",
    "CHUNKER",
    "CONNECTOR",
    "DATABASE",
    "EMBEDDER",
    "ENGINE",
    "FEATURE",
    "GUARD",
    "LAYER",
    "METRIC",
    "PARSER",
    "PROVIDER",
    "RECIPE",
    "RERANKER",
    "SANDBOX",
    "SCORER",
    "TOOLSET",
    "TRANSCRIBER",
    "VECTORS",
    "VOICE",
    "WEB_SEARCH",
    "every",
]

_MODULES = {
    "AGENT": "feature",
    "APPLICATION": "feature",
    "CACHE": "stores.kinds",
    "CHAT_RERANKER": "engines.kinds",
    "CHUNKER": "rag.chunk.base",
    "CONNECTOR": "rag.connect.registry",
    "DATABASE": "stores.sql.database",
    "EMBEDDER": "engines.kinds",
    "VECTORS": "stores.kinds",
    "ENGINE": "engines.kinds",
    "FEATURE": "feature",
    "GUARD": "guards.policy.scanners",
    "LAYER": "serving.plugin_layers",
    "METRIC": "rag.triad.live",
    "PARSER": "rag.parse.formats",
    "PROVIDER": "engines.kinds",
    "RECIPE": "training.recipe",
    "RERANKER": "engines.kinds",
    "SANDBOX": "agents.sandbox.kinds",
    "SCORER": "feature",
    "TOOLSET": "feature",
    "TRANSCRIBER": "engines.audio.base",
    "VOICE": "engines.audio.base",
    "WEB_SEARCH": "rag.websearch.base",
}


def every() -> list[Kind[Any, Any]]:
    """All kinds, for code that reads the whole registry."""
    return [__getattr__(name) for name in _MODULES]


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module 'mainspring.kinds' has no attribute {name!r}")
    return getattr(import_module(f"mainspring.{module}"), name)


def __dir__() -> list[str]:
    return __all__
