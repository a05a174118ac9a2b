"""Things of a question that the documents never speak of."""

from __future__ import annotations

import pytest

from mainspring.rag.answer.evidence.exact_names import ExactName, has
from mainspring.rag.answer.evidence.missing_topics import absent, personal
from mainspring.rag.answer.verbatim.extract import passages
from mainspring.rag.search.hit import Hit
from tests.rag.conftest import WordEmbedder

TEXT = "The mill gives thirty days of leave a year. A bakery next door sells bread. The rota hangs in the office."


async def found(question: str, text: str = TEXT) -> list[str]:
    hit = Hit("c", "d", "vs", "mill.txt", text, 0, len(text), None, "", 0.9, 0.5, 1, 1, 1, "blob")
    embedder = WordEmbedder()
    vector = (await embedder.embed([question], "query")).vectors[0]
    ranked = await passages(question, [hit], [hit], {"d": text}, embedder, vector)
    embedder.embedded = 0
    names = await absent(question, ranked, [hit], {"d": text}, embedder)
    if not names:
        return []
    assert embedder.embedded > 0
    return [each.text for each in names]


@pytest.mark.parametrize(
    ("question", "things"),
    [
        ("How many days of paid sabbatical does the mill give?", ["sabbatical"]),
        ("How do I learn the violin?", ["violin"]),
        ("How many days of leave does the mill give?", []),
        # A letter amiss, the asker's own words, no noun.
        ("Who runs the bakary?", []),
        ("May I take my sabbatical in spring?", []),
        ("What does leave entail?", []),
        ("Explain the leave of the mill as a limerick", []),
        ("What is the leave-to-labour ratio of the mill by percentage?", []),
        # Documents write it with a sign.
        ("What is the price of bread in pounds?", []),
    ],
)
async def test_what_is_asked_about_and_never_spoken_of(question: str, things: list[str]) -> None:
    assert await found(question) == things


async def test_what_is_in_the_document_costs_no_embedding() -> None:
    hit = Hit("c", "d", "vs", "mill.txt", TEXT, 0, len(TEXT), None, "", 0.9, 0.5, 1, 1, 1, "blob")
    embedder = WordEmbedder()
    question = "How many days of leave are there?"
    vector = (await embedder.embed([question], "query")).vectors[0]
    ranked = await passages(question, [hit], [hit], {"d": TEXT}, embedder, vector)
    before = embedder.embedded
    assert await absent(question, ranked, [hit], {"d": TEXT}, embedder) == ()
    assert embedder.embedded == before


def test_what_somebody_owns_must_be_there_too() -> None:
    assert not has("Old Mill has an office in Leeds.", ExactName("Old Mill's Glasgow", "name"))
    assert has("Old Mill has an office in Glasgow.", ExactName("Old Mill's Glasgow", "name"))
    assert has("Hunter's Moon is a song.", ExactName("Hunter’s Moon", "name"))


async def test_what_is_asked_of_somebody_must_stand_near_what_is_said_of_them() -> None:
    mill = "Old Mill grinds rye and spelt. Old Mill has thirty workers and a rota for them."
    dock = "The dock pays a pension to its workers by way of Norling."
    hits = [
        Hit("c", "d", "vs", "mill.txt", mill, 0, len(mill), None, "", 0.9, 0.5, 1, 1, 1, "blob"),
        Hit("e", "f", "vs", "dock.txt", dock, 0, len(dock), None, "", 0.3, 0.4, 1, 1, 1, "blob"),
    ]
    texts = {"d": mill, "f": dock}
    embedder = WordEmbedder()

    async def lacks(question: str) -> list[str]:
        vector = (await embedder.embed([question], "query")).vectors[0]
        ranked = await passages(question, hits[:1], hits, texts, embedder, vector)
        return [each.text for each in await absent(question, ranked, hits, texts, embedder)]

    assert await lacks("Which pension provider does Old Mill use?") == ["pension", "provider"]
    assert await lacks("How many workers does Old Mill have?") == []
    # "What" and names may stand before a verb as well.
    assert await lacks("Which rye do the Millers underpin?") == []
    assert await lacks("Can workers of Old Mill be paid in Polish zloty?") == ["zloty"]
    assert await lacks("What underpins the rota of Old Mill?") == []
    # Without a name the other document may be meant.
    assert await lacks("Which pension is there?") == []


def test_how_do_i_asks_for_everybody() -> None:
    assert not personal("How do I back up to a Proton Drive?")
    assert personal("When do I get my grinder back?")


async def test_short_nouns_count_beside_a_name() -> None:
    assert await found("Which bank has the leave of Millbury?", "Millbury: " + TEXT) == ["bank"]
    assert await found("Which year has leave?") == []
