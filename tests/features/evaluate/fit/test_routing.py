"""Routing judged: right answers, what policies cost, and rows in files and from feedback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mainspring import stores
from mainspring.core.errors import InvalidRequest
from mainspring.core.facts.registry import read
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord
from mainspring.features.evaluate.fit import routing
from mainspring.features.evaluate.fit.recorded_routes import from_feedback
from mainspring.features.evaluate.fit.routing import Priced, Question, Row


@pytest.mark.parametrize(
    ("text", "question", "wanted"),
    [
        ("It was in 1,066 of course.", Question("?", ("1066",), "number"), True),
        ("First 3, then 4.50", Question("?", ("4.5",), "number"), True),
        ("4, not 5", Question("?", ("4",), "number"), False),
        ("none", Question("?", ("4",), "number"), False),
        ("The Duke of Alba, it says", Question("?", ("duke of alba",)), True),
        ("Dukes of Albany", Question("?", ("duke of alba",)), False),
    ],
)
def test_what_is_right(text: str, question: Question, wanted: bool) -> None:
    assert routing.right(text, question) is wanted


ROWS = [
    # source, small right, large right, costs, confidence, chance
    Priced("a", True, True, 1, 10, 0.9, 0.9),
    Priced("a", False, True, 1, 10, 0.4, 0.7),
    Priced("b", True, True, 1, 10, 0.6, 0.4),
    Priced("b", False, False, 1, 10, 0.2, 0.1),
]


def test_policies_are_priced_with_what_they_throw_away() -> None:
    found = {each.policy: each for each in routing.outcomes(ROWS, accept_above=(0.5,), try_above=(0.5,))}
    assert (found["always small"].quality, found["always small"].cost) == (0.5, 1)
    assert (found["always large"].quality, found["always large"].cost) == (0.75, 10)
    cascade = found["cascade 0.5"]
    assert (cascade.quality, cascade.cost, cascade.large) == (0.75, (1 + 11 + 1 + 11) / 4, 0.5)
    sent = found["classifier 0.5"]
    assert (sent.quality, sent.cost, sent.large) == (0.5, (1 + 1 + 10 + 10) / 4, 0.5)
    hybrid = found["hybrid 0.5"]
    assert (hybrid.quality, hybrid.cost, hybrid.large) == (0.75, (1 + 11 + 1 + 10) / 4, 0.5)
    assert routing.by_chance(ROWS, 0.5) == (0.625, 5.5)
    without = [Priced(row.source, True, True, 1, 10, 0.9) for row in ROWS]
    assert not [each for each in routing.outcomes(without) if each.policy.startswith(("classifier", "hybrid"))]


def test_how_well_a_signal_tells() -> None:
    quality = routing.signal_quality([(0.9, True), (0.8, True), (0.2, False), (0.85, False)])
    assert quality is not None
    assert quality.value == 0.75
    assert routing.signal_quality([(0.9, True)]) is None


def test_rows_are_read_as_written(tmp_path: Path) -> None:
    rows = [Row("one", True, 0.5, 12, "x"), Row("zwei ü", False)]
    path = tmp_path / "rows.jsonl"
    routing.write_rows(path, rows)
    assert routing.read_rows(path) == rows


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 1 is not JSON"),
        ("[1]", "not a JSON object"),
        ("", "has no rows"),
        ('{"prompt": "", "answers": ["a"]}', "prompt must be a text"),
        ('{"prompt": "a", "answers": []}', "answers must be a list"),
        ('{"prompt": "a", "answers": ["x"], "match": "number"}', "answers must be numbers"),
        ('{"prompt": "a", "answers": ["x"], "match": "near"}', "contains or number"),
    ],
)
def test_bad_questions_are_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text(line)
    with pytest.raises(InvalidRequest, match=said):
        routing.read_questions(path)


def test_bad_rows_are_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "a", "good": true}\n{"prompt": "a"}\n')
    with pytest.raises(InvalidRequest, match="line 2"):
        routing.read_rows(path)
    with pytest.raises(InvalidRequest, match="cannot be read"):
        routing.read_rows(tmp_path / "none.jsonl")


async def test_opinions_become_rows(tmp_path: Path) -> None:
    def said(*texts: str) -> str:
        roles = ("user", "assistant")
        messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
        return json.dumps({"messages": messages, "choices": []})

    def answer(name: str, model: str, content: str | None, tenant: str = "t") -> EventRecord:
        return EventRecord(name, 1.0, tenant, "x", name, read("answer", {"model": model, "spent_tokens": 9}), content)

    def opinion(name: str, of: str, *, consent: bool = True, tenant: str = "t", **facts: object) -> EventRecord:
        return EventRecord(name, 2.0, tenant, "x", of, read("feedback", facts), consent=consent)

    async with stores.open(Settings(home=tmp_path)) as opened:
        await opened.events.append(
            answer("a1", "small", said("liked")),
            answer("a2", "small", said("corrected")),
            answer("a3", "large", said("of the large one")),
            answer("a4", "small", said("one", "two", "three")),
            answer("a5", "small", None),
            answer("a6", "small", said("without leave")),
            answer("a7", "small", said("theirs"), "other"),
            answer("a8", "small", said("first up, then down")),
            opinion("f1", "a1", rating="up"),
            opinion("f2", "a2", rating="up", edited=True),
            opinion("f3", "a3", rating="up"),
            opinion("f4", "a4", rating="up"),
            opinion("f5", "a5", rating="down"),
            opinion("f6", "a6", rating="down", consent=False),
            opinion("f7", "a7", rating="up", tenant="other"),
            opinion("f8", "a8", rating="up"),
            opinion("f9", "a8", rating="down"),
            opinion("g1", "a1", comment="only words"),
        )
        rows = await from_feedback(opened.events, "t", "small", consented=True)
        assert {(row.prompt, row.good) for row in rows} == {
            ("liked", True),
            ("corrected", False),
            ("first up, then down", False),
        }
        everybody = await from_feedback(opened.events, "t", "small", consented=False)
        assert {row.prompt for row in everybody} - {row.prompt for row in rows} == {"without leave"}
