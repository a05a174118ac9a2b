"""The gate of what is served: the engine's figures against those of the process that trained."""

from __future__ import annotations

import math

import pytest

from mainspring.core.errors import ConversionRejected
from mainspring.features.train.versions.agreeing import of_texts


def test_texts_count_by_their_tokens() -> None:
    rows = [{"text": "short", "loss": 2.0, "tokens": 5}, {"text": "long", "loss": 3.0, "tokens": 95}]
    # Rounding moves the loss of a short text by much; over all tokens it is little.
    found = of_texts([2.2, 3.0], rows, 0.02, "support@1")
    assert found == {"perplexity": pytest.approx(math.exp(0.01) - 1)}
    with pytest.raises(ConversionRejected, match=r"support@1 is 0\.0"):
        of_texts([2.0, 3.05], rows, 0.02, "support@1")


def test_rows_of_earlier_versions_have_no_tokens_and_count_alike() -> None:
    rows = [{"text": "a", "loss": 2.0}, {"text": "b", "loss": 3.0}]
    assert of_texts([2.02, 3.0], rows, 0.02, "support@1")["perplexity"] == pytest.approx(math.exp(0.01) - 1)
