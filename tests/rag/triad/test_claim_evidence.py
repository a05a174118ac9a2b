"""Features of faithfulness and relevancy: each sees what its name says, and nothing else changes with it."""

from __future__ import annotations

import pytest

from mainspring.rag.triad import claim_evidence, relevancy
from mainspring.rag.triad.claim_evidence import Evidence
from mainspring.rag.triad.metrics import Triad
from tests.features.evaluate.conftest import WordEmbedder

PASSAGES = [
    "Maud Ellery founded the mill in 1921. Her nephew sold the mill to Larkfield in 1950.",
    "The treatment reduces the risk of stroke. Nobody was harmed.",
]


async def seen(claim: str, question: str = "") -> Evidence:
    found = await Triad(WordEmbedder()).evidence(claim, PASSAGES, question)
    assert found is not None
    return found[0]


async def test_a_copied_claim_has_everything_for_it() -> None:
    copied = await seen("Maud Ellery founded the mill in 1921.")
    for name in ("beside", "within", "rare", "anywhere", "together", "placed"):
        assert getattr(copied, name) == pytest.approx(1), name
    assert (copied.number, copied.name, copied.negation, copied.turned) == (0, 0, 0, 0)


async def test_true_words_in_a_false_combination_do_not_stand_together() -> None:
    true = await seen("The nephew sold the mill to Larkfield.")
    false = await seen("Maud Ellery sold Larkfield.")
    assert false.anywhere == true.anywhere == 1
    assert false.together < true.together
    assert false.within < true.within


@pytest.mark.parametrize(
    ("claim", "against"),
    [
        ("Maud Ellery founded the mill in 1922.", "number"),
        ("Maud Harker founded the mill in 1921.", "name"),
        ("Maud Ellery never founded the mill in 1921.", "negation"),
        ("The treatment increases the risk of stroke.", "turned"),
    ],
)
async def test_what_speaks_against_a_claim_is_seen(claim: str, against: str) -> None:
    found = await seen(claim)
    flags = {name: getattr(found, name) for name in ("number", "name", "negation", "turned")}
    assert flags == {name: float(name == against) for name in flags}


async def test_the_answer_must_stand_where_its_question_is_spoken_of() -> None:
    question = "In which year was the mill founded?"
    right, wrong = (
        await seen("The mill was founded in 1921.", question),
        await seen("The mill was founded in 1950.", question),
    )
    assert right.placed == pytest.approx(1)
    assert wrong.placed < 0.8
    assert right.anywhere == wrong.anywhere == 1
    # Without the question the word that stands furthest from the rest decides.
    assert (await seen("The mill was founded in 1950.")).placed < (await seen("The mill was founded in 1921.")).placed


async def test_nothing_is_evidence_without_passages_or_words() -> None:
    triad = Triad(WordEmbedder())
    assert await triad.evidence("The mill.", []) is None
    assert await triad.evidence("It is.", PASSAGES) is None


def test_features_are_named_in_the_order_of_their_vector() -> None:
    values = {name: float(place) for place, name in enumerate(claim_evidence.NAMES)}
    assert Evidence(**values).vector().tolist() == list(values.values())


async def test_an_answer_stands_where_its_question_is_answered() -> None:
    triad = Triad(WordEmbedder())
    question = "Who founded the mill?"
    right = await triad.relevance(question, "Maud Ellery", PASSAGES)
    wrong = await triad.relevance(question, "1950", PASSAGES)
    absent = await triad.relevance(question, "Zebras", PASSAGES)
    assert right.lead == right.near == 1
    assert wrong.lead < right.lead
    assert wrong.near < right.near
    assert (absent.held, absent.lead, absent.near) == (0, 0, 0)
    assert (right.offers, wrong.offers, right.short) == (1, 0, 1)


async def test_without_passages_there_are_only_the_two_texts() -> None:
    found = await Triad(WordEmbedder()).relevance("Who founded the mill?", "The mill was founded by Maud.", ())
    assert found.shared == 1
    assert found.echo == pytest.approx(2 / 3)
    assert {name for name in relevancy.NAMES if getattr(found, name)} <= set(relevancy.ALONE)
