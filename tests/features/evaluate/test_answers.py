"""Scoring of whole answers: gold strings in any notation, numbers without a source, polarity, refusals, intervals."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from mainspring.core.types import Citation, Context, Event, Finish, Head, Principal, Request, Response, Text
from mainspring.features.evaluate.answers import (
    ScoredAnswer,
    ShownAnswer,
    as_json,
    ask,
    holds,
    markdown,
    refusing,
    score,
    shares,
    spreads,
    unsupported,
    wilson,
)
from mainspring.features.evaluate.sets.collections import Kind, Query
from mainspring.rag.answer.generate import REFUSAL


def shown(text: str, *quotes: str, cited: tuple[str, ...] = ("a.md",), refused: bool = False) -> ShownAnswer:
    return ShownAnswer(text, cited, quotes, refused, 0.1, 0.2, 0.5)


def query(*answers: str, kind: Kind = "answerable", **more: object) -> Query:
    return Query("q", "How long is it?", {"a.md": 1}, answers, kind, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "gold", "held"),
    [
        ("It costs £2,500 at most.", "£2500", True),
        ("It costs £2500 at most.", "£2,500", True),
        ("Delta,24,12,407", "407", True),
        ("2015,401.01,0.12", "401.01", True),
        ("It costs £12,500.", "2500", False),
        ("after **45 days**", "45 days", True),
        ("after five days", "5 days", True),
        ("set BORG_RSH=ssh", "BORG_RSH", True),
        ("use --max-durations", "--max-duration", False),
        ("1450 days", "45 days", False),
    ],
)
def test_a_gold_string_counts_in_any_notation_and_only_whole(text: str, gold: str, held: bool) -> None:
    assert holds(text, query(gold)) is held


def test_one_of_each_group_must_be_held() -> None:
    both = query(every=(("1500", "1,500"), ("300",)))
    assert holds("1,500 in staging and 300 in production", both)
    assert not holds("1,500 in staging", both)
    assert not holds("anything", query())


def test_numbers_without_a_source_are_named() -> None:
    quote = "Up to 1,152 failures within three days."
    assert unsupported("What of 7?", shown("1152 failures in 3 days of 7 [1]", quote)) == ()
    assert unsupported("What?", shown("57 of 1152 failures", quote)) == ("57",)
    assert unsupported("What?", shown("N8770M has column_00_14 in v2", "N8770M has column_00_14 in v2")) == ()
    # A marker of a citation and the number of a list item are no statements.
    assert unsupported("What?", shown("1. Failures [2]\n2. Days", quote)) == ()


def test_yes_where_no_is_right_is_false() -> None:
    no = query("not", polarity="no")
    assert score(no, shown("Yes, it is.")).opposite
    assert not score(no, shown("No, it is not.")).opposite
    assert not score(no, shown("Yesterday it was not.")).opposite
    assert not score(query("not"), shown("Yes, it is.")).opposite


def test_a_value_that_no_gold_string_has_is_to_be_read() -> None:
    asked = query("45 days", form="number")
    assert score(asked, shown("It is 30 days.", "It is 30 days.")).suspect
    assert not score(asked, shown("It is 45 days.")).suspect
    assert not score(asked, shown(REFUSAL, refused=True)).suspect
    assert not score(query("because", form="prose"), shown("It is 30 days.")).suspect


def test_a_refusal_is_neither_right_nor_wrong() -> None:
    each = score(query("do not"), shown(REFUSAL, refused=True))
    assert (each.right_first, each.right_any, each.contained, each.words) == (False, False, False, 0)


def test_the_source_that_is_cited_first_decides() -> None:
    each = score(query("45"), shown("45 [1]", cited=("b.md", "a.md")))
    assert (each.right_first, each.right_any) == (False, True)


def test_wilsons_interval_is_that_of_the_literature() -> None:
    # Newcombe, Statistics in Medicine 1998, table I: 81 of 263 and 0 of 20.
    assert (round(wilson(81, 263).low, 4), round(wilson(81, 263).high, 4)) == (0.2553, 0.3662)
    assert (round(wilson(0, 20).low, 4), round(wilson(0, 20).high, 4)) == (0.0, 0.1611)
    assert wilson(0, 0).n == 0


def outcomes() -> list[ScoredAnswer]:
    return [
        score(query("45 days", form="number"), shown("45 days [1]", "It is 45 days.")),
        score(query("45 days", form="number"), shown("46 days [1]", "It is 45 days.", cited=("b.md",))),
        score(query("45 days"), shown(REFUSAL, refused=True)),
        score(query(kind="near_miss"), shown("Something [1]", "Something")),
        score(query(kind="off_topic"), shown(REFUSAL, refused=True)),
    ]


def test_shares_are_of_the_questions_they_are_about() -> None:
    found = {label: (round(each.value, 3), each.n) for label, each in shares(outcomes()).items()}
    assert found == {
        "right source cited first": (0.333, 3),
        "right source among the citations": (0.333, 3),
        "answer contained": (0.333, 3),
        "answerable refused": (0.333, 3),
        "near miss refused": (0.0, 1),
        "off topic refused": (1.0, 1),
        "false: unsupported number or opposite": (0.333, 3),
        "to be read: a value is asked and none is right": (0.333, 3),
        "answer contained, number": (0.5, 2),
    }
    assert spreads(outcomes())["words of an answer"] == (2.0, 2.0)


def test_the_curve_of_refusals_counts_what_lies_below() -> None:
    def told(kind: Kind, value: float) -> ScoredAnswer:
        return score(query("x", kind=kind), ShownAnswer("x", (), (), False, 0.1, 0.1, value))

    curve = refusing([told("answerable", 0.4), told("answerable", 0.8), told("near_miss", 0.5), told("off_topic", 0.1)])
    assert curve == [
        (0.4, {"answerable": 0.0, "near_miss": 0.0, "off_topic": 1.0}),
        (0.8, {"answerable": 0.5, "near_miss": 1.0, "off_topic": 1.0}),
    ]


def test_every_answer_is_there_for_reading() -> None:
    text = markdown("mine", outcomes())
    assert "## q (number): How long is it?" in text
    assert "> 46 days [1]" in text
    assert "unsupported 46" in text
    assert json.loads(json.dumps(as_json("mine", outcomes(), {})))["answers"][1]["unsupported"] == ["46"]


async def test_citations_of_files_count_as_their_documents() -> None:
    async def respond(request: Request, context: Context) -> Response:
        async def events() -> AsyncIterator[Event]:
            yield Text("45 days")
            yield Citation(1, "d", "Grinders.txt", "45 days", 0, 7)
            yield Finish("stop")

        return Response(Head("c"), events())

    asked = Query("q", "How long is it?", {"Grinders": 1}, ("45 days",))
    principal = Principal("default", "key", frozenset({"chat"}))
    named = {"Grinders.txt": "Grinders"}
    assert (await ask(respond, "c", asked, principal, documents=named)).right_first
    assert not (await ask(respond, "c", asked, principal)).right_first


async def test_a_question_goes_through_the_path_and_past_the_caches() -> None:
    asked: list[Request] = []

    async def respond(request: Request, context: Context) -> Response:
        asked.append(request)

        async def events() -> AsyncIterator[Event]:
            yield Text("It is 45 days. [1]")
            yield Citation(1, "d", "a.md", "It is 45 days.", 0, 14)
            yield Finish("stop")

        return Response(Head(model="mine"), events())

    async def evidence(context: Context) -> float:
        return 0.7

    each = await ask(respond, "mine", query("45 days"), Principal("default", "test"), evidence)
    assert (each.right_first, each.contained, each.shown.evidence, each.shown.refused) == (True, True, 0.7, False)
    assert 0 < each.shown.first <= each.shown.seconds
    [request] = asked
    assert request.options == {"cache": False}  # type: ignore[union-attr]
