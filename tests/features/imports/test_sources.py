"""What each source's records become."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.calls import UNCHARGED, CallFacts
from mainspring.core.facts.opinions import FeedbackFacts, LabelFacts, OutcomeFacts, ScoreFacts
from mainspring.features.imports.drafts import BadRecord, Draft, Importing, LeftOut, event_id, trace_id
from mainspring.features.imports.messages import messages_of, said_of
from mainspring.features.imports.sources import SOURCES
from mainspring.stores.sql import ids
from tests.features.imports import records

ME = Importing("key_1", now=1_700_000_000.0)


def drafts(source: str, *found: dict[str, Any]) -> list[Draft]:
    made: list[Draft] = []
    for record in found:
        try:
            made += SOURCES[source].drafts(record, ME)
        except LeftOut:
            continue
    return made


def one(made: list[Draft], kind: str) -> Any:
    (found,) = [each for each in made if kind == each.facts.EVENT]
    return found


def texts(draft: Draft) -> tuple[list[tuple[str, str]], str]:
    content = json.loads(draft.content or "{}")
    return [(each["role"], each["content"]) for each in content["messages"]], content["choices"][0]["text"]


def test_a_trace_of_langfuse_is_an_answer_with_its_call_and_opinions() -> None:
    made = drafts("langfuse", records.LANGFUSE_TRACE)
    answer = one(made, "answer")
    facts = AnswerFacts.of(answer.facts)
    assert texts(answer) == ([("user", "Where is my parcel?")], "It arrives on Monday.")
    assert (facts.imported, facts.requested, facts.model) == ("langfuse", "support-chat", "gpt-4o-mini")
    assert (facts.prompt_tokens, facts.completion_tokens, facts.cost_nanousd) == (21, 7, 420_000)
    assert (facts.duration_s, facts.session_id, answer.person) == (1.5, "session-7", "user-42")
    assert answer.at == pytest.approx(1_762_161_300.25)
    call = CallFacts.of(one(made, "call").facts)
    assert (call.charged, call.cached_tokens) == (UNCHARGED, 4)
    assert call.duration_s == pytest.approx(1.3)
    assert call.ttft_s == pytest.approx(0.5)
    assert one(made, "feedback").facts == FeedbackFacts(
        imported="langfuse", key_id="key_1", rating="up", comment="thanks", edited=False
    )
    label = LabelFacts.of(one(made, "label").facts)
    assert (label.by, label.scores) == ("annotator-1", {"correctness": 0.75})
    assert ScoreFacts.of(one(made, "score").facts).scores == {"helpfulness": 4.0}
    assert {each.answer for each in made} == {answer.key}


def test_flat_exports_of_langfuse_in_snake_case_meet_at_the_trace() -> None:
    made = drafts("langfuse", *records.LANGFUSE_FLAT)
    answer = one(made, "answer")
    assert texts(answer) == ([("user", "Is it open?")], "No.")
    assert AnswerFacts.of(answer.facts).model == "claude-haiku"
    assert FeedbackFacts.of(one(made, "feedback").facts).rating == "down"
    assert {(each.answer, each.trace) for each in made} == {("answer:trace-nine", "trace-nine")}


def test_openai_completions_pairs_and_chats() -> None:
    made = drafts("openai", records.OPENAI_STORED, records.OPENAI_PAIR, records.OPENAI_CHAT)
    stored, pair, chat = [each for each in made if each.facts.EVENT == "answer"]
    assert texts(stored) == ([("user", "write a haiku about ai")], "Mind of circuits hum,")
    facts = AnswerFacts.of(stored.facts)
    assert (stored.at, stored.person, facts.session_id) == (1738960610.0, "u-1", "s-1")
    assert (facts.prompt_tokens, facts.completion_tokens) == (13, 18)
    assert texts(pair) == ([("user", "Hi?")], "Hello.")
    assert texts(chat)[1] == "It is six."
    said = json.loads(chat.content or "")["messages"]
    assert said[2]["tool_calls"] == [{"id": "c1", "name": "now", "arguments": "{}"}]
    # Without a time of its own it is of now.
    assert chat.at == ME.now


def test_runs_of_langsmith_with_a_correction() -> None:
    made = drafts("langsmith", *records.LANGSMITH)
    answer = one(made, "answer")
    assert texts(answer) == ([("user", "Who wrote it?")], "Ada wrote it.")
    assert (answer.person, AnswerFacts.of(answer.facts).session_id) == ("person-1", "thread-1")
    call = CallFacts.of(one(made, "call").facts)
    assert (call.model, call.provider, call.cost_nanousd) == ("gpt-4o-mini", "openai", 310_000)
    edit, thumb = [each for each in made if each.facts.EVENT == "feedback"]
    assert (FeedbackFacts.of(edit.facts).edited, edit.content) == (True, "Ada Lovelace wrote it.")
    assert FeedbackFacts.of(thumb.facts).rating == "down"


def test_a_root_llm_run_is_both_an_answer_and_a_call() -> None:
    run = {**copy.deepcopy(records.LANGSMITH[1]), "parent_run_id": None, "trace_id": None}
    made = drafts("langsmith", run)
    assert texts(one(made, "answer")) == ([("user", "Who wrote it?")], "Ada wrote it.")
    assert one(made, "call").answer == one(made, "answer").key


def test_rows_of_tensorzero() -> None:
    made = drafts("tensorzero", *records.TENSORZERO)
    haiku, extracted = [each for each in made if each.facts.EVENT == "answer"]
    assert texts(haiku) == ([("system", "You write haikus."), ("user", "About rain.")], "Rain upon the roof")
    facts = AnswerFacts.of(haiku.facts)
    assert (facts.requested, facts.arm, facts.ttft_s, haiku.person) == ("write_haiku", "gpt_4o_mini", 0.21, "tz-user")
    assert texts(extracted)[1] == '{"name":"Ann","age":7}'
    outcomes = [OutcomeFacts.of(each.facts) for each in made if each.facts.EVENT == "outcome"]
    assert [(each.metric, each.value) for each in outcomes] == [("thumbs_up", 1.0), ("task_time", 12.5)]
    opinions = [FeedbackFacts.of(each.facts) for each in made if each.facts.EVENT == "feedback"]
    assert [(each.rating, each.edited, each.comment) for each in opinions] == [
        ("up", False, None),
        (None, True, None),
        (None, False, "Nice one."),
    ]
    assert {each.answer for each in made if each.trace == haiku.trace} == {haiku.key}


@pytest.mark.parametrize("source", sorted(SOURCES))
@pytest.mark.parametrize(
    "record",
    [
        {},
        {"id": 7},
        {"id": "a", "timestamp": "yesterday", "input": "x"},
        {"id": "a", "timestamp": "1815-12-10T00:00:00Z", "input": "x", "output": "y"},
        {"run_type": "chain", "id": "a", "start_time": None},
        {"messages": "", "choices": []},
        {"function_name": "f", "episode_id": "e", "id": "x"},
        {"metric_name": "m", "target_id": "t", "value": "abc", "id": "i"},
        {"key": "k", "run_id": None, "id": None},
    ],
)
def test_what_is_no_record_is_reported_without_its_words(source: str, record: dict[str, Any]) -> None:
    with pytest.raises((BadRecord, LeftOut)) as caught:
        list(SOURCES[source].drafts(record, ME))
    assert "abc" not in str(caught.value)
    assert "yesterday" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("Hi?", [("user", "Hi?")]),
        ({"input": "Hi?"}, [("user", "Hi?")]),
        ('{"messages": [{"role": "user", "content": "Hi?"}]}', [("user", "Hi?")]),
        ([{"type": "human", "content": "Hi?"}], [("user", "Hi?")]),
        ([{"type": "human", "data": {"content": "Hi?"}}], [("user", "Hi?")]),
        ([[{"role": "developer", "content": "Be."}]], [("system", "Be.")]),
        ({"a": 1}, []),
        (None, []),
        (7, []),
    ],
)
def test_questions_of_many_forms(value: Any, said: Any) -> None:
    assert [(each["role"], each["content"]) for each in messages_of(value)] == said


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Hello.", "Hello."),
        ({"output": "Hello."}, "Hello."),
        ({"content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo."}]}, "Hello."),
        ({"messages": [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Hello."}]}, "Hello."),
        ({"choices": [{"message": {"role": "assistant", "content": "Hello."}}]}, "Hello."),
        ('{"colour": "red"}', '{"colour": "red"}'),
        (None, ""),
    ],
)
def test_answers_of_many_forms(value: Any, text: str) -> None:
    assert said_of(value).text == text


def test_nesting_without_end_is_left() -> None:
    deep: Any = "x"
    for _ in range(60):
        deep = {"input": deep, "output": deep}
    assert messages_of(deep) == []
    assert not said_of(deep)


def test_ids_are_stable_and_of_the_form_of_ids() -> None:
    assert event_id("langfuse", "answer:a") == event_id("langfuse", "answer:a")
    assert event_id("langfuse", "answer:a") != event_id("langsmith", "answer:a")
    assert ids.is_id(event_id("langfuse", "answer:a"), "imp_")
    assert trace_id("x", "a36092d2-4ad5-4fb4-9c0d-0dba9a2ed836") == "a36092d24ad54fb49c0d0dba9a2ed836"
    assert len(trace_id("x", "chatcmpl-1")) == 32
