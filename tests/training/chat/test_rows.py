"""Rows of data as texts: what is learned of them, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest, NothingLearned, Unsupported
from mainspring.core.types import Message, Tool
from mainspring.engines.chat.template import CHATML
from mainspring.evaluation.examples import Example
from mainspring.training.chat import rows
from mainspring.training.chat.options import WantedScore
from mainspring.training.chat.scoring import Scoring, make

TALKED = {"role": "assistant", "content": [{"type": "text", "text": "b"}]}
WRITER = rows.Writer(CHATML, "<|im_start|>", "<|im_end|>")
TALK = (Message("user", "a?"), Message("assistant", "one"), Message("user", "b?"), Message("assistant", "two"))


def learned(told: rows.LearnedText) -> list[str]:
    return [told.text[start:end] for start, end in told.spans]


def test_the_last_answer_or_all_are_learned_with_the_token_that_ends_a_turn() -> None:
    assert learned(WRITER.told(TALK)) == ["two<|im_end|>"]
    assert learned(WRITER.told(TALK, "all")) == ["one<|im_end|>", "two<|im_end|>"]
    assert WRITER.told(TALK).text.endswith("<|im_start|>assistant\ntwo<|im_end|>")


def test_a_control_token_in_an_answer_ends_nothing() -> None:
    told = WRITER.told((Message("user", "a?"), Message("assistant", "one <|im_end|> two")))
    assert learned(told)[0].endswith(" two<|im_end|>")


@pytest.mark.parametrize(
    ("row", "answer"),
    [
        ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}, "b"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}, TALKED]}, "b"),
        ({"prompt": "a", "completion": "b"}, "b"),
        ({"prompt": [{"role": "user", "content": "a"}], "completion": [{"role": "assistant", "content": "b"}]}, "b"),
        ({"question": "a", "documents": ["x", "y"], "answer": "b [1]"}, "b [1]"),
    ],
)
def test_rows_of_each_shape_are_conversations(row: dict[str, Any], answer: str) -> None:
    found = rows.conversation(row, "train:1")
    assert found[-1] == Message("assistant", answer)
    assert found[-2].role == "user"


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"messages": []},
        {"messages": [{"role": "user", "content": "a"}]},
        {"messages": [{"role": "nobody", "content": "a"}]},
        {"messages": [{"role": "assistant", "content": " "}]},
        {"messages": [{"role": "assistant", "content": 3}]},
        {"messages": [{"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        {"messages": [{"role": "assistant", "content": "", "tool_calls": [{"function": {}}]}]},
        {"prompt": "a"},
    ],
)
def test_a_row_that_says_nothing_is_named(row: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="train:7") as refused:
        rows.conversation(row, "train:7")
    assert refused.value.param == "train:7"


def test_too_few_rows_are_reported() -> None:
    with pytest.raises(NothingLearned, match="2 rows in train are too few"):
        rows.enough(2, 8)


def test_scorers_without_a_server_score_and_others_are_refused() -> None:
    scoring = Scoring((WantedScore(name="contains"), WantedScore(name="regex", options={"pattern": "x$"}, weight=2)))
    examples = [Example("1", TALK[:1], ("mill",)), Example("2", TALK[:1], ())]
    assert scoring.each(examples, ["The Mill.", "x"]) == {"contains": [1.0, None], "regex": [0.0, 1.0]}
    assert scoring.rewards(examples, ["The Mill.", "x"]) == [1.0, 2.0]
    with pytest.raises(InvalidRequest, match="Did you mean contains"):
        make(WantedScore(name="contain"))
    with pytest.raises(Unsupported, match="needs a server"):
        Scoring((WantedScore(name="faithfulness"),)).each(
            [Example("1", TALK[:1], passages=("A mill.",))], ["The mill stands."]
        )


class Side:
    """The rows of a run, of whatever side."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self._rows = rows

    def rows(self, _: str) -> Any:
        return iter(self._rows)


def test_messages_that_end_with_the_user_are_a_prompt_and_a_field_has_the_right_answer() -> None:
    user = [{"role": "user", "content": "a?"}]
    work: Any = Side(
        {"messages": user, "reference_answer": "one"},
        {"prompt": "a?", "reference_answer": 3, "references": ["two"]},
        {"messages": [*user, {"role": "assistant", "content": "two"}], "reference_answer": ["one", "1"]},
    )
    found = rows.questions(work, "train", WRITER, right="reference_answer")
    assert [each.example.references for each in found] == [("one",), ("3",), ("one", "1")]
    assert {each.prompt for each in found} == {WRITER.prompt((Message("user", "a?"),))}
    assert [bool(each.wanted) for each in found] == [False, False, True]
    # Without the field, the row's own references or the last answer are the right ones.
    assert [each.example.references for each in rows.questions(work, "train", WRITER)] == [(), ("two",), ("two",)]
    with pytest.raises(InvalidRequest, match="train:1: the row has no solution") as caught:
        rows.questions(work, "train", WRITER, right="solution")
    assert caught.value.param == "train:1"


TOOL = {"type": "function", "function": {"name": "find_mill", "description": "Where it is", "parameters": {}}}


def test_the_tools_of_a_row_stand_in_its_prompt_as_when_somebody_asks() -> None:
    user, answer = {"role": "user", "content": "a?"}, {"role": "assistant", "content": "one"}
    shown = WRITER.prompt((Message("user", "a?"),), (Tool("find_mill", "Where it is"),))
    assert "find_mill" in shown
    work: Any = Side({"messages": [user, answer], "tools": [TOOL]})
    (told,) = rows.conversations(work, "train", WRITER)
    assert told.text[: told.spans[0][0]] == shown
    assert learned(told) == ["one<|im_end|>"]
    assert [each.prompt for each in rows.questions(work, "train", WRITER)] == [shown]
    pair: Any = Side({"prompt": [user], "chosen": [answer], "rejected": "two", "tools": [TOOL]})
    assert [each.prompt for each in rows.pairs(pair, "train", WRITER)] == [shown]
    assert {each.prompt for each in rows.thumbs(pair, "train", WRITER)} == {shown}
    for wrong in ({"type": "function"}, {"function": {"name": "a", "parameters": 3}}):
        with pytest.raises(InvalidRequest, match=r"train:1: .* tool"):
            rows.conversations(Side({"messages": [user, answer], "tools": [wrong]}), "train", WRITER)  # type: ignore[arg-type]


def test_answers_without_weight_are_not_learned() -> None:
    talk: list[dict[str, Any]] = [
        {"role": "user", "content": "a?"},
        {"role": "assistant", "content": "one", "weight": 0},
        {"role": "user", "content": "b?"},
        {"role": "assistant", "content": "two", "weight": 1},
    ]
    work: Any = Side({"messages": talk})
    (told,) = rows.conversations(work, "train", WRITER, "all")
    assert learned(told) == ["two<|im_end|>"]
    swapped: Any = Side({"messages": [talk[0], {**talk[1], "weight": 1}, talk[2], {**talk[3], "weight": 0}]})
    (told,) = rows.conversations(swapped, "train", WRITER, "all")
    assert learned(told) == ["one<|im_end|>"]
    with pytest.raises(InvalidRequest, match="last answer has the weight 0"):
        rows.conversations(swapped, "train", WRITER)
    none: Any = Side({"messages": talk[:2]})
    with pytest.raises(InvalidRequest, match="all of its answers"):
        rows.conversations(none, "train", WRITER, "all")
