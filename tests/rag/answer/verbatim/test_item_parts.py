"""Items of lists: with what leads in to them, without what joins them, and the sentence of a long one that answers."""

from __future__ import annotations

from mainspring.rag.answer.verbatim import display, item_parts
from mainspring.rag.answer.verbatim.extract import Passage, passages
from mainspring.rag.search.hit import Hit
from mainspring.rag.text.sentences import Kind
from tests.rag.conftest import WordEmbedder


def hit_of(text: str) -> Hit:
    return Hit("c", "d", "vs", "a.md", text, 0, len(text), None, "", 1.0, 0.5, 1.0, 1, 1, "blob")


def passage(document: str, text: str, before: str = "", kind: Kind = "item") -> Passage:
    start = document.index(text)
    return Passage(hit_of(document), text, start, start + len(text), kind, "", 1.0, 0.5, before)


CARD = (
    "A gift card cannot pay for:\n\n- subscription coffee, because it is paid for each month, and\n- other gift cards."
)
PORT = (
    "- --port: tells the server to listen on the port given. A value of 0 tells it to pick an unused port, which it "
    "then writes to its log where others may look for it. The default is 6566.\n"
)


def test_an_item_that_goes_on_from_its_lead_in_is_shown_with_it() -> None:
    item = passage(CARD, "subscription coffee, because it is paid for each month, and", "A gift card cannot pay for:")
    question = "Can I pay for the subscription with a gift card?"
    item = display.whole(item, question, {"d": CARD}, 60)
    assert item.text == CARD[item.start : item.end] == "subscription coffee, because it is paid for each month"
    (piece,) = display.pieces([item], question)
    assert piece.text == "A gift card cannot pay for: subscription coffee, because it is paid for each month [1]"
    alone = passage("Bring:\n\n- Passport", "Passport", "Bring:")
    assert [each.text for each in display.pieces([alone], "Bring what?")] == ["Passport [1]"]
    name = passage("Install one:\n\n- mp3gain (MP3 only)", "mp3gain (MP3 only)", "Install one:")
    assert [each.text for each in display.pieces([name], "Which one?")] == ["mp3gain (MP3 only) [1]"]


def test_a_long_item_is_shown_by_the_sentence_that_answers() -> None:
    item = passage(PORT, PORT[2:].strip())
    found = display.whole(item, "What is the default of --port?", {"d": PORT}, 90)
    assert (found.text, PORT[found.start : found.end]) == ("The default is 6566.", "The default is 6566.")
    assert [each.text for each in display.pieces([found], "?")] == ["--port: The default is 6566. [1]"]
    cut = passage(PORT, PORT[2:].strip().removesuffix(" 6566."))
    assert item_parts.telling(cut, "What is the default of --port?") is None
    # What the option does is in all of it.
    assert display.whole(item, "What does --port do?", {"d": PORT}, 90) == item
    assert item_parts.telling(passage(PORT, "The default is 6566."), "What is the default?") is None


REPORT = "Tell the shift lead at once if you must report:\n\n- Fever\n- Open wounds\n\nAsk us."


async def test_all_items_answer_what_their_lead_in_is_asked() -> None:
    embedder = WordEmbedder()
    question = "What must I report to the shift lead?"
    vector = (await embedder.embed([question])).vectors[0]
    hit = hit_of(REPORT)
    ranked = await passages(question, [hit], [hit], {"d": REPORT}, embedder, vector)
    assert ranked[0].text in ("Fever", "Open wounds")
    found = display.whole(ranked[0], question, {"d": REPORT}, 90)
    assert found.text == "Tell the shift lead at once if you must report:\n\n- Fever\n- Open wounds"
    assert display.whole(ranked[0], "Must wounds be reported to the lead by mail?", {"d": REPORT}, 90).text == "Fever"


async def test_a_further_sentence_of_a_very_long_item_keeps_the_label() -> None:
    filler = " ".join(f"It also holds for servers of kind {each}, which are asked in turn." for each in "abcdefghijkl")
    text = (
        f"# Timers\n\n- WAITDELAY: The time before a server is asked again. {filler} By default it is 9 seconds.\n"
        f"- KILLDELAY: The time before a server that does not stop is killed. {filler} By default it is 5 seconds.\n"
    )
    hit = hit_of(text)
    question = "What is KILLDELAY by default?"
    embedder = WordEmbedder()
    vector = (await embedder.embed([question])).vectors[0]
    best = (await passages(question, [hit], [hit], {"d": text}, embedder, vector))[0]
    shown = display.whole(best, question, {"d": text}, 60)
    (piece,) = display.pieces([shown], question)
    assert piece.text == "KILLDELAY: By default it is 5 seconds. [1]"
