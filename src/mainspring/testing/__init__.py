"""The contract of each kind of part, as tests that implementers run.

    import pytest
    from mainspring.testing import ParserSuite

    class TestTickets(ParserSuite):
        document = b"TICKET 1\\nThe lamp is broken."

        @pytest.fixture
        def parser(self):
            return Tickets()

The tests need pytest and pytest-asyncio. The names in this module are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainspring.testing.applications import ApplicationSuite
    from mainspring.testing.caches import CacheSuite
    from mainspring.testing.chunkers import ChunkerSuite
    from mainspring.testing.embedders import EmbedderSuite, WordEmbedder
    from mainspring.testing.engines import EngineSuite
    from mainspring.testing.gates import assert_gate, assert_not_worse
    from mainspring.testing.guards import GuardSuite
    from mainspring.testing.metrics import MetricSuite
    from mainspring.testing.parsers import ParserSuite
    from mainspring.testing.rerankers import RerankerSuite
    from mainspring.testing.scorers import ScorerSuite
    from mainspring.testing.suites.chat_rerankers import ChatRerankerSuite
    from mainspring.testing.suites.connectors import ConnectorSuite
    from mainspring.testing.suites.databases import DatabaseSuite
    from mainspring.testing.suites.features import FeatureSuite
    from mainspring.testing.suites.layers import LayerSuite
    from mainspring.testing.suites.recipes import RecipeSuite
    from mainspring.testing.suites.sandboxes import SandboxSuite
    from mainspring.testing.suites.speech import TranscriberSuite, VoiceSuite
    from mainspring.testing.suites.toolsets import ToolsetSuite
    from mainspring.testing.suites.web_search import WebSearchSuite
    from mainspring.testing.vectors import VectorStoreSuite

__all__ = [
    "ApplicationSuite",
    "CacheSuite",
    "ChatRerankerSuite",
    "ChunkerSuite",
    "ConnectorSuite",
    "DatabaseSuite",
    "EmbedderSuite",
    "EngineSuite",
    "FeatureSuite",
    "GuardSuite",
    "LayerSuite",
    "MetricSuite",
    "ParserSuite",
    "RecipeSuite",
    "RerankerSuite",
    "SandboxSuite",
    "ScorerSuite",
    "ToolsetSuite",
    "TranscriberSuite",
    "VectorStoreSuite",
    "VoiceSuite",
    "WebSearchSuite",
    "WordEmbedder",
    "assert_gate",
    "assert_not_worse",
]

_MODULES = {
    "ApplicationSuite": "applications",
    "CacheSuite": "caches",
    "ChatRerankerSuite": "suites.chat_rerankers",
    "ChunkerSuite": "chunkers",
    "ConnectorSuite": "suites.connectors",
    "DatabaseSuite": "suites.databases",
    "EmbedderSuite": "embedders",
    "EngineSuite": "engines",
    "FeatureSuite": "suites.features",
    "GuardSuite": "guards",
    "LayerSuite": "suites.layers",
    "MetricSuite": "metrics",
    "ParserSuite": "parsers",
    "RecipeSuite": "suites.recipes",
    "RerankerSuite": "rerankers",
    "SandboxSuite": "suites.sandboxes",
    "ScorerSuite": "scorers",
    "ToolsetSuite": "suites.toolsets",
    "TranscriberSuite": "suites.speech",
    "VectorStoreSuite": "vectors",
    "VoiceSuite": "suites.speech",
    "WebSearchSuite": "suites.web_search",
    "WordEmbedder": "embedders",
    "assert_gate": "gates",
    "assert_not_worse": "gates",
}


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module 'mainspring.testing' has no attribute {name!r}")
    return getattr(import_module(f"mainspring.testing.{module}"), name)


def __dir__() -> list[str]:
    return __all__
