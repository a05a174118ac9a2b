from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.errors import DeadlineExceeded, EngineError, InvalidRequest, StoreError
from mainspring.core.path import collect
from mainspring.core.types import (
    ChatRequest,
    Citation,
    Context,
    Event,
    Finish,
    Grammar,
    Head,
    Message,
    Sampling,
    Text,
    TokenLogprob,
    Tool,
    Usage,
)
from mainspring.serving.cache import stored_answers
from mainspring.serving.cache.exact import cache_key
from tests.serving.house import GREEDY, Build, visitor


async def settle_down(rounds: int = 60) -> None:
    for _ in range(rounds):
        await asyncio.sleep(0)


async def test_the_second_answer_is_stored_and_costs_nothing(house: Build) -> None:
    home = house()
    first = await home.ask("Hello", sampling=GREEDY)
    await home.background.close()
    second = await home.ask("Hello", sampling=GREEDY)
    assert (first.head.cache, second.head.cache) == ("miss", "hit")
    assert first.text == second.text
    assert first.usage.cost_nanousd > 0
    assert second.usage == Usage(first.usage.prompt_tokens, 4, first.usage.prompt_tokens, 0, first.usage.cost_nanousd)
    assert len(home.engine.seen) == 1
    assert len(home.events.of("call")) == 1
    assert len(home.events.of("answer")) == 2
    assert first.head.answer_id != second.head.answer_id
    [tags] = home.answers.tags.values()
    assert "tenant:acme" in tags


@pytest.mark.parametrize(
    ("fields", "engine_calls"),
    [
        ({"sampling": GREEDY}, 1),
        ({"sampling": Sampling(temperature=0.7)}, 2),
        ({"sampling": Sampling()}, 2),
        ({"sampling": Sampling(temperature=0.7), "options": {"cache": True}}, 1),
        ({"sampling": GREEDY, "options": {"cache": False}}, 2),
        ({"sampling": Sampling(temperature=0, n=2)}, 2),
        ({"sampling": GREEDY, "session_id": "s"}, 2),
        ({"sampling": GREEDY, "store": False}, 2),
        ({"sampling": Sampling(temperature=0, max_tokens=2)}, 2),
    ],
)
async def test_what_is_cached(house: Build, fields: dict[str, Any], engine_calls: int) -> None:
    home = house()
    for _ in range(2):
        await home.ask("Hello", **fields)
        await home.background.close()
    assert len(home.engine.seen) == engine_calls


async def test_switched_off_it_caches_nothing(house: Build) -> None:
    home = house(cache_responses=False)
    for _ in range(2):
        await home.ask("Hello", sampling=GREEDY)
    assert len(home.engine.seen) == 2


async def test_fifty_at_once_cost_one_call(house: Build) -> None:
    go = asyncio.Event()
    home = house(lambda _: ["One", go, " two"])
    asks = [asyncio.create_task(home.ask("Count", sampling=GREEDY)) for _ in range(50)]
    await settle_down()
    go.set()
    answers = await asyncio.gather(*asks)
    assert {answer.text for answer in answers} == {"One two"}
    assert len(home.engine.seen) == 1
    assert sum(answer.usage.cost_nanousd > 0 for answer in answers) == 1
    assert sorted(answer.head.cache for answer in answers) == ["hit"] * 49 + ["miss"]
    assert len(home.events.of("call")) == 1
    assert len({answer.head.answer_id for answer in answers}) == 50


async def test_a_late_listener_hears_the_beginning_while_it_runs(house: Build) -> None:
    go = asyncio.Event()
    home = house(lambda _: ["One", " two", go, " three"])
    early = await home.open("Count", sampling=GREEDY)
    assert await anext(early)
    late = await home.open("Count", sampling=GREEDY)
    assert isinstance(await anext(late), Text)
    go.set()
    assert (await collect(late)).usage.completion_tokens == 3
    await early.aclose()


async def test_leaving_does_not_hurt_those_who_stay(house: Build) -> None:
    go = asyncio.Event()
    home = house(lambda _: ["One", " two", go, " three"])
    leader = await home.open("Count", sampling=GREEDY)
    follower = await home.open("Count", sampling=GREEDY)
    await anext(leader)
    await leader.aclose()
    assert home.engine.live == 1
    go.set()
    answer = await collect(follower)
    assert answer.text == "One two three"
    # The call is charged to the one who stayed.
    assert answer.usage.cost_nanousd > 0
    assert [record.subject for record in home.events.of("call")] == [answer.head.answer_id]
    assert [record.facts.plain()["status"] for record in home.events.of("answer")] == ["cancelled", "completed"]


async def test_the_last_to_leave_cancels_and_pays(house: Build) -> None:
    home = house(lambda _: ["One", " two", asyncio.Event()])
    leader = await home.open("Count", sampling=GREEDY)
    follower = await home.open("Count", sampling=GREEDY)
    await anext(follower)
    await leader.aclose()
    await follower.aclose()
    assert home.engine.live == 0
    [call] = home.events.of("call")
    assert call.subject == follower.head.answer_id
    assert home.answers.values == {}
    again = await home.open("Count", sampling=GREEDY)
    await again.aclose()
    assert len(home.engine.seen) == 2


async def test_a_listener_torn_away_loses_no_fact(house: Build) -> None:
    home = house(lambda _: ["One", asyncio.Event()])
    task = asyncio.create_task(home.ask("Count", sampling=GREEDY))
    await settle_down()
    task.cancel()
    await asyncio.sleep(0)
    for _ in range(5):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    await home.background.close()
    calls = home.events.of("call") + [record for record in home.events.appended if record.kind == "call"]
    assert [call.facts.plain()["error"] for call in calls] == ["cancelled"]
    assert len(home.events.of("answer")) == 1


async def test_leaving_before_the_first_token_cancels(house: Build) -> None:
    home = house(lambda _: [asyncio.Event(), "One"])
    task = asyncio.create_task(home.ask("Count", sampling=GREEDY))
    await settle_down()
    assert home.engine.live == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert home.engine.live == 0


async def test_every_listener_hears_of_a_failure_and_it_is_not_kept(house: Build) -> None:
    go = asyncio.Event()
    home = house(lambda _: ["One", go, EngineError("the cable was pulled")])
    asks = [asyncio.create_task(home.ask("Count", sampling=GREEDY)) for _ in range(3)]
    await settle_down()
    go.set()
    results = await asyncio.gather(*asks, return_exceptions=True)
    assert [type(result) for result in results] == [EngineError] * 3
    assert home.answers.values == {}
    assert len(home.events.of("call")) == 1
    assert [record.facts.plain()["status"] for record in home.events.of("answer")] == ["failed"] * 3


async def test_each_listener_keeps_its_own_deadline(house: Build) -> None:
    go = asyncio.Event()
    home = house(lambda _: ["One", go, " two"])
    import time

    hasty = asyncio.create_task(home.ask("Count", visitor(deadline=time.monotonic() + 0.05), sampling=GREEDY))
    await settle_down()
    patient = asyncio.create_task(home.ask("Count", visitor(), sampling=GREEDY))
    with pytest.raises(DeadlineExceeded):
        await hasty
    go.set()
    assert (await patient).text == "One two"


async def test_a_broken_cache_costs_only_its_hits(house: Build, caplog: pytest.LogCaptureFixture) -> None:
    home = house()

    async def ask() -> int:
        """Warnings while one request is answered."""
        caplog.clear()
        assert (await home.ask("Hello", sampling=GREEDY)).text == "All is well."
        await home.background.close()
        return sum("the answer cache cannot be" in record.message for record in caplog.records)

    with caplog.at_level(logging.WARNING, "mainspring"):
        home.answers.error = StoreError("cache.db is gone")
        # Said once an outage, whatever comes in meanwhile.
        assert [await ask() for _ in range(3)] == [1, 0, 0]
        assert len(home.engine.seen) == 3
        home.answers.error = None
        assert await ask() == 0
        home.answers.error = StoreError("cache.db is gone")
        assert await ask() == 1


async def test_tenants_and_groups_never_meet(house: Build) -> None:
    home = house()
    people = [visitor("acme"), visitor("acme", ["a"]), visitor("acme", ["a", "b"]), visitor("other")]
    for context in people:
        await home.ask("Hello", context, sampling=GREEDY)
        await home.background.close()
    assert len(home.engine.seen) == 4


words = st.text(st.characters(codec="utf-8"), max_size=8)
people = st.builds(visitor, words, st.lists(words, max_size=3))
requests = st.builds(
    ChatRequest,
    model=st.just("m"),
    messages=st.lists(st.builds(Message, st.sampled_from(["user", "assistant"]), words), max_size=3).map(tuple),
    sampling=st.builds(
        Sampling,
        max_tokens=st.none() | st.integers(1, 3),
        stop=st.lists(words, max_size=2).map(tuple),
        seed=st.none() | st.integers(0, 2),
        grammar=st.none() | st.builds(Grammar, st.just("regex"), words),
    ),
    tools=st.lists(st.builds(Tool, words, words), max_size=2).map(tuple),
    tool_choice=st.sampled_from(["auto", "none"]),
    options=st.dictionaries(words, st.integers(0, 2) | words, max_size=2),
)


@given(people, people, words, words, requests, requests)
def test_keys_are_equal_exactly_when_all_that_matters_is(
    one: Context, two: Context, print_one: str, print_two: str, asked: ChatRequest, asked_too: ChatRequest
) -> None:
    def matters(context: Context, fingerprint: str, request: ChatRequest) -> Any:
        return (context.principal.tenant, context.principal.groups, fingerprint, dataclasses.astuple(request))

    same = matters(one, print_one, asked) == matters(two, print_two, asked_too)
    assert (cache_key(asked, one, print_one, "p") == cache_key(asked_too, two, print_two, "p")) == same
    stranger = dataclasses.replace(one, principal=dataclasses.replace(one.principal, tenant=one.principal.tenant + "x"))
    assert cache_key(asked, one, print_one, "p") != cache_key(asked, stranger, print_one, "p")
    assert cache_key(asked, one, print_one, "p") != cache_key(asked, one, print_one, "q")


def test_stored_answers_come_back_whole() -> None:
    logprob = TokenLogprob("a", -0.5, (("a", -0.5), ("b", -1.0)))
    citation = Citation(1, "doc", "a.pdf", "quote", 3, 8, page=2)
    events: list[Event] = [
        Text("a", tokens=1, logprobs=(logprob,)),
        Text("b", tokens=1),
        citation,
        Text("c"),
        Usage(1, 2),
        Finish("stop"),
    ]
    answer = stored_answers.decode(stored_answers.encode(Head("m", arm="x"), events))
    assert answer is not None
    assert answer.head == Head("m", arm="x")
    assert answer.events == [
        Text("ab", tokens=2, logprobs=(logprob,)),
        citation,
        Text("c"),
        Usage(1, 2),
        Finish("stop"),
    ]


async def test_the_wish_to_be_cached_is_yes_or_no(house: Build) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await house().ask("Hello", options={"cache": "false"})
    assert caught.value.param == "options.cache"


async def test_nobody_waits_with_those_whom_he_goes_before(house: Build) -> None:
    """A batch may wait for hours: who asks the same at once does not join it; the other way round it does."""
    go = asyncio.Event()
    home = house(lambda _: [go, "One"])
    batch = asyncio.create_task(home.ask("Count", visitor(batch=True), sampling=GREEDY))
    await settle_down()
    person = asyncio.create_task(home.ask("Count", sampling=GREEDY))
    await settle_down()
    assert len(home.engine.seen) == 2
    another = asyncio.create_task(home.ask("Count", visitor(batch=True), sampling=GREEDY))
    await settle_down()
    assert len(home.engine.seen) == 2
    go.set()
    answers = [await each for each in (batch, person, another)]
    assert [each.head.cache for each in answers] == ["miss", "miss", "hit"]
