"""A request for an answer, as it is read."""

from __future__ import annotations

from mainspring.core.settings import RagSettings
from mainspring.core.types import ChatRequest, Message
from mainspring.rag.answer.evidence.values import of_question
from mainspring.rag.answer.question import MOST_READ, understood


def read(*messages: Message) -> tuple[str, list[str]]:
    found = understood(ChatRequest("handbook", messages), RagSettings(), name="handbook", one=True)
    return found.question, [each.content for each in found.history]


def test_of_a_long_message_its_beginning_and_its_end_are_read() -> None:
    long = f"This is what I have: {'x-' * MOST_READ} How often is the screen replaced?"
    question, history = read(Message("user", long), Message("assistant", "Which?"), Message("user", long))
    assert question.startswith("This is what I have: x-")
    assert question.endswith(long[-MOST_READ // 2 :])
    assert len(question) == MOST_READ + 1
    assert history == [question, "Which?"]


def test_a_message_that_is_read_whole_stays_as_it_is() -> None:
    said = "word " * (MOST_READ // 5)
    assert read(Message("user", said))[0] == said.strip()


def test_the_first_values_of_a_question_are_compared() -> None:
    found = of_question("How much is " + " ".join(f"{number} km" for number in range(1_000)))
    assert 0 < len(found) <= 50
    assert found[0].text.startswith("0")
