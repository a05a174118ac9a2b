"""Fixtures that several engine suites share: slow files are read once."""

from __future__ import annotations

import pytest

from mainspring.core.settings import Settings
from mainspring.engines.catalogue.gguf_weights import GgufWeights
from mainspring.engines.catalogue.pull import Puller


@pytest.fixture(scope="session")
def vocabulary() -> GgufWeights:
    """The default chat model's file, for its vocabulary."""
    return GgufWeights(Puller(Settings()).pull("smollm2-135m-instruct").files["gguf"])
