"""Questions of several parts, and sources that disagree: what extractive and written answers say about them."""

from __future__ import annotations

import json

import pytest

from mainspring.core.path import Answer
from mainspring.core.types import Claim, Context, Contradiction, Event, Head, Missing, Text
from mainspring.http.openai.encode import chat_body
from mainspring.rag.answer.findings import Findings
from mainspring.rag.answer.generate import REFUSAL
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.connect.base import Source
from mainspring.rag.query.question_parts import QuestionPart, parts, supported
from mainspring.rag.search.hit import Hit
from mainspring.serving.cache import stored_answers
from tests.rag.answer.test_responder import answer, ask, check_citations, fill, writing
from tests.rag.conftest import Room
from tests.told import told

OLD = "# Leave\n\n## Holidays\n\nEverybody has 22 days of holiday a year."


async def disagreeing(room: Room) -> None:
    await fill(room)
    old = Source("old.md", "old.md", OLD.encode, modified_at=1_000_000_000.0)
    await room.ingestor.ingest(room.collection, [old])


def test_parts_of_a_question() -> None:
    assert parts("How many days of holiday are there?") == []
    assert parts("What is the difference between sick leave and holiday?") == []
    found = parts("How many days of holiday are there and when do they expire?")
    assert [part.written for part in found] == ["How many days of holiday are there", "when do they expire?"]
    assert found[1].searched == "How many days of holiday are there when do they expire?"


async def test_both_parts_are_answered(room: Room, asker: Context) -> None:
    await fill(room)
    found = await answer(room, ask("When do unused days expire? Which pears are green?"), asker)
    assert "Unused days expire in March. [" in found.text
    assert "Pears are green. [" in found.text
    assert found.missing == []
    await check_citations(room, found)


async def test_what_is_missing_is_said(room: Room, asker: Context) -> None:
    await fill(room)
    question = "When do unused days expire? Which submarine submerged deepest?"
    found = await answer(room, ask(question), asker)
    assert "Unused days expire in March. [" in found.text
    assert found.text.endswith("The documents do not say: Which submarine submerged deepest?")
    assert found.missing == [Missing("Which submarine submerged deepest?")]
    await check_citations(room, found)
    facts = told(asker.settlement.records[0])
    assert [(part["part"], part["answered"]) for part in facts["parts"]] == [
        ("When do unused days expire?", True),
        ("Which submarine submerged deepest?", False),
    ]
    assert chat_body(found)["choices"][0]["message"]["missing"] == ["Which submarine submerged deepest?"]


async def test_a_part_that_leans_must_be_mentioned_itself(room: Room, asker: Context) -> None:
    await fill(room)
    found = await answer(room, ask("How many days of holiday are there, and does it include zeppelins?"), asker)
    assert found.missing == [Missing("does it include zeppelins?")]


async def test_nothing_found_is_a_refusal_of_the_whole(room: Room, asker: Context) -> None:
    await fill(room)
    found = await answer(room, ask("Which submarine submerged deepest? Who sang the opera?"), asker)
    assert found.text.startswith(REFUSAL)
    assert (found.answered, found.missing) == (False, [])


async def test_sources_that_disagree_are_shown_side_by_side(room: Room, asker: Context) -> None:
    await disagreeing(room)
    found = await answer(room, ask("How many days of holiday does everybody have a year?"), asker)
    (contradiction,) = found.contradictions
    by_source = {claim.source: claim for claim in contradiction.claims}
    assert {name: claim.value for name, claim in by_source.items()} == {"leave.md": "25 days", "old.md": "22 days"}
    assert by_source["leave.md"].newest
    assert not by_source["old.md"].newest
    cited = {citation.index: citation.source for citation in found.citations}
    assert all(cited[claim.citation] == claim.source for claim in contradiction.claims)
    assert "(old.md, 2001-09-09)" in found.text
    assert ", newest)" in found.text
    message = chat_body(found)["choices"][0]["message"]
    assert {claim["value"] for claim in message["conflicts"][0]["claims"]} == {"25 days", "22 days"}


async def test_agreement_is_not_mentioned(room: Room, asker: Context) -> None:
    await fill(room)
    found = await answer(room, ask("How many days of holiday does everybody have?"), asker)
    assert found.contradictions == []
    assert not {"missing", "conflicts"} & chat_body(found)["choices"][0]["message"].keys()


async def test_written_answers_have_the_same_notes(room: Room, asker: Context) -> None:
    await disagreeing(room)
    _, answerer = writing(room, "Everybody has 25 days of holiday a year.")
    question = "How many days of holiday does everybody have a year? Which submarine submerged deepest?"
    response = await answerer.respond(ask(question), asker)
    events = [event async for event in response]
    found = Answer(response.head)
    for event in events:
        found.add(event)
    assert found.missing == [Missing("Which submarine submerged deepest?")]
    assert len(found.contradictions[0].claims) == 2
    assert {claim.citation for claim in found.contradictions[0].claims} <= {each.index for each in found.citations}
    assert found.text.startswith("Everybody has 25 days of holiday a year. [1]\n\nThe sources disagree: ")
    facts = asker.settlement.records[0].facts.plain()["reading"]
    assert facts["read"]
    assert facts["tokens"] > 0


async def test_a_written_refusal_has_no_notes(room: Room, asker: Context) -> None:
    await disagreeing(room)
    _, answerer = writing(room, REFUSAL)
    found = await answer_of(answerer, "How many days of holiday does everybody have? Which submarine dived?", asker)
    assert (found.text, found.missing, found.contradictions) == (REFUSAL, [], [])


async def answer_of(answerer: object, question: str, asker: Context) -> Answer:
    from mainspring.core.path import collect

    return await collect(await answerer.respond(ask(question), asker))  # type: ignore[attr-defined]


def test_a_cached_answer_keeps_its_notes() -> None:
    claims = (Claim(1, "25 days", "a.md", 5.0, newest=True), Claim(2, "22 days", "b.md", 1.0))
    events: list[Event] = [Text("x"), Missing("why?"), Contradiction("holiday", claims)]
    kept = stored_answers.decode(stored_answers.encode(Head("m"), events))
    assert kept is not None
    assert kept.events == events
    assert "claims" in json.loads(stored_answers.encode(Head("m"), events))["events"][2][1]


@pytest.mark.parametrize("question", ["?", "and?", "what and why", "; ;", "a? b?"])
async def test_odd_questions_are_answered_or_refused(room: Room, asker: Context, question: str) -> None:
    await fill(room)
    assert (await answer(room, ask(question), asker)).text


def looked(part: QuestionPart, evidence: float, *texts: str) -> bool:
    hits = [shelved(text) for text in texts]
    passages = [Passage(hit, hit.text, 0, len(hit.text), "sentence", "", 1.0, 0.5) for hit in hits]
    return supported(part, Findings(part.searched, hits, passages, {}, evidence, {}), 0.3)


def shelved(text: str) -> Hit:
    return Hit("c", "d", "c", "d.txt", text, 0, len(text), None, "", 1, 0.5, None, 1, None, "blob")


@pytest.mark.parametrize(
    ("evidence", "text", "told"),
    [
        (0.9, "Nothing that was asked.", True),
        (0.4, "Nothing that was asked.", False),
        (0.4, "The green pears of the orchard.", True),
        (0.2, "Which pears are green in autumn.", False),
    ],
)
def test_a_part_takes_much_evidence_or_its_own_words(evidence: float, text: str, told: bool) -> None:
    part = QuestionPart("Which pears are green in autumn?", "Which pears are green in autumn?")
    assert looked(part, evidence, text, "Something else.") is told


def test_evidence_for_the_context_of_a_part_is_no_evidence_for_the_part() -> None:
    part = QuestionPart("does it come in purple velvet?", "How heavy is the chair, does it come in purple velvet?")
    assert not looked(part, 1.0, "The chair weighs nine kilograms.")
    assert looked(part, 1.0, "The chair weighs nine kilograms.", "The chair comes in purple and in grey.")


HOTELS = """# Hotels

The limits are for one night in a hotel.

| Tier | Where | Limit per night of a hotel |
|---|---|---|
| A | London, Oslo and New York | £172 |
| B | Anywhere else in the United Kingdom | £104 |
"""


async def test_a_place_that_no_row_names_gets_the_rows_for_all_others_and_is_reported(
    room: Room, asker: Context
) -> None:
    await fill(room)
    hotels = Source("hotels.md", "hotels.md", HOTELS.encode)
    jacket = Source("jacket.md", "jacket.md", "A shop in Leeds sells a rain jacket for £132.".encode)
    await room.ingestor.ingest(room.collection, [hotels, jacket])
    found = await answer(room, ask("What is the limit of a hotel per night in Leeds?"), asker)
    assert found.text.startswith("B: Anywhere else in the United Kingdom; Limit per night of a hotel **£104**")
    assert "172" not in found.text
    assert found.text.endswith("The documents do not say: which row is for Leeds")
    assert Missing("which row is for Leeds") in found.missing
    named = await answer(room, ask("What is the limit of a hotel per night in Oslo?"), asker)
    assert named.text.startswith("A: London, Oslo and New York; Limit per night of a hotel **£172**")
    assert "do not say" not in named.text


async def test_a_price_that_nothing_gives_for_the_thing_is_refused(room: Room, asker: Context) -> None:
    await fill(room)
    await room.ingestor.ingest(room.collection, [Source("hotels.md", "hotels.md", HOTELS.encode)])
    found = await answer(room, ask("What does a gymnasium of a hotel cost?"), asker)
    assert found.text.startswith(REFUSAL)
    assert "gymnasium" in found.text


async def test_a_code_is_asked_about_by_the_name_that_it_stands_for(room: Room, asker: Context) -> None:
    await fill(room)
    sheet = "# Cinder Stove: Owner's Sheet\n\nThe model number is CS-26. It burns gas from a can."
    cover = "# Warranty\n\nThe igniter of the Cinder Stove is covered for 18 months. Grinders are covered for 7 years."
    texts = {"stove.md": sheet, "warranty.md": cover}
    await room.ingestor.ingest(room.collection, [Source(name, name, text.encode) for name, text in texts.items()])
    found = await answer(room, ask("How long is the igniter of CS-26 covered by the warranty?"), asker)
    assert found.answered
    assert "The igniter of the Cinder Stove is covered for **18 months**." in found.text
    assert "The model number is CS-26." in found.text
    assert {each.source for each in found.citations} == {"stove.md", "warranty.md"}
    unknown = await answer(room, ask("How long is the igniter of CS-99 covered by the warranty?"), asker)
    assert unknown.text.startswith(REFUSAL)
