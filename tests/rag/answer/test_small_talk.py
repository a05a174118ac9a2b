"""What is no question to be searched: what is recognised, and what is said from the catalogue of documents."""

from __future__ import annotations

import pytest

from mainspring.core.path import collect
from mainspring.core.types import Context, Principal
from mainspring.rag.answer.small_talk import Outline, suggestions, talk, without_courtesy
from mainspring.rag.ingest.pipeline import Source
from tests.rag.answer.test_responder import LEAVE, ask, fill
from tests.rag.conftest import Room


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Hello there!", "greeting"),
        ("good morning", "greeting"),
        ("Thank you very much!", "thanks"),
        ("great, thanks", "thanks"),
        ("bye", "farewell"),
        ("What are these documents about?", "about"),
        ("Can you summarise the documents?", "about"),
        ("What changed most recently?", "recent"),
        ("Which document was updated last?", "recent"),
        ("Which documents do you have?", "list"),
        ("What can you do?", "able"),
        ("hello, what can you do?", "able"),
        ("Hi, I'm Anna", "greeting"),
        ("I have a question.", "greeting"),
        ("Thank you, that's all.", "thanks"),
        ("no thanks", "assent"),
        ("Never mind.", "assent"),
        ("What topics are covered?", "about"),
        ("What kind of questions can I ask?", "about"),
        ("Summarise everything", "about"),
        ("What can you help me with?", "able"),
        ("Tell me about yourself", "able"),
        ("Which files were added this week?", "recent"),
        ("How up to date are these documents?", "recent"),
        ("Which document is the oldest?", "oldest"),
        ("What is the oldest document?", "oldest"),
        ("What is the newest document?", "recent"),
        ("Summarise the returns document", None),
        ("Summarise this document", "about"),
        ("Summarise the sample handbook", "about"),
        ("What is the oldest stove that you repair?", None),
        ("Which documents are needed for a return?", None),
        ("Are the documents for a return still current?", None),
        ("What can you help me with when a burr is worn?", None),
        ("I'm ill", None),
        ("What is the holiday policy about carrying days over?", None),
        ("What changed in the travel policy for trips to France?", None),
        ("How many documents do I need for a parental leave?", None),
        ("hi, how many days of holiday are there?", None),
        ("Help me with a broken grinder", None),
    ],
)
def test_small_talk_is_distinguished_from_questions(message: str, kind: str | None) -> None:
    assert talk(message) == kind


async def said(room: Room, asker: Context, message: str) -> str:
    found = await collect(await room.answerer().respond(ask(message), asker))
    assert found.answered is True
    assert found.citations == []
    return found.text


async def test_what_the_documents_are_about_comes_from_their_headings(room: Room, asker: Context) -> None:
    assert await said(room, asker, "What are these documents about?") == "There are no documents yet."
    await fill(room)
    about = await said(room, asker, "What are these documents about?")
    assert about.startswith("There are 2 documents.")
    assert "- Leave (leave.md): Holidays; Sick leave" in about
    able = await said(room, asker, "What can you do?")
    assert "What does Leave say about “Sick leave”?" in able
    record = asker.settlement.records[-1]
    assert (record.kind, len(record.facts.plain()["hits"])) == ("retrieval", 2)


async def test_what_changed_last_goes_by_the_times_of_documents(room: Room, asker: Context) -> None:
    for name in ("old.md", "new.md"):
        await room.ingestor.ingest(room.collection, [Source(name, name, LEAVE.encode)])
    recent = await said(room, asker, "What changed most recently?")
    assert recent.index("new.md") < recent.index("old.md")
    oldest = await said(room, asker, "Which document is the oldest?")
    assert oldest.index("old.md") < oldest.index("new.md")


async def test_what_one_may_not_see_is_not_named(room: Room) -> None:
    await fill(room)
    stranger = Context(Principal("another", "key"))
    found = await collect(await room.answerer(collection=None).respond(ask("Which documents do you have?"), stranger))
    assert found.text == "There are no documents yet."


def test_suggestions_are_headings_of_several_documents() -> None:
    outlines = [
        Outline("a.md", "Leave", ("Sick leave", "How do I book?", "Introduction"), 0.0),
        Outline("b.md", "Travel", ("1. Getting there",), 0.0),
    ]
    assert suggestions(outlines) == [
        "How do I book?",
        "What does Travel say about “Getting there”?",
        "What does Leave say about “Sick leave”?",
    ]


@pytest.mark.parametrize(
    ("message", "question"),
    [
        ("thanks. And how long do I have?", "And how long do I have?"),
        ("Hi, how long is the warranty?", "how long is the warranty?"),
        ("Hello there! Thank you very much! What is a RMA code?", "What is a RMA code?"),
        ("OK. Who pays for returns?", "Who pays for returns?"),
        ("Who pays for returns? Thanks in advance!", "Who pays for returns?"),
        ("Who pays for returns, thanks", "Who pays for returns"),
        ("Fine dust gets into the grinder, what now?", "Fine dust gets into the grinder, what now?"),
        ("Hi-fi cables: which do you sell?", "Hi-fi cables: which do you sell?"),
        ("What does the thanks page say?", "What does the thanks page say?"),
        ("Thanks!", "Thanks!"),
        ("How do I write thanks. cards?", "How do I write thanks. cards?"),
    ],
)
def test_courtesies_are_no_part_of_the_question(message: str, question: str) -> None:
    assert without_courtesy(message) == question
