"""The semantic cache in the request ring: whom it answers, what it reports, and which failures it survives."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from mainspring.core.errors import EngineError, NotFound, StoreError
from mainspring.core.path import Answer
from mainspring.core.types import Context, Message, Sampling, Tool
from mainspring.engines.base import Embedded, Reranked
from mainspring.engines.encode.late_interaction import Tokens
from mainspring.serving.admit.rate_limits import Limits
from mainspring.serving.cache.administration import Caches
from mainspring.serving.cache.semantic.layer import Meaning
from mainspring.serving.money.charged_models import ChargedModels
from mainspring.serving.ring.compose import call_ring, request_ring
from mainspring.stores.cache.similar_questions import SimilarQuestions
from tests.serving.house import GREEDY, Build, House, visitor

ASKED = "How do I return a grinder?"
AGAIN = "How can I return the grinder?"


class Embedder:
    """Alike are texts with the same words; how alike, ``cosine`` says."""

    name = "bag"
    dimensions = 64
    max_tokens = 512

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.error: Exception | None = None

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        if self.error:
            raise self.error
        self.asked += texts
        rows = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in ("return", "grinder", "really"):
                row[sum(map(ord, word)) % self.dimensions] += word in text.lower()
            row[0] += 0.01
            row /= np.linalg.norm(row)
        return Embedded(rows, sum(self.count_tokens(texts)))

    async def close(self) -> None: ...


class Words:
    """Finds every word alike, or (``apart``) none."""

    name = "late:bag"
    fingerprint = "late:bag"

    def __init__(self) -> None:
        self.apart = False

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        return Reranked(np.ones(len(passages), np.float32), 10)

    async def tokens(self, texts: Sequence[str]) -> list[Tokens]:
        return [
            Tokens(np.eye(2, dtype=np.float16)[[number * self.apart]], [(0, len(text))], [True])
            for number, text in enumerate(texts)
        ]


class Home:
    """A house with a semantic cache."""

    def __init__(self, house: House, folder: Path, **changes: Any) -> None:
        self.house = house
        self.embedder, self.words = Embedder(), Words()
        self.index = SimilarQuestions(folder / "similar.db", 100)
        charged = ChargedModels(
            lambda responder, name, provider: call_ring(house.services, responder, model=name, provider=provider)
        )
        self.meaning = Meaning(
            embedder=self.embedder,
            words=self.words,  # type: ignore[arg-type]
            charged=charged,
            index=self.index,
            answers=house.answers,
            background=house.background,
            metrics=house.metrics,
            **{"threshold": 0.9, "ttl_s": 60.0, **changes},
        )
        services = dataclasses.replace(house.services, meaning=self.meaning)
        house.ring = request_ring(services, house.registry, Limits.of(services.settings.serving))

    async def ask(self, text: str, context: Context | None = None, **fields: Any) -> Answer:
        answer = await self.house.ask(text, context, **{"sampling": GREEDY, **fields})
        await asyncio.sleep(0)
        await self.house.background.close()
        return answer

    @property
    def calls(self) -> int:
        return len(self.house.engine.seen)


@pytest.fixture
async def home(house: Build, tmp_path: Path) -> AsyncIterator[Home]:
    made = Home(house(), tmp_path)
    yield made
    await made.index.close()


async def test_a_question_in_other_words_gets_the_answer_and_says_so(home: Home) -> None:
    first = await home.ask(ASKED)
    second = await home.ask(AGAIN)
    assert (first.head.cache, second.head.cache) == ("miss", "semantic")
    assert second.text == first.text
    assert home.calls == 1
    headers = second.head.headers
    assert headers["x-mainspring-cache"] == "semantic"
    assert float(headers["x-mainspring-cache-similarity"]) >= 0.9
    assert headers["x-mainspring-cache-id"].startswith("sem_")
    assert second.usage.cost_nanousd == 0
    assert second.usage.cached_tokens == second.usage.prompt_tokens
    assert [record.facts.plain()["cache"] for record in home.house.events.of("answer")] == ["miss", "semantic"]
    assert (home.house.metrics.caches["semantic miss"], home.house.metrics.caches["semantic hit"]) == (1, 1)


async def test_each_miss_is_embedded_once_and_charged_to_who_asked(home: Home) -> None:
    await home.ask(ASKED)
    await home.ask(ASKED)
    assert home.embedder.asked == [ASKED]
    calls = [record.facts.plain()["model"] for record in home.house.events.of("call")]
    assert sorted(calls) == ["bag", "chat"]


async def test_what_was_found_by_meaning_stays_found_by_meaning(home: Home) -> None:
    await home.ask(ASKED)
    for _ in range(2):
        assert (await home.ask(AGAIN)).head.cache == "semantic"
    assert len(home.house.answers.values) == 1


async def test_many_at_once_get_one_answer_and_each_is_reported(home: Home) -> None:
    await home.ask(ASKED)
    answers = await asyncio.gather(*(home.house.ask(AGAIN, sampling=GREEDY) for _ in range(10)))
    assert {answer.head.cache for answer in answers} == {"semantic"}
    assert home.calls == 1


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (AGAIN, {"options": {"cache": False}}),
        (AGAIN, {"store": False}),
        (AGAIN, {"session_id": "s"}),
        (AGAIN, {"sampling": Sampling(temperature=0.7), "options": {"cache": True}}),
        (AGAIN, {"sampling": Sampling(), "options": {"cache": True}}),
        (AGAIN, {"sampling": Sampling(temperature=0, max_tokens=50)}),
        (AGAIN, {"tools": (Tool("look"),)}),
        (AGAIN, {"messages": (Message("system", "Be brief."), Message("user", AGAIN))}),
        (AGAIN, {"messages": (Message("user", "Hi"), Message("assistant", "Hello"), Message("user", AGAIN))}),
        ("Wie kann ich die Schleifmaschine (grinder return) und den Rest bringen?", {}),
        ("How can I return 2 grinders?", {}),
        ("How can I not return the grinder?", {}),
        ("How can I return the grinder?\nSay it in French.", {}),
        ("How can I return `grinder`?", {}),
        ("How can I return the grinder? " + "It is very heavy. " * 30, {}),
    ],
)
async def test_what_is_never_answered_by_meaning(home: Home, text: str, fields: dict[str, Any]) -> None:
    await home.ask(ASKED)
    answer = await home.ask(text, **fields)
    assert answer.head.cache != "semantic"
    assert home.calls == 2


async def test_tools_and_conversations_are_not_remembered_either(home: Home) -> None:
    await home.ask(ASKED, tools=(Tool("look"),))
    await home.ask(ASKED, messages=(Message("user", "Hi"), Message("assistant", "Hello"), Message("user", ASKED)))
    assert home.embedder.asked == []


@pytest.mark.parametrize(
    "context", [visitor("other"), visitor("acme", ["a"]), visitor("acme", ["a", "b"])], ids=["tenant", "group", "more"]
)
async def test_tenants_and_groups_never_meet(home: Home, context: Context) -> None:
    await home.ask(ASKED)
    assert (await home.ask(AGAIN, context)).head.cache == "miss"
    assert (await home.ask(ASKED + " ", context)).head.cache == "semantic"


@pytest.mark.parametrize(("threshold", "outcome"), [(0.8, "semantic"), (0.9, "miss")])
async def test_below_the_threshold_nothing_is_given(
    house: Build, tmp_path: Path, threshold: float, outcome: str
) -> None:
    home = Home(house(), tmp_path, threshold=threshold)
    await home.ask(ASKED)
    # The rules find nothing against it; the cosine is .82.
    assert (await home.ask("How can I really return the grinder?")).head.cache == outcome
    await home.index.close()


async def test_one_word_for_another_needs_the_models_word(home: Home) -> None:
    await home.ask("How do I return a broken grinder?")
    home.words.apart = True
    assert (await home.ask("How do I return a damaged grinder?")).head.cache == "miss"
    home.words.apart = False
    assert (await home.ask("How do I return a faulty grinder?")).head.cache == "semantic"
    # What it read for that is in the ledger too.
    assert "late:bag" in {record.facts.plain()["model"] for record in home.house.events.of("call")}


async def test_an_answer_that_is_gone_is_generated(home: Home) -> None:
    await home.ask(ASKED)
    home.house.answers.values.clear()
    assert (await home.ask(AGAIN)).head.cache == "miss"
    assert home.calls == 2


async def test_an_answer_that_did_not_stop_is_not_given_again(home: Home) -> None:
    short = Sampling(temperature=0, max_tokens=2)
    await home.ask(ASKED, sampling=short)
    assert (await home.ask(AGAIN, sampling=short)).head.cache == "miss"


@pytest.mark.parametrize("broken", ["embedder", "index", "answers"])
async def test_what_breaks_costs_only_the_hits(home: Home, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await home.ask(ASKED)
    if broken == "embedder":
        home.embedder.error = EngineError("the embedder is gone")
    elif broken == "answers":
        home.house.answers.error = StoreError("the cache is away")
    else:

        async def fail(*_: Any) -> None:
            raise StoreError("the index is away")

        monkeypatch.setattr(home.index, "nearest", fail)
        monkeypatch.setattr(home.index, "add", fail)
    answer = await home.ask(AGAIN)
    assert (answer.head.cache, answer.text) == ("miss", "All is well.")


async def test_a_wrong_hit_is_evicted_counted_and_raises_the_threshold(home: Home) -> None:
    await home.ask(ASKED)
    entry = (await home.ask(AGAIN)).head.headers["x-mainspring-cache-id"]
    caches = Caches(home.house.answers, home.index, home.meaning)  # type: ignore[arg-type]
    before = await home.meaning.raised("acme")
    with pytest.raises(NotFound):
        await caches.report_wrong(visitor("other").principal, entry)
    await caches.report_wrong(visitor().principal, entry)
    with pytest.raises(NotFound):
        await caches.report_wrong(visitor().principal, entry)
    assert home.house.metrics.caches["semantic wrong"] == 1
    assert before == pytest.approx(0.9)
    assert await home.meaning.raised("acme") == pytest.approx(0.92)
    assert await home.meaning.raised("other") == pytest.approx(0.9)
    assert (await home.ask("How should one return the grinder?")).head.cache == "miss"
    # The question itself still has its own answer.
    assert (await home.ask(ASKED)).head.cache == "hit"


async def test_switched_off_no_layer_is_there(house: Build) -> None:
    home = house()
    await home.ask(ASKED, sampling=GREEDY)
    assert "SemanticCache" not in {span.name for span in home.tracing.spans}
    with pytest.raises(NotFound, match="off"):
        await Caches(home.answers, None, None).report_wrong(visitor().principal, "sem_x")  # type: ignore[arg-type]
