"""The gate of what is served: the engine's figures against those of the process that trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from mainspring.core.errors import ConversionRejected
from mainspring.core.types import Message
from mainspring.features.train.versions.agreeing import of_scores, of_texts


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


def task(count: int, score: float = 1.0) -> dict[str, Any]:
    """Questions whose trained answers had this score."""
    asked = [[{"role": "user", "content": f"{each}?"}] for each in range(count)]
    rows = [
        {"messages": each, "references": [f"is {place}"], "scores": {"exact": score}}
        for place, each in enumerate(asked)
    ]
    return {"scorers": [{"name": "exact", "options": {}, "weight": 1.0}], "tokens": 9, "rows": rows}


class Engine:
    """Answers rightly, but the last ``wrong`` of ``count`` questions."""

    def __init__(self, count: int, wrong: int) -> None:
        self._right = count - wrong
        self.tokens: set[int] = set()

    async def __call__(self, messages: Sequence[Message], tokens: int) -> str:
        self.tokens.add(tokens)
        number = int(messages[-1].content.rstrip("?"))
        return f"is {number}" if number < self._right else "no idea"


async def test_a_task_that_is_solved_worse_after_conversion_is_refused() -> None:
    engine = Engine(16, 0)
    assert await of_scores(engine, task(16), 0.02, "support@1") == {"exact": 0.0}
    assert engine.tokens == {9}
    # One of sixteen may be chance.
    assert await of_scores(Engine(16, 1), task(16), 0.02, "support@1") == {"exact": -1 / 16}
    with pytest.raises(ConversionRejected, match=r"support@1 lost 0\.500 of its score exact in 16 answers"):
        await of_scores(Engine(16, 8), task(16), 0.02, "support@1")
    with pytest.raises(ConversionRejected, match=r"lost 1\.000"):
        await of_scores(Engine(8, 8), task(8), 0.02, "support@1")
    assert await of_scores(Engine(16, 8), task(16), 0.9, "support@1") == {"exact": -0.5}
    # Better is no fault, and three answers say nothing.
    assert await of_scores(Engine(16, 0), task(16, 0.0), 0.02, "support@1") == {"exact": 1.0}
    assert await of_scores(Engine(3, 3), task(3), 0.02, "support@1") == {}
