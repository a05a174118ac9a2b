"""Answers whose content is at fault: found while they stream, left out, refused, or asked for again."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import pytest

from mainspring.core.path import Answer, collect
from mainspring.core.settings import AnswersSettings
from mainspring.core.types import (
    ChatRequest,
    Citation,
    CompletionRequest,
    Event,
    Finish,
    Message,
    Sampling,
    Text,
    Usage,
)
from mainspring.engines.base import Embedded
from mainspring.engines.scripted import words
from mainspring.guards.detect.embedding_detector import Head, Heads
from mainspring.guards.policy.policies import GuardPolicy
from mainspring.serving.admit.rate_limits import Limits
from mainspring.serving.judge.windows import WindowJudge
from mainspring.serving.money.charged_models import ChargedModels
from mainspring.serving.money.pricing import Price
from mainspring.serving.ring.compose import call_ring, request_ring
from mainspring.serving.ring.registry import Served
from tests.serving.house import House, Recited, visitor

NICE = "Bread rises because of yeast in it. The yeast makes gas, and the gas makes holes. It takes an hour or two."
RUDE = "You are a fool and everybody knows it."
REASON = "Let us not talk about that."


class Reader:
    """Embeds by words: the first dimension is rudeness, the second bread, the third anything else."""

    name = "words"
    dimensions = 3
    max_tokens = 256

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        self.batches.append(list(texts))
        rows = []
        for text in texts:
            about = any(word in text.lower() for word in ("bread", "yeast", "gas", "hour"))
            row = np.array([float("fool" in text), float(about), float(not about)], np.float32)
            rows.append(row / np.linalg.norm(row))
        return Embedded(np.stack(rows), sum(self.count_tokens(texts)))

    async def close(self) -> None: ...


HEADS = Heads("words", {"toxicity": Head("toxicity", np.array([20.0, 0.0, 0.0]), -10.0, 0.5)})


def house(says: str | Sequence[str], **answers: object) -> House:
    """A house whose model says ``says`` (of several the next at each call) under a policy of answers."""
    scripts = [says] if isinstance(says, str) else list(says)
    dry_run = bool(answers.pop("dry_run", False))
    settings = AnswersSettings.model_validate({"reason": REASON, "toxicity_above": 0.5, "held": 8} | answers)
    home = House(
        lambda _: words(scripts.pop(0) if len(scripts) > 1 else scripts[0]),
        GuardPolicy(answers=settings, dry_run=dry_run),
    )
    return judged(home)


def judged(home: House) -> House:
    def ring(responder: object, model: str, provider: str) -> object:
        return call_ring(home.services, responder, model=model, provider=provider, price=Price.per_million(1.0, 0.0))  # type: ignore[arg-type]

    reader = Reader()
    judge = WindowJudge(HEADS, reader, ChargedModels(ring), home.tracing, home.background)  # type: ignore[arg-type]
    home.services = dataclasses.replace(home.services, judge=judge)
    home.reader = reader  # type: ignore[attr-defined]
    home.ring = request_ring(home.services, home.registry, Limits.of(home.services.settings.serving))
    return home


def finishes(answer: Answer) -> list[str | None]:
    return [choice.finish for choice in answer.choices]


async def test_what_is_fine_is_shown_as_it_was_said() -> None:
    home = house(NICE, toxicity="refuse", relevancy="refuse")
    answer = await home.ask("How does bread rise?")
    assert answer.text == NICE
    assert finishes(answer) == ["stop"]
    assert home.events.of("guard") == []


async def test_a_rude_sentence_is_left_out() -> None:
    home = house(f"{NICE} {RUDE} Bake it well, this bread.", toxicity="redact")
    answer = await home.ask("How does bread rise?")
    assert answer.text == f"{NICE} [REMOVED] Bake it well, this bread."
    assert finishes(answer) == ["stop"]
    (event,) = home.events.of("guard")
    assert event.facts.plain()["guard"] == "answer"
    assert (event.facts.plain()["kind"], event.facts.plain()["action"]) == ("toxicity", "redact")
    assert event.facts.plain()["policy"] == home.policy.version
    assert home.metrics.guards["answer", "redact", "toxicity"] == 1


async def test_an_answer_that_turns_rude_ends_with_the_reason() -> None:
    home = house(f"{NICE} {RUDE} {NICE}", toxicity="refuse")
    answer = await home.ask("How does bread rise?")
    assert answer.text.endswith(f"\n\n{REASON}")
    assert NICE.startswith(answer.text.removesuffix(REASON).strip()[:20])
    assert "fool" not in answer.text
    assert finishes(answer) == ["content_filter"]
    # The model was stopped, and what it had said by then is paid for.
    assert home.engine.cancelled == 1
    assert 0 < answer.usage.completion_tokens < len(words(f"{NICE} {RUDE} {NICE}"))


async def test_an_answer_that_begins_rudely_is_the_reason_alone() -> None:
    home = house(RUDE, toxicity="refuse")
    answer = await home.ask("How does bread rise?")
    assert answer.text == REASON
    assert finishes(answer) == ["content_filter"]


async def test_refused_answers_are_recorded_as_shown_and_not_kept() -> None:
    home = house(RUDE, toxicity="refuse")
    await home.ask("How does bread rise?", sampling=Sampling(temperature=0.0))
    await home.background.close()
    (answer,) = home.events.of("answer")
    assert REASON in str(answer.content)
    assert "fool" not in str(answer.content)
    assert home.answers.values == {}


async def test_redacted_answers_are_kept_as_shown() -> None:
    home = house(f"{NICE} {RUDE}", toxicity="redact")
    greedy = Sampling(temperature=0.0)
    first = await home.ask("How does bread rise?", sampling=greedy)
    await home.background.close()
    again = await home.ask("How does bread rise?", sampling=greedy)
    assert again.head.cache == "hit"
    assert again.text == first.text == f"{NICE} [REMOVED]"
    assert all(b"fool" not in value for value in home.answers.values.values())


async def test_what_is_flagged_is_shown_at_once() -> None:
    home = house(f"{RUDE} {NICE}", toxicity="flag")
    answer = await home.ask("How does bread rise?")
    assert answer.text == f"{RUDE} {NICE}"
    assert home.metrics.guards["answer", "flag", "toxicity"] == 1


@pytest.mark.parametrize("action", ["redact", "refuse", "retry"])
async def test_a_dry_run_changes_nothing_and_tells_what_it_would_do(action: str) -> None:
    home = house(f"{RUDE} {NICE}", toxicity=action, dry_run=True)
    answer = await home.ask("How does bread rise?")
    assert answer.text == f"{RUDE} {NICE}"
    assert len(home.engine.seen) == 1
    (event,) = home.events.of("guard")
    assert event.facts.plain()["dry_run"] is True


async def test_an_answer_beside_the_question_is_refused() -> None:
    home = house("Cats sleep for most of the day and hunt at night. " * 3, relevancy="refuse", relevancy_below=0.2)
    answer = await home.ask("How does bread rise?")
    assert answer.text == REASON
    assert home.metrics.guards["answer", "refuse", "relevancy"] == 1
    short = house("Cats sleep.", relevancy="refuse", relevancy_below=0.2)
    assert (await short.ask("How does bread rise?")).text == "Cats sleep."


async def test_a_short_question_is_read_with_what_was_said_before_it() -> None:
    said = (Message("user", "How does bread rise?"), Message("assistant", "Do you want it told at length?"))
    home = house("It takes an hour or two until all of it has risen by half of its size.", relevancy="refuse")
    answer = await home.ask("Yes, please.", messages=(*said, Message("user", "Yes, please.")))
    assert answer.text.startswith("It takes an hour")
    # By itself it asks for nothing, and a question that speaks for itself is not excused by an earlier one.
    assert (await home.ask("Yes, please.")).text == REASON
    asked = Message("user", "Let us talk about something else, namely where my cats sleep at night.")
    assert (await home.ask("", messages=(*said, asked))).text == REASON


async def test_what_was_wrong_is_reported_and_asked_again() -> None:
    home = house([RUDE, NICE], toxicity="retry")
    answer = await home.ask("How does bread rise?")
    assert answer.text == NICE
    assert finishes(answer) == ["stop"]
    first, second = home.engine.seen
    assert "hurtful" not in first.messages[-1].content
    assert "hurtful" in second.messages[-1].content
    (event,) = home.events.of("guard")
    assert event.facts.plain()["action"] == "retry"
    # Both calls are paid for, and what was read to judge them.
    assert answer.usage.completion_tokens > len(words(NICE))
    assert [call.facts.plain()["model"] for call in home.events.of("call")].count("chat") == 2
    assert [call.facts.plain()["model"] for call in home.events.of("call")].count("words") == 2


async def test_after_the_last_attempt_the_answer_is_refused() -> None:
    home = house(RUDE, toxicity="retry", retries=2)
    answer = await home.ask("How does bread rise?")
    assert answer.text == REASON
    assert finishes(answer) == ["content_filter"]
    assert len(home.engine.seen) == 3
    assert home.metrics.guards["answer", "retry", "toxicity"] == 2
    assert home.metrics.guards["answer", "refuse", "toxicity"] == 1


async def test_what_is_found_after_the_bound_is_refused() -> None:
    home = house([f"{NICE} {NICE} {RUDE}", NICE], toxicity="retry", buffered=100)
    answer = await home.ask("How does bread rise?")
    assert finishes(answer) == ["content_filter"]
    assert answer.text.startswith(NICE[:60])
    assert len(home.engine.seen) == 1


async def test_sentences_without_a_source_are_left_out_or_refused() -> None:
    said: list[Event] = [
        Text("Bread rises. [1]", grounds="supported"),
        Citation(1, "d", "a.md", "Bread rises.", 0, 12),
        Text(" Cats bake it. [unsupported]", grounds="unsupported"),
        Usage(5, 5),
        Finish("stop"),
    ]
    for action, shown, finish in (
        ("flag", "Bread rises. [1] Cats bake it. [unsupported]", "stop"),
        ("redact", "Bread rises. [1]", "stop"),
        ("refuse", f"Bread rises. [1]\n\n{REASON}", "content_filter"),
    ):
        home = house("", unsupported=action)
        home.registry.add(Served("docs", "application", Recited(*said)))
        answer = await home.ask("How does bread rise?", model="docs")
        assert (answer.text, answer.choices[0].finish) == (shown, finish)
        assert len(answer.citations) == 1
        assert home.metrics.guards["answer", action, "unsupported"] == 1


async def test_an_answer_of_which_nothing_is_left_is_refused() -> None:
    said = (Text("Cats bake it. [unsupported]", grounds="unsupported"), Usage(5, 5), Finish("stop"))
    home = house("", unsupported="redact")
    home.registry.add(Served("docs", "application", Recited(*said)))
    answer = await home.ask("How does bread rise?", model="docs")
    assert (answer.text, answer.choices[0].finish) == (REASON, "content_filter")


async def test_an_application_is_told_what_was_wrong() -> None:
    class Docs(Recited):
        asked: ClassVar[list[ChatRequest]] = []

        async def respond(self, request, context):  # type: ignore[no-untyped-def]
            self.asked.append(request)
            grounds = "supported" if request.again else "unsupported"
            self.events = (Text("Bread rises.", grounds=grounds), Usage(5, 5), Finish("stop"))  # type: ignore[arg-type]
            return await super().respond(request, context)

    home = house("", unsupported="retry")
    docs = Docs()
    home.registry.add(Served("docs", "application", docs))
    answer = await home.ask("How does bread rise?", model="docs")
    assert answer.text == "Bread rises."
    assert [bool(each.again) for each in docs.asked] == [False, True]
    assert docs.asked[0].messages == docs.asked[1].messages


async def test_choices_are_judged_by_themselves() -> None:
    said: list[Event] = [
        *(Text(piece, 0) for piece in words(NICE)),
        *(Text(piece, 1) for piece in words(RUDE)),
        Usage(5, 50),
        Finish("stop", 0),
        Finish("stop", 1),
    ]
    home = house("", toxicity="refuse")
    home.registry.add(Served("two", "chat", Recited(*said)))
    answer = await home.ask("How does bread rise?", model="two")
    assert [choice.text for choice in answer.choices] == [NICE, REASON]
    assert finishes(answer) == ["stop", "content_filter"]


async def test_raw_completions_are_judged_too() -> None:
    home = house(RUDE, toxicity="refuse", relevancy="refuse")
    answer = await collect(await home.ring.respond(CompletionRequest("chat", "Bread"), visitor()))
    assert answer.text == REASON


async def test_reading_is_charged_once_an_answer_and_told_in_a_span() -> None:
    home = house(f"{NICE} {RUDE}", toxicity="flag")
    await home.ask("How does bread rise?")
    calls = [call for call in home.events.of("call") if call.facts.plain()["model"] == "words"]
    assert len(calls) == 1
    assert calls[0].facts.plain()["prompt_tokens"] > 20
    (span,) = [span for span in home.tracing.spans if span.name == "judge"]
    assert span.attributes["mainspring.toxicity"] == 1
    assert span.attributes["mainspring.windows"] >= 4


async def test_windows_that_repeat_are_read_once() -> None:
    home = house("Bread rises in an hour. " * 40, toxicity="refuse")
    await home.ask("How does bread rise?")
    read = [text for batch in home.reader.batches for text in batch]  # type: ignore[attr-defined]
    assert len(read) == len(set(read)) < 6


async def test_an_even_stream_stays_even() -> None:
    """What waits for the judge leaves a piece for each that comes, not a sentence at a time."""
    home = house("", toxicity="refuse", held=20)
    bursts: list[int] = []
    text = " ".join([NICE] * 4)
    pieces = words(text)

    class Said(Recited):
        async def _say(self):  # type: ignore[no-untyped-def]
            for piece in pieces:
                bursts.append(0)
                for _ in range(12):  # the judge has time, as it has while a model thinks
                    await asyncio.sleep(0)
                yield Text(piece, tokens=1)
            yield Usage(5, len(pieces))
            yield Finish("stop")

    home.registry.add(Served("said", "chat", Said()))
    response = await home.open("How does bread rise?", model="said")
    seen = 0
    async for event in response:
        if isinstance(event, Text):
            seen += 1
            bursts[-1] += 1
    middle = bursts[30 : len(pieces) - 1]
    assert max(middle) <= 3
    assert sum(each == 1 for each in middle) > 0.7 * len(middle)
    assert seen >= len(pieces)
