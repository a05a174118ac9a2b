"""What a conversation asks for just now."""

from __future__ import annotations

import pytest

from mainspring.agents.choice.questions import asked, question
from mainspring.agents.choice.request import CONTEXT, failed, opened
from mainspring.core.types import Message
from tests.agents.choice.support import STATUS, WEATHER, declared

TOOLS = (STATUS, WEATHER)
FLAG, SIZE = {"type": "boolean"}, {"type": "string", "enum": ["small", "large"]}
TOY = declared("order_toy", "Order a toy", name={"type": "string"}, size=SIZE, gift_wrapped=FLAG, customer_id={})


def test_questions_name_what_is_missing() -> None:
    tool = TOY.declaration
    assert question(tool, ("size",)) == "Which size: small or large?"
    assert question(tool, ("gift_wrapped",)) == "Gift wrapped: yes or no?"
    assert question(tool, ("customer_id",)) == "Which customer number?"
    assert question(tool, ("name", "size")) == "I need some more information: name and size. What are they?"


def test_a_question_is_recognised_for_its_tool_and_arguments() -> None:
    for missing in (("size",), ("name", "customer_id"), ("name", "size", "gift_wrapped", "customer_id")):
        found = asked("Gladly. " + question(TOY.declaration, missing), (*TOOLS, TOY))
        assert found == (TOY, missing)
    assert asked("Which way?", (*TOOLS, TOY)) is None


def test_answers_to_questions_belong_to_the_request() -> None:
    messages = (
        Message("user", "Order a toy"),
        Message("assistant", "Which name?"),
        Message("user", "a bear"),
        Message("assistant", "Which size: small or large?"),
        Message("user", "large"),
    )
    found = opened(messages, (TOY,))
    assert found.text == "Order a toy a bear large"
    assert found.pending == (TOY, ("size",))


def test_other_words_of_the_assistant_end_a_request() -> None:
    messages = (Message("user", "Hello"), Message("assistant", "Hello!"), Message("user", "What about Oslo?"))
    found = opened(messages, TOOLS)
    assert (found.text, found.before, found.pending) == ("What about Oslo?", "Hello", None)


@pytest.mark.parametrize("said", ["Thanks a lot!", "Great, thank you for your help.", "ok", "Hi there"])
def test_thanks_and_greetings_ask_for_nothing(said: str) -> None:
    assert opened((Message("user", said),), TOOLS).social


@pytest.mark.parametrize("said", ["Thanks, and the weather in Oslo?", "Where is my order?"])
def test_requests_are_more(said: str) -> None:
    assert not opened((Message("user", said),), TOOLS).social


def test_results_that_are_errors_are_known() -> None:
    assert failed("Error: there is no such order")
    assert failed('{"error": "no such order"}')
    assert not failed('{"error": null, "status": "shipped"}')
    assert not failed("Errors are shown in red")


def test_what_earlier_agents_found_is_no_request_of_the_user_and_its_values_count() -> None:
    found = Message("user", f"{CONTEXT}[a] called find, which said: order 77")
    read = opened((Message("user", "Where is my order?"), found), ())
    assert (read.latest, read.text) == ("Where is my order?", "Where is my order?")
    assert "77" in read.grounds
    assert found in read.shown
