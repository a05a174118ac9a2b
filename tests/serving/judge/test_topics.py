from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytest

from mainspring.core.errors import GuardRefused
from mainspring.core.settings.guards.limits import LanguageLimits, LengthLimits, Topic, TopicLimits
from mainspring.core.types import Message
from mainspring.engines.base import Embedded
from mainspring.guards.policy.policies import GuardPolicy
from mainspring.serving.judge.topics import Topics
from mainspring.serving.money.charged_models import ChargedModels
from tests.serving.house import Build, MemoryTracing, visitor

WORDS = ("bread", "war", "price", "oven")
SHOP = TopicLimits(
    action="refuse",
    allowed={"bakery": Topic(examples=("bread price", "oven bread"))},
    forbidden={"war": Topic(description="war")},
    reason="I sell bread.",
)


class Counted:
    """Vectors of how often each of ``WORDS`` occurs; ``read`` is all that was embedded."""

    name, dimensions, max_tokens = "counted", len(WORDS) + 1, 512

    def __init__(self) -> None:
        self.read: list[str] = []

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        self.read += texts
        rows = np.array([[*(text.count(word) for word in WORDS), 0.1] for text in texts], np.float32)
        return Embedded(rows / np.linalg.norm(rows, axis=1, keepdims=True), sum(self.count_tokens(texts)))

    async def close(self) -> None:
        pass


def judging() -> tuple[Topics, Counted]:
    embedder = Counted()
    return Topics(embedder, ChargedModels(lambda inner, *_: inner), MemoryTracing()), embedder


async def test_examples_are_embedded_once() -> None:
    topics, embedder = judging()
    assert await topics(["what does bread cost at the price"], SHOP, visitor()) == []
    [found] = await topics(["who started the war"], SHOP, visitor())
    assert (found.guard, found.kind) == ("topic", "war")
    assert embedder.read.count("bread price") == 1
    assert await topics(["  "], SHOP, visitor()) == []


async def test_a_question_goes_on_with_the_one_before() -> None:
    topics, _ = judging()
    assert await topics(["and what about the red one"], SHOP, visitor())
    assert not await topics(["the bread price please", "and what about the red one"], SHOP, visitor())


async def test_what_is_beyond_a_limit_is_refused_or_flagged(house: Build) -> None:
    home = house(None, GuardPolicy(length=LengthLimits(action="refuse", characters=20, reason="Shorter, please.")))
    with pytest.raises(GuardRefused, match=r"^Shorter, please\.$") as caught:
        await home.ask("x" * 21)
    assert caught.value.param == "messages"
    assert [record.facts.plain()["kind"] for record in home.events.appended] == ["characters"]
    home = house(None, GuardPolicy(languages=LanguageLimits(action="flag", allowed=("en",))))
    assert (await home.ask("Wie viel kostet das Brot und wo ist der Laden?")).text == "All is well."
    assert [record.facts.plain()["kind"] for record in home.events.of("guard")] == ["de"]


async def test_tokens_and_messages_count(house: Build) -> None:
    home = house(None, GuardPolicy(length=LengthLimits(action="refuse", tokens=50, messages=3)))
    await home.ask("well " * 20)
    with pytest.raises(GuardRefused):
        await home.ask("well " * 60)
    system, said, answered = Message("system", "Be brief."), Message("user", "Hi"), Message("assistant", "Hello")
    await home.ask("", messages=(system, said, answered, said))
    with pytest.raises(GuardRefused):
        await home.ask("", messages=(system, said, answered, said, answered, said))


async def test_topics_are_judged_in_the_ring(house: Build) -> None:
    topics, _ = judging()
    home = house(None, GuardPolicy(topics=SHOP), about=topics)
    assert (await home.ask("What is the price of bread today?")).text == "All is well."
    with pytest.raises(GuardRefused, match="I sell bread"):
        await home.ask("Who started the war then?")
    [record] = home.events.appended
    assert (record.facts.plain()["guard"], record.facts.plain()["kind"]) == ("topic", "war")
    assert record.facts.plain()["score"] > 0.42
