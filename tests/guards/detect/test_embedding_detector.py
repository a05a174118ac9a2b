"""Windows, heads and their file; the packaged heads are those that the card describes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.errors import SettingsError
from mainspring.engines.base import Embedded
from mainspring.guards.detect import embedding_detector
from mainspring.guards.detect.embedding_detector import (
    MAX_WINDOWS,
    WINDOW,
    Head,
    Heads,
    packaged,
    pieces,
    score,
    windows,
)


class Lettered:
    """An embedder of two dimensions: how much of a text is the letter a, and how much is not."""

    name, dimensions, max_tokens = "lettered", 2, 512

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        shares = np.array([text.count("a") / len(text) for text in texts])
        return Embedded(np.stack([shares, 1 - shares], axis=1), sum(self.count_tokens(texts)))

    async def close(self) -> None: ...


HEADS = Heads("lettered", {"a": Head("a", np.array([10.0, -10.0]), 0.0, 0.5)})


@given(st.text(max_size=3000))
def test_windows_are_bounded_and_hold_every_word(text: str) -> None:
    cut = windows(text)
    assert all(0 < len(window) <= WINDOW for window in cut)
    words = [word for word in text.split() if len(word) < WINDOW - embedding_detector.STRIDE]
    assert all(any(word in window for window in cut) for word in words)


def test_of_a_very_long_text_the_ends_are_read() -> None:
    cut = windows("begin " + "word " * 100_000 + "end")
    assert len(cut) == MAX_WINDOWS
    assert cut[0].startswith("begin")
    assert cut[-1].endswith("end")


def test_a_blank_text_has_no_windows_and_no_score() -> None:
    assert windows(" \n\t ") == []
    assert pieces(" \n ") == []


def test_pieces_are_pairs_of_sentences() -> None:
    assert pieces("One is here. Two is here! Three?") == ["One is here. Two is here!", "Two is here! Three?"]
    assert pieces("Only one") == ["Only one"]


async def test_the_worst_window_counts() -> None:
    hidden = "b" * 2000 + "a" * 700 + "b" * 2000
    scored = await score(["bbbb", hidden, " "], HEADS, ["a"], Lettered())
    assert scored.scores[0]["a"] < 0.01
    assert scored.scores[1]["a"] > 0.99
    assert scored.scores[2]["a"] == 0.0
    assert scored.windows == 1 + len(windows(hidden))


def test_heads_survive_their_file(tmp_path: Path) -> None:
    path = tmp_path / "heads.json"
    HEADS.save(path)
    read = Heads.parse(path.read_text(), "heads.json")
    assert read.version == HEADS.version
    changed = Heads("lettered", {"a": Head("a", np.array([10.0, -10.0]), 0.1, 0.5)})
    assert changed.version != HEADS.version


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[]",
        '{"format": "other"}',
        '{"format": "mainspring-detectors-1", "embedder": "m", "card": {}, "heads": {"a": {"weights": [1]}}}',
    ],
)
def test_damaged_files_are_named(text: str) -> None:
    with pytest.raises(SettingsError, match=r"heads\.json"):
        Heads.parse(text, "heads.json")


def test_the_packaged_heads_are_whole() -> None:
    heads = packaged()
    assert heads.embedder == "all-minilm-l6-v2"
    assert {"injection", "indirect", "toxicity"} <= set(heads.heads)
    assert set(heads.card["heads"]) == set(heads.heads)
    for head in heads.heads.values():
        assert head.weights.shape == (384,)
        assert 0 < head.threshold < 1
