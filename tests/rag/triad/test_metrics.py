"""The triad on answers whose truth is known; the figures of its worth are benchmarks/triad.py's."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mainspring.rag.answer.generate import REFUSAL
from mainspring.rag.triad.metrics import SUPPORTED, Triad, claims
from tests.features.evaluate.conftest import WordEmbedder

POLICY = "Goods can be sent back. The return window is 30 days after delivery. Maud Ellery approves exceptions."
SHIPPING = "Parcels leave Ashcombe in the afternoon. Delivery to Norway costs 12 pounds and is not free."


@pytest.fixture
def triad() -> Triad:
    return Triad(WordEmbedder())


def test_an_answer_is_cut_into_its_statements() -> None:
    assert claims("The return window is 30 days, and shipping is free. [1]") == [
        "The return window is 30 days",
        "shipping is free",
    ]
    assert claims("Salt and pepper are in the cupboard.") == ["Salt and pepper are in the cupboard"]
    assert claims("[1] [2]") == []


async def test_one_claim_of_two_is_supported(triad: Triad) -> None:
    found = await triad.faithfulness("The return window is 30 days, and shipping is free.", [POLICY])
    assert [claim.supported for claim in found.claims] == [True, False]
    assert found.score == 0.5
    assert (await triad.faithfulness("", [POLICY])).score == 1
    assert (await triad.faithfulness("The return window is 30 days.", [])).score == 0


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        ("The return window is 45 days after delivery", "number"),
        ("The return window of Larkfield is 30 days after delivery", "name"),
        ("The return window is not 30 days after delivery", "negation"),
    ],
)
async def test_what_speaks_against_a_claim_is_named_and_lowers_it(triad: Triad, claim: str, why: str) -> None:
    true = await triad.claim("The return window is 30 days after delivery", [SHIPPING, POLICY])
    false = await triad.claim(claim, [SHIPPING, POLICY])
    assert (true.why, true.passage) == ((), 1)
    assert true.supported
    assert false.why == (why,)
    assert false.score < 0.8 * true.score


async def test_the_passage_that_answers_is_the_more_relevant(triad: Triad) -> None:
    question = "How many days is the return window?"
    right, wrong = await triad.context_relevance(question, [POLICY, SHIPPING])
    assert right > wrong
    assert await triad.context_precision(question, [POLICY, SHIPPING]) == 1
    assert await triad.context_precision(question, [SHIPPING, POLICY]) == pytest.approx(0.5)
    assert await triad.context_recall(question, [POLICY]) > await triad.context_recall(question, [SHIPPING])
    assert await triad.context_relevance(question, []) == []
    assert await triad.context_precision(question, []) == await triad.context_recall(question, []) == 0


async def test_an_answer_to_the_question_is_more_relevant_than_another(triad: Triad) -> None:
    question = "How many days is the return window?"
    right = await triad.answer_relevancy(question, "The return window is 30 days. [1]")
    assert right > await triad.answer_relevancy(question, "Maud Ellery approves exceptions.")
    assert await triad.answer_relevancy(question, REFUSAL) == 0
    assert await triad.answer_relevancy(question, "I don't know.") == 0


async def test_a_judge_decides_in_place_of_the_heuristic() -> None:
    class Strict:
        async def supported(self, claim: str, passages: Sequence[str]) -> float:
            return 0.9 if "30" in claim else 0.1

        async def answers(self, question: str, answer: str) -> float:
            return 0.25

        async def useful(self, question: str, passage: str) -> float:
            return 0.75

    triad = Triad(WordEmbedder(), judge=Strict())  # type: ignore[arg-type]
    found = await triad.faithfulness("It is 30 days. It is green.", [POLICY])
    assert await triad.answer_relevancy("How long?", "It is 30 days.") == 0.25
    assert await triad.answer_relevancy("How long?", REFUSAL) == 0
    assert await triad.context_relevance("How long?", [POLICY, SHIPPING]) == [0.75, 0.75]
    assert [claim.score for claim in found.claims] == [0.9, 0.1]
    assert 0.1 < SUPPORTED < 0.9


async def test_texts_are_embedded_once() -> None:
    class Counting(WordEmbedder):
        seen = 0

        async def embed(self, texts, kind="passage"):  # type: ignore[no-untyped-def]
            self.seen += len(texts)
            return await super().embed(texts, kind)

    embedder = Counting()
    triad = Triad(embedder)
    await triad.claim("The return window is 30 days", [POLICY])
    seen = embedder.seen
    await triad.claim("The return window is 30 days", [POLICY])
    assert embedder.seen == seen == 4
