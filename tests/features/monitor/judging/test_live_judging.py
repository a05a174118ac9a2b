"""Which answers are judged, when, and how verdicts are stored: over real stores, with scripted judges."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mainspring import stores
from mainspring.core.errors import NoRegion
from mainspring.core.facts.opinions import FeedbackFacts, ScoreFacts
from mainspring.core.facts.registry import read
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord, Responder
from mainspring.engines.base import Generation
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import ScriptedEngine, words
from mainspring.evaluation.strata import chosen
from mainspring.features.monitor.judging.judges import JUDGING, ByEmbeddings, ByModel, context_of
from mainspring.features.monitor.judging.live_judging import Judging, Outcome
from mainspring.features.monitor.settings import JudgingSettings
from mainspring.rag.triad.live import GivenAnswer, Verdict
from mainspring.serving.money.charged_models import ChargedModels
from mainspring.serving.money.pricing import NANO, Price
from mainspring.serving.ring.compose import call_ring
from mainspring.stores import Stores
from mainspring.stores.erase import erasing
from mainspring.stores.events.feed import Feed
from mainspring.stores.events.verdicts import Verdicts
from mainspring.stores.money.ledger import LedgerQuery
from mainspring.stores.sql import ids
from tests.features.evaluate.conftest import WordEmbedder
from tests.serving.house import House
from tests.serving.money.test_reservation import Counting

PASSAGE = "The return window is 30 days. A grinder is repaired for free within two years."


class Said:
    """A judge that says the same of each, and remembers what it was given."""

    name = "said@1"

    def __init__(self) -> None:
        self.given: list[GivenAnswer] = []
        self.before: Callable[[EventRecord], Any] | None = None
        self.verdict: Verdict | None = Verdict({"faithfulness": 0.5, "answer_relevancy": 0.75}, 2, 1)

    async def judge(self, answer: EventRecord, given: GivenAnswer) -> Verdict | None:
        self.given.append(given)
        if self.before is not None:
            await self.before(answer)
        return self.verdict


class Read:
    """Passages that are there, or are not."""

    def __init__(self) -> None:
        self.texts: list[str] | None = [PASSAGE]

    async def read(self, tenant: str, retrievals: Sequence[RetrievalFacts], most: int) -> list[str] | None:
        return self.texts


class World:
    """Stores and what judges; ``counts`` is what became of answers."""

    def __init__(self, opened: Stores, bench: Any = None, **settings: Any) -> None:
        self.stores = opened
        self.bench = bench or Said()
        self.passages = Read()
        self.counts: Counter[Outcome] = Counter()
        self.free = True
        self.judging = Judging(
            JudgingSettings(**{"share": 1.0, **settings}),
            opened.events,
            Verdicts(opened.database, opened.events),
            self.passages,  # type: ignore[arg-type]
            self.bench,
            idle=lambda: self.free,
            count=lambda outcome: self.counts.update([outcome]),
        )
        self._position = 0

    async def answer(self, *said: str, tenant: str = "acme", found: bool = True, **facts: Any) -> EventRecord:
        """An answer as it is settled, offered as it is read."""
        name, trace = ids.new("ans_"), ids.new("t")
        told: dict[str, Any] = {
            "status": "completed",
            "operation": "chat",
            "requested": "support",
            "cache": "",
            "finish": ["stop"],
        }
        kept, consent = facts.pop("kept", True), facts.pop("consent", False)
        messages = [{"role": "user", "content": text} for text in said or ("How long is the return window?",)]
        content = {"messages": messages, "choices": [{"text": "It is 30 days."}]}
        record = EventRecord(name, time.time(), tenant, trace, name, read("answer", {**told, **facts}))
        record = dataclasses.replace(record, content=json.dumps(content) if kept else None, consent=consent)
        hits = [{"chunk_id": "d.1.0", "document_id": "d"}]
        refused = {"refused": facts.get("refused", False), "hits": hits, "collections": ["vs_1"]}
        await self.stores.events.append(
            record,
            *([EventRecord(ids.new("evt_"), time.time(), tenant, trace, name, read("retrieval", refused))] * found),
        )
        await self.read()
        return record

    async def rate(self, answer: EventRecord, rating: str) -> None:
        facts = FeedbackFacts(key_id="k", rating=rating, comment=None, edited=False)
        await self.stores.events.append(
            EventRecord(ids.new("evt_"), time.time(), answer.tenant, answer.trace_id, answer.id, facts)
        )
        await self.read()

    async def read(self) -> None:
        """Offer what was settled since."""
        facts = await Feed(self.stores.database).after(self._position, ("answer", "replay", "feedback"), 1000)
        for fact in facts:
            # The watcher knows the application of whatever is about an answer.
            self.judging.offer((fact.tenant, str(fact.facts.plain().get("requested", "support"))), fact)
            self._position = fact.settled

    async def judged(self, answer: EventRecord) -> list[EventRecord]:
        return await self.stores.events.find(answer.tenant, kind="score", subject=answer.id)


@asynccontextmanager
async def opened(home: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=home)) as made:
        yield made


async def test_a_verdict_stands_under_the_trace_of_its_answer_and_has_no_texts(tmp_path: Path) -> None:
    async with opened(tmp_path) as made:
        here = World(made)
        heard: list[EventRecord] = []
        made.events.heard.append(heard.extend)
        answer = await here.answer("How long is the return window?", consent=True)
        heard.clear()
        await here.judging.drain()
        (verdict,) = await made.events.find("acme", kind="score", trace_id=answer.trace_id)
        assert heard == [verdict], "metrics count it"
        assert verdict.subject == answer.id
        assert verdict.facts.plain() == {
            "metric": "verdict",
            "application": "support",
            "judge": "said@1",
            "scores": {"faithfulness": 0.5, "answer_relevancy": 0.75},
            "claims": 2,
            "supported": 1,
            "stratum": "rest",
            "probability": 1.0,
            "drawn": True,
        }
        assert verdict.content is None
        assert verdict.consent
        assert here.bench.given == [GivenAnswer("How long is the return window?", "It is 30 days.", [PASSAGE])]
        assert here.counts == {"judged": 1}


async def test_a_follow_up_is_judged_with_the_question_that_it_leans_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as made:
        here = World(made)
        await here.answer("How long is the return window?", "And for grinders?")
        await here.judging.drain()
        assert here.bench.given[0].question.split("\n") == ["How long is the return window?", "And for grinders?"]


def test_a_share_is_the_same_for_whoever_looks() -> None:
    names = [f"ans_{number}" for number in range(4000)]
    part = [each for each in names if chosen(each, 0.1)]
    assert 300 < len(part) < 500
    assert part == [each for each in names if chosen(each, 0.1)]
    assert set(part) <= {each for each in names if chosen(each, 0.3)}
    assert not any(chosen(each, 0.0) for each in names)
    assert all(chosen(each, 1.0) for each in names)


async def test_applications_have_shares_of_their_own(tmp_path: Path) -> None:
    async with opened(tmp_path) as made:
        here = World(made, share=0.0, applications={"support": 1.0})
        yes, no = await here.answer(), await here.answer(requested="other")
        await here.judging.drain()
        assert [len(await here.judged(each)) for each in (yes, no)] == [1, 0]


LEFT_OUT: dict[str, dict[str, Any]] = {
    "not stored": {"kept": False},
    "from the cache": {"cache": "hit"},
    "of another question's": {"cache": "semantic"},
    "failed": {"status": "failed"},
    "given up": {"status": "cancelled"},
    "a replay": {"replay_of": "ans_1"},
    "no chat": {"operation": "text_completion"},
    "a call of tools": {"finish": ["tool_calls"]},
    "stopped by a guard": {"finish": ["content_filter"]},
}


@pytest.mark.parametrize("why", LEFT_OUT)
async def test_what_is_not_judged_at_all(tmp_path: Path, why: str) -> None:
    async with opened(tmp_path) as made:
        here = World(made)
        answer = await here.answer(**LEFT_OUT[why])
        await here.judging.drain()
        assert await here.judged(answer) == []
        assert here.bench.given == []
        assert not here.counts


async def test_what_was_refused_is_gone_or_was_not_consented_to_is_not_judged(tmp_path: Path) -> None:
    async with opened(tmp_path) as made:
        here = World(made, consented=True)
        await here.answer(consent=True, refused=True)
        await here.answer()
        here.passages.texts = [PASSAGE]
        await here.answer(consent=True)
        await here.judging.drain()
        here.passages.texts = None
        await here.answer(consent=True)
        await here.judging.drain()
        assert here.counts == {"nothing": 1, "withheld": 1, "judged": 1, "gone": 1}
        assert len(here.bench.given) == 2


async def test_refusals_and_thumbs_down_are_judged_in_full_and_the_probability_is_kept(tmp_path: Path) -> None:
    async with opened(tmp_path) as made:
        bench = Said()
        bench.verdict = Verdict({"faithfulness": 0.5, "context_relevance": 0.25})
        here = World(made, bench, share=0.3)
        plain = [await here.answer() for _ in range(12)]
        drawn = [each for each in plain if chosen(each.id, 0.3)]
        left = next(each for each in plain if not chosen(each.id, 0.3))
        refused = await here.answer(answered=False)
        await here.judging.drain()
        assert 0 < len(drawn) < 12
        for each in (left, drawn[0], refused):
            await here.rate(each, "down")
        await here.judging.drain()
        found = {
            each.id: [ScoreFacts.of(score.facts) for score in await here.judged(each)] for each in (*plain, refused)
        }
        assert [each.id for each in plain if found[each.id]] == [
            each.id for each in plain if each in drawn or each is left
        ]
        (one,) = found[left.id]
        assert (one.stratum, one.probability, one.drawn) == ("down", 1.0, False)
        (one,) = found[refused.id]
        assert (one.stratum, one.probability, one.scores) == ("refusal", 1.0, {"context_relevance": 0.25})
        first, second = sorted(found[drawn[0].id], key=lambda each: each.before or 0)
        assert (first.stratum, first.probability, first.drawn) == ("rest", 0.3, True)
        assert (second.stratum, second.probability, second.before) == ("down", 1.0, 0.3)
        # A second thumb changes nothing more, and nothing is judged where the share is 0.
        await here.rate(drawn[0], "down")
        off = World(made, Said(), share=0.3, applications={"support": 0.0})
        off._position = here._position
        await off.rate(await off.answer(), "down")
        await asyncio.gather(here.judging.drain(), off.judging.drain())
        assert len(await here.judged(drawn[0])) == 2
        assert off.bench.given == []


async def test_nothing_is_judged_while_somebody_waits(tmp_path: Path) -> None:
    async with opened(tmp_path) as made:
        here = World(made)
        here.free = False
        await here.answer()
        running = asyncio.create_task(here.judging.run())
        try:
            await asyncio.sleep(0.5)
            assert here.bench.given == []
            here.free = True
            async with asyncio.timeout(20):
                while not here.counts:
                    await asyncio.sleep(0.05)
            assert here.counts == {"judged": 1}
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_what_does_not_fit_is_dropped_and_counted(tmp_path: Path) -> None:
    async with opened(tmp_path) as made:
        here = World(made, queue=3)
        for _ in range(5):
            await here.answer()
        assert here.counts == {"dropped": 2}
        await here.judging.drain()
        assert here.counts == {"dropped": 2, "judged": 3}


async def test_a_judge_that_fails_keeps_no_other_answer_from_being_judged(tmp_path: Path) -> None:
    async with opened(tmp_path) as made:
        here = World(made)
        bad = await here.answer()

        async def fail(answer: EventRecord) -> None:
            if answer.id == bad.id:
                raise ValueError("no such thing")

        here.bench.before = fail
        good = await here.answer()
        await here.judging.drain()
        assert here.counts == {"failed": 1, "judged": 1}
        assert await here.judged(good)


async def test_an_answer_is_judged_once_whoever_watches(tmp_path: Path) -> None:
    async with opened(tmp_path) as made:
        one, two = World(made), World(made)
        answer = await one.answer()
        await two.read()
        await one.judging.drain()
        await two.judging.drain()
        assert len(await one.judged(answer)) == 1
        assert two.bench.given == []
        # Both at the same time: whoever writes second writes nothing.
        again = await one.answer()
        await two.read()
        assert not await two.stores.events.find("acme", kind="score", subject=again.id)
        await asyncio.gather(one.judging.drain(), two.judging.drain())
        assert len(await one.judged(again)) == 1


async def test_a_verdict_goes_with_the_text_of_its_answer(tmp_path: Path) -> None:
    async with opened(tmp_path) as made:
        here = World(made)
        one, two, other = await here.answer(), await here.answer(), await here.answer(tenant="other")
        await here.judging.drain()
        await made.events.erase("acme", one.id)
        await made.database.write(lambda connection: erasing.answers(connection, "acme", [two.id]))
        assert [len(await here.judged(each)) for each in (one, two, other)] == [0, 0, 1]
        late = await here.answer()
        await made.events.erase("acme", late.id)
        await here.judging.drain()
        # Erased while it was judged.
        here.bench.before = lambda answer: made.events.erase("acme", answer.id)
        last = await here.answer()
        await here.judging.drain()
        assert here.counts == {"judged": 3, "gone": 2}
        assert [len(await here.judged(each)) for each in (late, last)] == [0, 0]


async def test_embeddings_judge_and_what_they_read_is_charged_to_judging(tmp_path: Path) -> None:
    async with opened(tmp_path) as made:
        embedder = WordEmbedder()
        bench = ByEmbeddings(
            embedder, ChargedModels(priced), made.events, idle=lambda: True, permits=lambda context: not context.regions
        )
        here = World(made, bench)
        answer = await here.answer("How long is the return window for a grinder?")
        alone = await here.answer(found=False)
        far = await here.answer(regions=[["eu"], []])
        await here.judging.drain()
        (verdict,) = await here.judged(answer)
        assert verdict.facts.plain()["scores"].keys() == {"context_relevance", "faithfulness", "answer_relevancy"}
        assert verdict.facts.plain()["judge"] == bench.name
        assert bench.name.startswith("words@")
        ((only, _),) = (await here.judged(alone))[0].facts.plain()["scores"].items()
        assert only == "answer_relevancy_alone"
        assert here.counts == {"judged": 2, "elsewhere": 1}
        assert await here.judged(far) == []
        calls = await made.events.find("acme", kind="call", subject=answer.id)
        assert [(each.facts.plain()["application"], each.facts.plain()["key_id"]) for each in calls] == [
            (JUDGING, JUDGING)
        ]
        assert calls[0].trace_id == answer.trace_id
        assert calls[0].facts.plain()["prompt_tokens"] > 10


async def test_a_models_judging_is_charged_to_judging_without_texts(tmp_path: Path) -> None:
    async with opened(tmp_path) as made:
        engine = ScriptedEngine(graded, templates=True)
        ring = priced(ModelResponder(engine, model_name="judge", fingerprint=None), "judge", "scripted")
        here = World(made, ByModel(ring, "judge", WordEmbedder(), made.events, None))
        answer = await here.answer()
        await here.judging.drain()
        (verdict,) = await here.judged(answer)
        assert verdict.facts.plain()["scores"] == {
            "context_relevance": 0.75,
            "faithfulness": 1.0,
            "answer_relevancy": 0.75,
        }
        assert verdict.facts.plain()["judge"].startswith("judge@")
        calls = await made.events.find("acme", kind="call", subject=answer.id)
        assert len(calls) == len(engine.seen) == 3
        assert all(each.content is None for each in calls)
        (line,) = await made.ledger.sums(["application", "key"], LedgerQuery("acme"))
        assert line.of == {"application": JUDGING, "key": JUDGING}
        assert line.cost_nanousd == sum(each.facts.plain()["cost_nanousd"] for each in calls) > 0


async def test_judging_stays_within_the_budgets_and_is_counted_by_them(tmp_path: Path) -> None:
    async with opened(tmp_path) as made:
        shop = Counting(made, tmp_path, graded)
        bench = ByModel(shop.chat, "chat", WordEmbedder(), made.events, shop.services.purse)
        here = World(made, bench)
        small = await made.budgets.create("acme", "tenant", window="month", limit_nanousd=1000)
        answer = await here.answer()
        await here.judging.drain()
        assert here.counts == {"unpaid": 1}
        assert shop.engine.seen == []
        await made.budgets.delete("acme", small.id)
        large = await made.budgets.create("acme", "tenant", window="month", limit_nanousd=NANO)
        answer = await here.answer()
        await here.judging.drain()
        assert here.counts == {"unpaid": 1, "judged": 1}
        spent = await made.budgets.spending(large)
        calls = await made.events.find("acme", kind="call", subject=answer.id)
        assert spent.spent_nanousd == sum(each.facts.plain()["cost_nanousd"] for each in calls) > 0
        assert spent.reserved_nanousd == spent.reserved_tokens == 0
        await shop.services.background.close()


def test_what_an_answer_asked_for_is_asked_of_its_judge() -> None:
    facts = {"regions": [["eu"], ["de", "fr"]]}
    context = context_of(EventRecord("ans_1", 0.0, "acme", "t", "ans_1", read("answer", facts)))
    assert context.regions == {"eu"}
    assert context.principal.reach.regions == {"de", "fr"}
    assert context.principal.tenant == "acme"
    assert context.priority < 0
    assert not context_of(EventRecord("ans_1", 0.0, "acme", "t", "ans_1", read("answer", {}))).regions


async def test_where_the_judge_may_not_work_nothing_is_judged(tmp_path: Path) -> None:
    async with opened(tmp_path) as made:
        here = World(made)

        async def refuse(answer: EventRecord) -> None:
            raise NoRegion("the judge is elsewhere")

        here.bench.before = refuse
        await here.answer()
        here.bench.verdict = None
        await here.judging.drain()
        here.bench.before = None
        await here.answer()
        await here.judging.drain()
        assert here.counts == {"elsewhere": 1, "unpaid": 1}


def priced(inner: Responder, name: str, provider: str) -> Responder:
    """A call ring whose model costs something."""
    services = House(graded).services
    return call_ring(services, inner, model=name, provider=provider, price=Price.per_million(2.0, 6.0))


def graded(generation: Generation) -> Sequence[str]:
    """A judge's reply to whatever it is asked."""
    text = generation.messages[-1].content
    reply = {"verdict": "supported"} if "<<claim-" in text else {"grade": "mostly"}
    return words(json.dumps({"reason": "", **reply}))
