"""Calls over replicas that fail in every way that endpoints fail, on real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.errors import (
    DeadlineExceeded,
    EngineDied,
    InvalidRequest,
    MainspringError,
    Overloaded,
    RateLimited,
    UpstreamError,
)
from mainspring.core.path import collect
from mainspring.core.settings.serving.routing import BalanceSettings
from mainspring.core.types import (
    ChatRequest,
    Context,
    Finish,
    Message,
    Request,
    Responder,
    Response,
    Text,
    Usage,
)
from mainspring.serving.money.meter import Meter
from mainspring.serving.money.pricing import Price
from mainspring.serving.route.balance import Balance
from mainspring.serving.route.replica_state import Arm, Replica
from mainspring.serving.route.retry import Retry
from mainspring.serving.route.retry_budget import Budget
from tests.serving.house import CountingMetrics, MemoryTracing, Recited, visitor
from tests.serving.stubs import Behaviour, Counts, balanced, ended, garbage, hang_up, refuse, say, serving, stall

ASK = ChatRequest("far", (Message("user", "Hello"),))


async def text_of(balance: Balance, context: Context | None = None) -> str:
    return (await collect(await balance.respond(ASK, context or visitor()))).text.strip()


@pytest.mark.parametrize(
    "broken",
    [
        refuse(500),
        refuse(503, retry_after="1"),
        refuse(429, retry_after="20"),
        refuse(401),
        refuse(404, "the model does not exist"),
        hang_up,
        garbage,
        stall,
    ],
    ids=["500", "503", "429", "401", "404", "hangs up", "garbage", "stalls"],
)
async def test_what_fails_before_its_first_token_is_answered_elsewhere(broken: Behaviour) -> None:
    counts = Counts()
    async with (
        serving(broken, say("all is well")) as (bad, good),
        # Only who waits for a stalled one needs little patience; on a busy machine the good one takes its time too.
        balanced([bad.url, good.url], counts, patience_s=2.0 if broken is stall else 30.0) as balance,
    ):
        answers = await asyncio.gather(*(text_of(balance) for _ in range(8)))
        assert set(answers) == {"all is well"}
        assert bad.bodies
        assert sum(counts.moves.values()) == len(bad.bodies)
        assert all(arm.running == arm.tokens == 0 for arm in balance.arms)


async def test_a_call_says_which_replica_answered() -> None:
    async with (
        serving(refuse(500), say("here")) as (bad, good),
        balanced([bad.url, good.url], Counts()) as balance,
    ):
        assert (await collect(await balance.respond(ASK, visitor()))).head.replica == "b"


@pytest.mark.parametrize("end", [hang_up, stall], ids=["cut", "silent"])
async def test_what_fails_after_its_first_token_is_reported_and_never_repeated(end: Behaviour) -> None:
    counts = Counts()
    async with (
        serving(say("half an answer", then=end), say("another")) as (bad, good),
        balanced([bad.url, good.url], counts, silence_s=0.5) as balance,
    ):
        response = await balance.respond(ASK, visitor())
        with pytest.raises((UpstreamError, DeadlineExceeded)):
            await collect(response)
        assert len(bad.bodies) == 1
        assert not good.bodies
        assert balance.arms[0].failures == 1
        assert balance.arms[0].running == 0


async def test_a_slow_drip_is_an_answer() -> None:
    async with (
        serving(say("slow but sure", between=0.2)) as (slow,),
        balanced([slow.url], Counts(), patience_s=0.5, silence_s=0.5) as balance,
    ):
        assert await text_of(balance) == "slow but sure"


async def test_a_port_that_nobody_listens_on() -> None:
    async with (
        serving(say("alive")) as (good,),
        balanced(["http://127.0.0.1:9/v1", good.url], Counts()) as balance,
    ):
        assert await text_of(balance) == "alive"


async def test_a_socket_that_accepts_and_says_nothing() -> None:
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        await asyncio.sleep(3600)

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with (
            serving(say("alive")) as (good,),
            balanced([f"http://127.0.0.1:{port}/v1", good.url], Counts(), patience_s=0.3) as balance,
        ):
            assert await text_of(balance) == "alive"
    finally:
        server.close()


async def test_a_broken_replica_is_left_alone_and_comes_back() -> None:
    async with (
        serving(refuse(500), say("well")) as (bad, good),
        balanced([bad.url, good.url], Counts(), failures=3, cooldown_s=60) as balance,
    ):
        clock = 1000.0
        balance._clock = lambda: clock
        for _ in range(20):
            assert await text_of(balance) == "well"
        assert len(bad.bodies) == 3
        assert balance.arms[0].state(clock) == "open"
        bad.behave = say("recovered")
        clock += 100
        assert balance.arms[0].state(clock) == "half_open"
        assert await text_of(balance) == "recovered"
        assert balance.arms[0].state(clock) == "ready"
        assert {await text_of(balance) for _ in range(4)} == {"well", "recovered"}


async def test_without_any_healthy_replica_the_refusal_is_quick_and_clear() -> None:
    async with serving(refuse(500), refuse(500)) as (one, two), balanced([one.url, two.url], Counts()) as balance:
        for _ in range(6):
            with pytest.raises(UpstreamError):
                await text_of(balance)
        asked = len(one.bodies) + len(two.bodies)
        with pytest.raises(UpstreamError, match=r"no replica of far can answer \(a open, b open\)") as caught:
            await text_of(balance)
        assert 0 < (caught.value.retry_after or 0) <= 72
        assert len(one.bodies) + len(two.bodies) == asked


async def test_a_rate_limit_is_kept_until_it_is_over() -> None:
    async with (
        serving(refuse(429, retry_after="30"), refuse(429, retry_after="7")) as (one, two),
        balanced([one.url, two.url], Counts()) as balance,
    ):
        with pytest.raises(RateLimited):
            await text_of(balance)
        with pytest.raises(RateLimited) as caught:
            await text_of(balance)
        assert 6 < (caught.value.retry_after or 0) <= 7
        assert (len(one.bodies), len(two.bodies)) == (1, 1)
        # It says that it is alive: no breaker opens.
        assert [arm.breaker.state(time.monotonic()) for arm in balance.arms] == ["closed", "closed"]


async def test_a_bad_request_goes_nowhere_else() -> None:
    counts = Counts()
    async with (
        serving(refuse(400, "temperature is too hot"), say("x")) as (one, two),
        balanced([one.url, two.url], counts) as balance,
    ):
        with pytest.raises(InvalidRequest, match="too hot"):
            await text_of(balance)
        assert not two.bodies
        assert balance.arms[0].failures == 0


async def test_the_callers_own_deadline_blames_nobody() -> None:
    async with (
        serving(stall, stall) as (one, two),
        balanced([one.url, two.url], Counts(), failures=1) as balance,
    ):
        with pytest.raises(DeadlineExceeded):
            await text_of(balance, visitor(deadline=time.monotonic() + 1.0))
        assert len(one.bodies) + len(two.bodies) == 1
        assert [arm.failures for arm in balance.arms] == [0, 0]
        # The deadline went along, for whoever heeds it.
        told = float((one.headers + two.headers)[0]["x-request-timeout"])
        assert 0 < told <= 1.0


async def test_a_caller_who_leaves_frees_its_replica() -> None:
    async with serving(stall) as (one,), balanced([one.url], Counts()) as balance:
        task = asyncio.create_task(text_of(balance))
        while not one.bodies:
            await asyncio.sleep(0.01)
        assert balance.arms[0].running == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert balance.arms[0].running == balance.arms[0].tokens == 0
        assert balance.arms[0].failures == 0


async def test_further_attempts_have_a_budget() -> None:
    counts = Counts()
    async with (
        serving(refuse(500), say("well")) as (bad, good),
        balanced([bad.url, good.url], counts, failures=1000, min_calls=1000, budget=Budget(0.1, 2)) as balance,
    ):
        # Both must get their part, or nothing would fail.
        outcomes = []
        for _ in range(40):
            try:
                outcomes.append(await text_of(balance))
            except UpstreamError:
                outcomes.append("failed")
        assert sum(counts.moves.values()) <= 2 + 0.1 * 40
        assert outcomes.count("failed") == len(bad.bodies) - sum(counts.moves.values())


async def test_drained_replicas_finish_and_get_no_more() -> None:
    async with (
        serving(say("one two three", between=0.05), say("other")) as (one, two),
        balanced([one.url, two.url], Counts()) as balance,
    ):
        stream = await balance.respond(ASK, visitor())
        assert stream.head.replica == "a"
        balance.arms[0].drained = True
        assert balance.arms[0].state(time.monotonic()) == "draining"
        assert {await text_of(balance) for _ in range(4)} == {"other"}
        assert (await collect(stream)).text.strip() == "one two three"
        assert balance.arms[0].state(time.monotonic()) == "drained"
        balance.arms[1].drained = True
        with pytest.raises(Overloaded, match="drained"):
            await text_of(balance)


async def test_so_many_at_a_time_and_no_more() -> None:
    async with serving(say("x", before=0.3)) as (one,), balanced([one.url], Counts(), concurrency=2) as balance:
        outcomes = await asyncio.gather(*(text_of(balance) for _ in range(3)), return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Overloaded", "str", "str"]


async def test_a_slow_replica_is_hedged_and_both_are_metered() -> None:
    counts, metrics = Counts(), CountingMetrics()

    def side(inner: Responder) -> Responder:
        return Meter(inner, "far", Price.per_million(1.0, 1.0), metrics, MemoryTracing(), provider="test")

    async with (
        serving(say("first"), say("second")) as (one, two),
        balanced(
            [one.url, two.url], counts, side=side, hedge_share=0.5, hedge_minimum_s=0.01, hedge_quantile=0.9
        ) as balance,
    ):
        while min(len(arm._firsts) for arm in balance.arms) < 20:
            await text_of(balance)
        one.behave = stall
        balance.arms[1].last = 10_000
        context = visitor()
        answer = await collect(await balance.respond(ASK, context))
        assert answer.text.strip() == "second"
        assert counts.hedges == {"won": 1}
        (record,) = context.settlement.records
        assert record.facts.plain()["arms"] == {"hedge": "lost"}
        assert record.facts.plain()["prompt_tokens"] > 0
        assert context.allowance.spent.cost_nanousd > 0
        await asyncio.sleep(0.05)
        assert one.left == 1
        assert all(arm.running == arm.tokens == 0 for arm in balance.arms)


async def test_hedges_are_a_bounded_share(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = Counts()
    # Every call takes longer than most do.
    monkeypatch.setattr(Arm, "first_quantile", lambda *_: 0.0)
    async with (
        serving(say("x"), say("x")) as (one, two),
        balanced(
            [one.url, two.url], counts, side=lambda inner: inner, hedge_share=0.05, hedge_minimum_s=0.0
        ) as balance,
    ):
        for _ in range(100):
            await text_of(balance)
        assert 4 <= sum(counts.hedges.values()) <= 5


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Each request is answered by the next, and those after them by the last."""
    left = list(behaviours)

    async def behave(request: web.Request) -> web.StreamResponse:
        return await (left.pop(0) if len(left) > 1 else left[0])(request)

    return behave


@pytest.mark.parametrize("cut", [hang_up, say("", then=hang_up), say("", then=ended)], ids=["asked", "sent", "ended"])
async def test_what_is_cut_before_its_first_token_is_asked_again(cut: Behaviour) -> None:
    async with (
        serving(in_turn(cut, cut, say("all is well"))) as (one,),
        balanced([one.url], Counts()) as balance,
    ):
        retry = Retry(balance, "far", CountingMetrics(), retries=2)
        assert (await collect(await retry.respond(ASK, visitor()))).text.strip() == "all is well"
        assert len(one.bodies) == 3
        # What has begun is never asked again.
        one.behave = say("half", then=hang_up)
        with pytest.raises(UpstreamError):
            await collect(await retry.respond(ASK, visitor()))
        assert len(one.bodies) == 4


@pytest.mark.parametrize("policy", ["prefix", "least_tokens"])
async def test_a_replica_that_is_always_slow_gets_few_calls(policy: str) -> None:
    counts = Counts()
    async with (
        serving(say("slow", before=0.4), say("quick")) as (slow, quick),
        balanced([slow.url, quick.url], counts, side=lambda inner: inner, policy=policy, hedge_share=0.5) as balance,
    ):
        for _ in range(24):
            await text_of(balance)
        # It was half of them; a few are needed to see it.
        assert len(slow.bodies) <= 5
        # Long after, it is tried again: it may have become quick.
        balance.arms[0]._expected_at -= 60
        balance.arms[0].last = -1
        await text_of(balance)
        assert len(slow.bodies) <= 6


async def test_a_hedge_begins_when_the_quickest_would_have_answered() -> None:
    made = hedging(Recited(), Recited(), hedge_minimum_s=0.0)
    for _ in range(30):
        made.arms[0].note_first(0.0, 1.5)
    after: list[float] = []

    async def raced(first: Any, second: Any, after_s: float, lost: Any) -> Any:
        after.append(after_s)
        return await first, ""

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("mainspring.serving.route.balance.race", raced)
        await made._hedged(made.arms[0], 1, [], [made.arms[0]], ASK, visitor())
    assert after == [0.001]


class Fate:
    """A replica that does what each of its days says: True answers, an exception is raised."""

    def __init__(self, days: Iterator[MainspringError | None]) -> None:
        self._days = days
        self.asked = 0

    async def respond(self, request: Request, context: Context) -> Response:
        self.asked += 1
        if error := next(self._days, None):
            raise error
        return await Recited(Text("x"), Usage(1, 1), Finish("stop")).respond(request, context)

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return "same"


FAILURES = st.sampled_from([None, None, EngineDied("gone"), UpstreamError("500"), Overloaded("full", retry_after=0.5)])


@given(st.lists(st.lists(FAILURES, max_size=60), min_size=1, max_size=5), st.integers(1, 60), st.booleans())
async def test_no_broken_replica_is_asked_while_a_healthy_one_exists(
    fates: list[list[MainspringError | None]], calls: int, local: bool
) -> None:
    clock = 0.0
    settings = BalanceSettings(policy="least_tokens", failures=3, cooldown_s=5)
    replicas = [Replica(str(index), Fate(iter(days)), local=local) for index, days in enumerate(fates)]
    balance = Balance(replicas, "m", settings, Counts(), Budget(1, 1000), clock=lambda: clock)
    picked: list[str] = []
    inner = balance.pick

    def pick(tokens: int, blocks: list[int], tried: list[object]) -> object:
        states = {arm.name: arm.state(clock) for arm in balance.arms if arm not in tried}
        arm = inner(tokens, blocks, tried)  # type: ignore[arg-type]
        if arm is not None:
            picked.append(arm.name)
            assert states[arm.name] in ("ready", "half_open")
        else:
            assert not {"ready", "half_open"} & set(states.values())
        return arm

    balance.pick = pick  # type: ignore[method-assign,assignment]
    for _ in range(calls):
        clock += 0.7
        try:
            await collect(await balance.respond(ASK, visitor()))
        except MainspringError:
            continue
    assert sum(replica.responder.asked for replica in replicas) == len(picked)  # type: ignore[attr-defined]
    assert all(arm.running == arm.tokens == 0 for arm in balance.arms)
    assert balance.fingerprint(ASK, visitor()) == "same"


def hedging(*responders: Any, **settings: Any) -> Balance:
    """A balancer that has seen enough first tokens to hedge."""
    replicas = [Replica(str(number), responder, concurrency=1) for number, responder in enumerate(responders)]
    made = Balance(
        replicas,
        "m",
        BalanceSettings(**{"hedge_share": 0.5, "hedge_minimum_s": 60.0} | settings),
        Counts(),
        Budget(1.0, 10),
        side=lambda inner: inner,
    )
    for arm in made.arms:
        for _ in range(30):
            arm.note_first(0.0, 0.001)
    return made


async def test_calls_that_come_in_one_moment_are_shared_out() -> None:
    """With hedging on, each runs in a task that begins later: the choice must see it all the same."""
    stuck = [Recited(), Recited()]
    for each in stuck:
        each.respond = _never  # type: ignore[method-assign]
    made = hedging(*stuck)
    asked = [asyncio.create_task(made.respond(ASK, visitor())) for _ in range(3)]
    for _ in range(3):
        await asyncio.sleep(0)
    assert [arm.running for arm in made.arms] == [1, 1]
    with pytest.raises(Overloaded):
        await asked.pop()
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    assert [(arm.running, arm.tokens) for arm in made.arms] == [(0, 0), (0, 0)]


async def test_a_call_that_never_began_is_not_counted_for_ever() -> None:
    made = hedging(Recited())
    (arm,) = made.arms
    task = made._start(arm, 7, [], ASK, visitor())
    assert (arm.running, arm.tokens) == (1, 7)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert (arm.running, arm.tokens) == (0, 0)


async def _never(request: Any, context: Any) -> Any:
    await asyncio.Event().wait()
