"""Fixtures that several engine suites share: what takes seconds to read is read once."""

from __future__ import annotations

import pytest

from mainspring.engines.gguf_weights import GgufWeights
from mainspring.engines.pull import Puller
from mainspring.settings import Settings


@pytest.fixture(scope="session")
def vocabulary() -> GgufWeights:
    """The default chat model's file, for its vocabulary."""
    return GgufWeights(Puller(Settings()).pull("smollm2-135m-instruct").files["gguf"])
