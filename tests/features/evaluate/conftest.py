"""Fixtures of the evaluate room: a user's collection on disk, and engines without a model."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from mainspring.core.settings import RagSettings, Settings
from mainspring.engines import Engines
from mainspring.engines.base import Embedded
from mainspring.rag.text import terms

FACTS = {
    "otters.md": "# Otters\n\nSea otters sleep on their backs and hold hands so that they do not drift apart.\n",
    "tides.txt": "The spring tide at Saint-Malo rises by up to 13.6 metres. The neap tide is far lower.\n",
    "more/bees.txt": "A honey bee visits about 1500 flowers to fill its stomach with nectar once.\n",
    "more/rope.txt": "A bowline is a knot that makes a loop which does not slip under load.\n",
}
QUESTIONS = [
    {
        "question": "How far does the spring tide rise at Saint-Malo?",
        "sources": ["tides.txt"],
        "answers": ["13.6 metres"],
    },
    {"question": "How do otters sleep?", "sources": ["otters.md"], "answers": ["on their backs"], "split": "reported"},
    {
        "question": "How many flowers does a bee visit?",
        "sources": {"more/bees.txt": 2},
        "answers": ["1500"],
        "id": "bee",
    },
    {"question": "Which knot makes a loop?", "sources": ["more/rope.txt"], "answers": ["bowline"]},
    {"question": "How heavy is the moon?"},
]


class WordEmbedder:
    """Hashed content words: texts that share words have a high cosine. A token is a word."""

    name = "words"
    dimensions = 512
    max_tokens = 64

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        vectors = np.full((len(texts), self.dimensions), 1e-3, np.float32)
        for row, text in enumerate(texts):
            for word in terms.words(text):
                vectors[row, zlib.crc32(word.encode()) % self.dimensions] += 1
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return Embedded(vectors, sum(self.count_tokens(texts)))

    async def close(self) -> None:
        return None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A collection of one's own: four documents, five questions."""
    home = tmp_path / "mine"
    for name, text in FACTS.items():
        path = home / "documents" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (home / "documents" / ".hidden").write_text("nobody reads this")
    (home / "questions.jsonl").write_text("\n".join(json.dumps(row) for row in QUESTIONS) + "\n\n")
    return home


@pytest.fixture
def engines() -> Engines:
    return Engines({}, WordEmbedder())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", rag=RagSettings(refuse_below=0.05))
