"""One written answer: its prompt, the calls it takes, calculations, what it reports."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Sequence

import pytest

from mainspring.core.errors import EngineDied
from mainspring.core.path import collect
from mainspring.core.types import Event, Finish, Head, Message, Notice, Response, Sampling, Text, TokenLogprob, Usage
from mainspring.guards.rewrite.spotlight import Spotlight
from mainspring.rag.answer.write.answer_form import wish
from mainspring.rag.answer.write.author import MOST_TOKENS, Author
from tests.rag.answer.write.test_checked_sentences import DOCUMENT, LINES, note


class Model:
    """Replies in turn, and keeps what it was asked."""

    def __init__(self, *replies: str | Exception | TokenLogprob) -> None:
        self._replies = list(replies)
        self.asked: list[tuple[tuple[Message, ...], Sampling]] = []

    async def __call__(self, messages: Sequence[Message], sampling: Sampling) -> Response:
        self.asked.append((tuple(messages), sampling))
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply

        async def events() -> AsyncGenerator[Event, None]:
            if isinstance(reply, TokenLogprob):
                yield Text(reply.token, tokens=1, logprobs=(reply,))
            else:
                yield Text(reply, tokens=4)
            yield Usage(10, 4)
            yield Finish("stop")

        return Response(Head("m"), events())

    @property
    def prompts(self) -> list[str]:
        return [messages[1].content for messages, _ in self.asked]


def author(model: Model, question: str) -> Author:
    notes = [note(line) for line in LINES]
    return Author(model, notes, {"d": DOCUMENT}, question, wish(question), light=Spotlight("0" * 16))


async def test_the_calls_of_an_answer_share_their_beginning() -> None:
    model = Model(TokenLogprob("Yes", math.log(0.7)), "Stoves can be returned within 9 days.", "Within 20 days.")
    writing = author(model, "Explain in simple terms how long stoves can be returned")
    assert await writing.stated() == pytest.approx(0.7)
    found = await collect(await writing.write())
    assert found.citations
    heads = {prompt.partition("\n\nQuestion:")[0] for prompt in model.prompts}
    assert len(model.prompts) == 3
    # What all notes say is read once and served from the prefix cache after that.
    assert len(heads) == 1
    assert heads.pop().startswith("Notes:\n<<notes-0000000000000000>>\n[1] Returns: Unused grinders")
    assert len({messages[0].content for messages, _ in model.asked}) == 1


async def test_a_reply_that_is_neither_yes_nor_no_says_nothing() -> None:
    assert await author(Model(TokenLogprob("No", math.log(0.9))), "Why?").stated() == pytest.approx(0.1)
    assert await author(Model(TokenLogprob("Maybe", -0.1)), "Why?").stated() is None
    assert await author(Model("yes"), "Why?").stated() is None
    assert await author(Model(EngineDied("gone")), "Why?").stated() is None


async def test_answers_are_greedy_and_short() -> None:
    model = Model("Stoves can be returned within 20 days.")
    await collect(await author(model, "How long can stoves be returned?").write())
    ((_, sampling),) = model.asked
    assert (sampling.temperature, sampling.max_tokens) == (0.0, MOST_TOKENS)


async def test_a_failure_before_the_first_words_is_raised_and_none_after_them() -> None:
    with pytest.raises(EngineDied):
        await author(Model(EngineDied("gone")), "How long?").write()
    model = Model("Stoves can be returned within 9 days.", EngineDied("gone"))
    found = await collect(await author(model, "Explain in simple terms how stoves can be returned").write())
    assert len(model.asked) == 2
    assert found.text == f"{LINES[1]} [1]"


async def test_a_calculation_is_done_by_code_and_shown_with_its_sources() -> None:
    model = Model("750 - 400 = 999")
    writing = author(model, "How much more does the large press hold than the small one?")
    found = await collect(await writing.write())
    assert found.text.startswith("750 − 400 = 350 [1][2]")
    assert {citation.quote for citation in found.citations} == {LINES[3], LINES[4]}
    assert len(model.asked) == 1


async def test_a_calculation_with_a_number_of_nobody_is_not_done() -> None:
    model = Model("750 - 123", "The large press holds 750 ml.")
    found = await collect(await author(model, "How much more does the large press hold than the small one?").write())
    assert found.text == "The large press holds 750 ml. [1]"


async def test_a_number_of_the_question_may_be_counted_with() -> None:
    model = Model("3 * 400")
    found = await collect(await author(model, "How many ml do 3 small presses hold in total?").write())
    assert found.text.startswith("3 × 400 = 1,200 [1]")


async def test_another_language_is_written_with_a_notice() -> None:
    model = Model("Puede devolver las estufas en 20 días.")
    found = await collect(await author(model, "How long can stoves be returned? Answer in Spanish.").write())
    assert model.prompts[0].endswith("Write in Spanish.")
    assert [notice.code for notice in found.notices] == ["translated"]
    assert isinstance(found.notices[0], Notice)
    assert found.text == "Puede devolver las estufas en 20 días. [1]"


async def test_what_happened_is_reported() -> None:
    model = Model("Stoves can be returned within 9 days.", "Stoves can be returned within 20 days.")
    writing = author(model, "Explain in simple terms how long stoves can be returned")
    await collect(await writing.write())
    facts = writing.facts().plain()
    assert (facts["sentences"], facts["rewritten"], facts["verbatim"], facts["calls"]) == (1, 1, 0, 2)
    assert facts["problems"] == {"number": 1}
    assert 0 < float(str(facts["total_ms"])) >= float(str(facts["first_ms"]))
