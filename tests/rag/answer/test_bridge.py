"""What a question with a code costs: how often texts are searched, reranked and read for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from mainspring.core.path import Answer, collect
from mainspring.core.types import Context
from mainspring.engines.base import Reranked
from mainspring.rag.answer.generate import REFUSAL
from mainspring.rag.ingest.pipeline import Source
from mainspring.rag.text import terms
from tests.rag.answer.test_responder import ask, fill
from tests.rag.conftest import Room

STOVE = "# Cinder Stove: Owner's Sheet\n\nThe model number is CS-26. It burns gas from a can."
COVER = (
    "# Warranty\n\nThis is how long we help. The igniter of the Cinder Stove is covered for 18 months. "
    "Grinders are covered for 7 years."
)


@dataclass
class Counted:
    """Finds alike what has words of the question; keeps the questions that it was asked."""

    name: str
    asked: list[str] = field(default_factory=list)
    fingerprint = "counted"

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        self.asked.append(query)
        shares = [len(terms.content(query) & terms.content(each)) for each in passages]
        return Reranked(0.2 + 0.1 * np.array(shares, np.float32), len(passages))

    async def close(self) -> None:
        return None


async def cost(room: Room, question: str, context: Context) -> tuple[Answer, list[str], list[str]]:
    """The answer, and the questions that its chunks and its sentences were read for."""
    await fill(room)
    others = {
        f"{each}.md": f"# {each}\n\nThe warranty of a {each} covers the igniter." for each in ("Lamp", "Torch", "Oven")
    }
    texts = {"stove.md": STOVE, "warranty.md": COVER, **others}
    await room.ingestor.ingest(room.collection, [Source(name, name, text.encode) for name, text in texts.items()])
    chunks, sentences = Counted("chunks"), Counted("sentences")
    room.retriever = room.retriever.with_reranker(chunks)
    answerer = room.answerer(near_misses=sentences)
    return await collect(await answerer.respond(ask(question, top_k=3), context)), chunks.asked, sentences.asked


@pytest.mark.parametrize(
    "question",
    [
        # In no document; beside what it is asked of in none.
        "How long is the igniter of CS-99 covered by the warranty?",
        "How long is the igniter covered in version 9.4.1?",
    ],
)
async def test_what_no_document_names_is_read_once_and_refused(room: Room, asker: Context, question: str) -> None:
    found, chunks, sentences = await cost(room, question, asker)
    assert found.text.startswith(REFUSAL)
    assert (chunks, sentences) == ([question], [])


async def test_a_code_that_a_document_has_leads_to_the_thing_s_name(room: Room, asker: Context) -> None:
    question, about = (
        f"How long is the igniter of {each} covered by the warranty?" for each in ("CS-26", "Cinder Stove")
    )
    found, chunks, sentences = await cost(room, question, asker)
    assert "The igniter of the Cinder Stove is covered for **18 months**." in found.text
    assert "The model number is CS-26." in found.text
    assert (chunks, sentences) == ([question, "CS-26", about], [about])


async def test_what_is_answered_is_read_once(room: Room, asker: Context) -> None:
    question = "How many days of holiday does everybody have?"
    found, chunks, sentences = await cost(room, question, asker)
    assert found.answered
    assert (chunks, sentences) == ([question], [question])
