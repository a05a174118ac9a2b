"""Which sentences are shown: within a budget, and from one document or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import pytest

from mainspring.engines.base import Embedded
from mainspring.rag.answer.verbatim.extract import Passage, apart, by_key, choose, likelihoods, passages
from mainspring.rag.search.hit import Hit
from mainspring.rag.text import terms
from tests.rag.conftest import WordEmbedder


def passage(document: str, number: int, *, hit: float, score: float, words: int = 5) -> Passage:
    text = " ".join([f"{document}{number}"] * words)
    start = 1000 * number
    end = start + len(text)
    found = Hit("c", document, "vs", "name", text, start, end, None, "", hit, 0.5, 1.0, 1, 1, "blob")
    return Passage(found, text, start, end, "sentence", "", score, 0.5)


def hit_of(text: str) -> Hit:
    return Hit("c", "d", "vs", "a.md", text, 0, len(text), None, "", 1.0, 0.5, 1.0, 1, 1, "blob")


def documents(ranked: list[Passage]) -> list[str]:
    return [each.hit.document_id for each in choose(ranked, max_sentences=3, max_words=90)]


def two(first: float, second: float) -> list[Passage]:
    """Three good sentences of document a and one of b that is a little worse, from chunks of these scores."""
    return [
        *(passage("a", number, hit=first, score=1.5 - number / 100) for number in range(3)),
        passage("b", 9, hit=second, score=1.3),
    ]


def test_a_document_that_stands_out_is_shown_alone() -> None:
    assert documents(two(0.9, 0.4)) == ["a", "a", "a"]


def test_documents_with_equal_scores_are_both_shown() -> None:
    assert documents(two(0.8, 0.79)) == ["a", "b", "a"]


def test_the_best_sentence_comes_first_whatever_its_document() -> None:
    ranked = two(0.8, 0.9)
    assert choose(ranked, max_sentences=1, max_words=90) == ranked[:1]


def test_likelihoods_go_by_the_best_chunk_and_sum_to_one() -> None:
    ranked = [passage("a", 0, hit=0.2, score=1), passage("a", 1, hit=0.8, score=1), passage("b", 2, hit=0.74, score=1)]
    found = likelihoods(ranked)
    assert sum(found.values()) == pytest.approx(1)
    assert found["b"] / found["a"] == pytest.approx(0.3679, abs=1e-3)
    assert likelihoods([]) == {}


def test_what_does_not_fit_is_left_out_and_the_first_is_cut() -> None:
    long = passage("a", 0, hit=0.9, score=2, words=50)
    assert choose([long], max_sentences=3, max_words=20)[0].words == 20
    short = passage("a", 1, hit=0.9, score=3)
    assert choose([short, long], max_sentences=3, max_words=20) == [short]


def test_the_next_sentence_of_the_paragraph_is_shown_before_a_little_better_one_of_elsewhere() -> None:
    first = passage("a", 0, hit=0.9, score=2.0)
    behind = replace(passage("a", 1, hit=0.9, score=1.7), start=first.end + 1, end=first.end + 20)
    elsewhere = passage("a", 7, hit=0.9, score=1.8)
    assert choose([first, elsewhere, behind], max_sentences=2, max_words=90) == [first, behind]
    apart = replace(behind, start=first.end + 2)
    assert choose([first, elsewhere, apart], max_sentences=2, max_words=90) == [first, elsewhere]


async def best(question: str, text: str, heading: str = "") -> str:
    """The passage that comes first of a document of one chunk."""
    hit = Hit("c", "d", "vs", "ship.txt", text, 0, len(text), None, heading, 0.9, 0.5, 1, 1, 1, "blob")
    embedder = WordEmbedder()
    vector = (await embedder.embed([question], "query")).vectors[0]
    found = await passages(question, [hit], [hit], {"d": text}, embedder, vector)
    return found[0].text


async def test_the_pair_of_a_form_that_is_asked_for_comes_before_those_that_the_question_says() -> None:
    form = "| Ship: Albatross |\n| Port: Kiel |\n| Masts: 3, of larch |\n| Owner: Ms Rahn |"
    assert await best("How many masts has the Albatross of Kiel?", form) == "Masts: 3, of larch"


async def test_the_reason_comes_before_what_repeats_the_question() -> None:
    text = "The greenhouse is closed when panes may fall. The greenhouse is closed because panes may fall."
    assert (await best("Why is the greenhouse closed?", text)).endswith("because panes may fall.")


async def test_what_stands_below_a_heading_that_asks_is_the_answer() -> None:
    text = "Yes, you may. Ask the porter for a second key to the bicycle cellar."
    asked = "May guests keep bicycles in the cellar?"
    page = f"# {asked}\n\n{text}\n\n# Bread\n\nBread is in the cellar."
    assert await best(asked, page, asked) == "Yes, you may."


async def test_a_sentence_of_the_document_that_has_the_identifier_is_not_left_out_for_naming_none() -> None:
    text = (
        "| Registration: QX-77B |\n\nThe pilot of the glider forgot to close the canopy, because a bee distracted him."
    )
    assert (await best("Why did the glider QX-77B lose its canopy?", text)).startswith("The pilot")


def test_a_sentence_behind_a_better_one_is_shown_behind_it() -> None:
    first = passage("a", 1, hit=0.9, score=2.2)
    behind = replace(passage("a", 2, hit=0.9, score=1.9), start=first.end + 1, end=first.end + 30)
    elsewhere = passage("a", 7, hit=0.9, score=2.15)
    shown = choose([first, elsewhere, behind], max_sentences=3, max_words=90)
    assert shown == [first, behind, elsewhere]


def test_what_would_overlap_when_it_is_grown_is_shown_as_it_is() -> None:
    first = passage("a", 1, hit=0.9, score=2.2)
    behind = replace(passage("a", 2, hit=0.9, score=1.9), start=first.end + 1, end=first.end + 30)
    grown = replace(behind, start=first.start)
    assert apart([first, behind], [first, grown]) == [first, behind]
    assert apart([behind], [grown]) == [grown]


async def test_the_title_of_a_document_is_no_answer() -> None:
    text = "Laundry: to all tenants of the laundry\n\nTokens are with Mr Lindt."
    assert await best("What about the laundry for tenants?", text) == "Tokens are with Mr Lindt."


async def test_an_item_has_the_date_that_it_stands_under() -> None:
    text = (
        "The registry was opened ten years ago by the harbour master himself, who liked it.\n\n"
        "- 7 May 2031\n  - The second crane is painted\n- 6 August 2031\n  - The registry closes for good"
    )
    question = "When does the registry close?"
    hit = Hit("c", "d", "vs", "port.txt", text, 0, len(text), None, "", 0.9, 0.5, 1, 1, 1, "blob")
    embedder = WordEmbedder()
    vector = (await embedder.embed([question], "query")).vectors[0]
    found = await passages(question, [hit], [hit], {"d": text}, embedder, vector)
    item = next(each for each in found if each.text == "The registry closes for good")
    assert item.before == "6 August 2031"
    assert found[0] == item


async def test_an_item_that_names_those_below_it_is_their_label_and_no_answer() -> None:
    text = (
        "- Supervision requirements\n  - Pause the kiln when you leave the room\n"
        "- Repairs\n  - Ask the porter for repairs\n- Keep the kiln shut"
    )
    assert await best("What are the supervision requirements of the kiln?", text) == (
        "Pause the kiln when you leave the room"
    )


async def test_an_identifier_of_a_follow_up_takes_the_place_of_the_one_before() -> None:
    text = (
        "The settings max_daily and max_basal work together.\n\n"
        "By default max_daily is 3 units.\n\nBy default max_basal is 4 units."
    )
    question = "What is the default of max_daily in units?\nAnd of max_basal in units?"
    assert await best(question, text) == "By default max_basal is 4 units."


def test_a_row_whose_key_has_less_of_the_question_is_behind_one_that_has_more() -> None:
    document = "| Merchandise sales | 2,545 |\n| Ticket sales | 226,811 |\n| Ticket sales of old | 7 |"
    other, asked, longer = (
        Passage(hit_of(document), line.strip("| "), document.index(line), 0, "row", "", score, 0.5)
        for line, score in zip(document.split("\n"), (2.0, 1.5, 1.4), strict=True)
    )
    found = by_key([other, asked, longer], terms.content("What were ticket sales?"))
    assert [each.text for each in found] == [asked.text, longer.text, other.text]
    assert found[0].score == 2.0
    # Another section's rows are of another table.
    apart = replace(asked, heading="Elsewhere")
    assert by_key([other, apart], terms.content("What were ticket sales?")) == [other, apart]


def test_what_is_cut_ends_with_a_sentence() -> None:
    text = "It stops all writing to the device, whatever it is. It has no use in a test, and nothing else ever"
    whole = Passage(hit_of(text), text, 0, len(text), "item", "", 1.0, 0.5)
    (shown,) = choose([whole], max_sentences=3, max_words=18)
    assert shown.text == "It stops all writing to the device, whatever it is."


async def test_a_line_that_leads_in_answers_with_the_value_that_it_has() -> None:
    text = "Refunds under this policy are paid within 30 days of:\n\n- a notice of withdrawal\n- a dismissal"
    lead = text.partition("\n")[0]
    assert await best("How long do I have to wait for my refund of fees?", text) == lead
    assert await best("Why do I have to wait for my refund of fees?", text) != lead


async def test_a_name_that_the_document_defines_means_what_it_names() -> None:
    text = "Fees are due on every Friday of term.\nSuds is open every Friday.\n\nSuds, the engineering pub, is ours."
    assert await best("When is the pub open?", text) == "Suds is open every Friday."


async def test_a_pair_in_the_first_line_is_no_title() -> None:
    text = "yield: 20 waffles (to be confirmed)\n\n- mix flour with milk"
    assert await best("How many waffles does the recipe make?", text) == text.partition("\n")[0]


class Counting(WordEmbedder):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        self.texts += texts
        return await super().embed(texts, kind)


async def test_only_the_best_sentences_are_read_under_their_heading_too() -> None:
    said = [f"The lamp of room {number} is changed on day {number}." for number in range(20)]
    text = " ".join([*said[:15], "Cables are kept in the cellar, below the stairs.", *said[15:]])
    hit = replace(hit_of(text), heading="Cellar > Cables")
    embedder = Counting()
    vector = (await embedder.embed(["Where are cables kept?"], "query")).vectors[0]
    found = await passages("Where are cables kept?", [hit], [hit], {"d": text}, embedder, vector)
    headed = [each for each in embedder.texts if each.startswith("Cellar > Cables: ")]
    assert len(headed) == 8
    assert "Cellar > Cables: Cables are kept in the cellar, below the stairs." in headed
    assert found[0].text.startswith("Cables are kept")
    assert len(found) == 21
    # Of the others, the cosine under the heading is that of the sentence alone.
    assert sum(each.terms[-3] == each.terms[-2] for each in found) == 21 - 8
