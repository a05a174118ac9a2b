"""The call ring: Retry, Admit, Meter and prices."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Iterator

import pytest
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
from mainspring.core.settings.serving.queueing import AdmissionSettings
from mainspring.core.types import (
    Allowance,
    ChatRequest,
    Context,
    Ending,
    Finish,
    Message,
    Principal,
    Request,
    Response,
    Text,
    Usage,
)
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import ScriptedEngine
from mainspring.serving.admit.admission import Admit
from mainspring.serving.admit.gate import Gate
from mainspring.serving.money.pricing import Price
from mainspring.serving.money.spending_bound import Bound
from mainspring.serving.ring.compose import call_ring
from mainspring.serving.route.retry import Retry
from mainspring.serving.route.retry_budget import Budget
from tests.serving.house import Build, CountingMetrics, Recited, visitor

REQUEST = ChatRequest("chat", (Message("user", "Hello"),))


class Failing:
    """Raises its errors one after another, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self._errors: Iterator[Exception] = iter(errors)
        self.calls = 0

    async def respond(self, request: Request, context: Context) -> Response:
        self.calls += 1
        for error in self._errors:
            raise error
        return await Recited(Text("ok"), Finish("stop")).respond(request, context)

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return None


class Sleeps:
    def __init__(self) -> None:
        self.waits: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (EngineDied("gone"), 3),
        (Overloaded("full", retry_after=0.2), 3),
        (Overloaded("full", retry_after=30), 1),
        (UpstreamError("reset", retry_after=1), 3),
        (UpstreamError("nonsense"), 1),
        (InvalidRequest("no"), 1),
        (RateLimited("no", retry_after=0.1), 1),
    ],
)
async def test_what_is_tried_again(error: MainspringError, calls: int) -> None:
    failing, sleeps, metrics = Failing(error, error, error), Sleeps(), CountingMetrics()
    retry = Retry(failing, "chat", metrics, retries=2, sleep=sleeps)
    with pytest.raises(type(error)):
        await retry.respond(REQUEST, visitor())
    assert failing.calls == calls
    assert metrics.retries == len(sleeps.waits) == calls - 1
    assert all(wait >= (error.retry_after or 0) for wait in sleeps.waits)


async def test_the_first_pause_is_short() -> None:
    failing, sleeps = Failing(*[EngineDied("gone")] * 3), Sleeps()
    with pytest.raises(EngineDied):
        await Retry(failing, "chat", CountingMetrics(), retries=2, sleep=sleeps).respond(REQUEST, visitor())
    # On the clock of the test.
    assert [wait < limit for wait, limit in zip(sleeps.waits, (0.05, 0.1), strict=True)] == [True, True]
    assert all(wait > 0 for wait in sleeps.waits)


async def test_what_somebody_else_would_answer_is_not_waited_for() -> None:
    for error in (EngineDied("gone"), Overloaded("full", retry_after=0.2), UpstreamError("reset", retry_after=1)):
        failing, sleeps = Failing(error, error, error), Sleeps()
        retry = Retry(failing, "chat", CountingMetrics(), retries=2, sleep=sleeps)
        with pytest.raises(type(error)):
            await retry.respond(REQUEST, dataclasses.replace(visitor(), elsewhere=True))
        assert (failing.calls, sleeps.waits) == (1, [])


async def test_failures_of_one_engine_do_not_multiply_its_load() -> None:
    budget, calls = Budget(0.2, 2), 0
    for _ in range(20):
        failing = Failing(*[EngineDied("gone")] * 3)
        retry = Retry(failing, "chat", CountingMetrics(), retries=2, sleep=Sleeps(), budget=budget, deposits=True)
        with pytest.raises(EngineDied):
            await retry.respond(REQUEST, visitor())
        calls += failing.calls
    # Two that were saved up, and one for each five calls: not twenty times three.
    assert calls <= 20 + 2 + 4


async def test_a_second_attempt_can_succeed() -> None:
    retry = Retry(Failing(EngineDied("gone")), "chat", CountingMetrics(), retries=2, sleep=Sleeps())
    assert (await collect(await retry.respond(REQUEST, visitor()))).text == "ok"


async def test_no_attempt_outlives_the_deadline() -> None:
    failing = Failing(UpstreamError("reset", retry_after=5))
    retry = Retry(failing, "chat", CountingMetrics(), retries=2, sleep=Sleeps())
    with pytest.raises(UpstreamError):
        await retry.respond(REQUEST, visitor(deadline=time.monotonic() + 3))
    assert failing.calls == 1


async def test_nothing_is_tried_again_after_the_commit_point(house: Build) -> None:
    home = house(lambda _: ["One", EngineDied("gone")])
    with pytest.raises(EngineDied):
        await home.ask("Count")
    assert len(home.engine.seen) == 1


async def test_one_call_event_whatever_it_took(house: Build) -> None:
    home = house()
    home.serve("shaky", Failing(EngineDied("gone")))
    await home.ask("Count", model="shaky")
    assert len(home.events.of("call")) == 1
    assert home.metrics.retries == 1


def narrow(places: int) -> Gate:
    """A gate before which nobody may wait."""
    return Gate("chat", places, 10**6, AdmissionSettings(), max_waiting=0)


async def test_at_most_so_many_run_at_a_time() -> None:
    admit = Admit(Recited(Text("x"), Finish("stop")), narrow(2))
    first = await admit.respond(REQUEST, visitor())
    second = await admit.respond(REQUEST, visitor())
    with pytest.raises(Overloaded) as caught:
        await admit.respond(REQUEST, visitor())
    assert caught.value.retry_after
    await first.aclose()
    await first.aclose()
    third = await admit.respond(REQUEST, visitor())
    with pytest.raises(Overloaded):
        await admit.respond(REQUEST, visitor())
    await collect(second)
    await third.aclose()
    await (await admit.respond(REQUEST, visitor())).aclose()


async def test_a_failure_gives_the_place_back() -> None:
    admit = Admit(Failing(EngineDied("gone")), narrow(1))
    with pytest.raises(EngineDied):
        await admit.respond(REQUEST, visitor())
    await (await admit.respond(REQUEST, visitor())).aclose()


async def test_who_reads_slowly_does_not_hold_the_engine() -> None:
    ending = Ending()

    class Done(Recited):
        async def respond(self, request: Request, context: Context) -> Response:
            response = await super().respond(request, context)
            response.ending = ending
            return response

    gate = narrow(1)
    admit = Admit(Done(Text("x"), Finish("stop")), gate)
    unread = await admit.respond(REQUEST, visitor())
    ending.tell(Usage(10, 5))
    assert gate.running == 0
    await unread.aclose()
    assert gate.running == 0


async def test_waiting_is_a_span_and_counted(house: Build) -> None:
    home = house()
    gate = Gate("chat", 1, 10**6, AdmissionSettings(), max_waiting=4, waits=home.metrics)
    admit = Admit(Recited(Text("x"), Finish("stop")), gate, home.tracing)
    first = await admit.respond(REQUEST, visitor())
    assert [span.name for span in home.tracing.spans] == ["prefill", "decode"]
    second = asyncio.create_task(admit.respond(REQUEST, visitor()))
    await asyncio.sleep(0.01)
    await first.aclose()
    await (await second).aclose()
    span = home.tracing.spans[2]
    assert [span.name for span in home.tracing.spans[2:]] == ["queue", "prefill", "decode"]
    assert span.attributes["mainspring.queue.waited_s"] > 0
    assert [(priority, outcome) for priority, _, outcome in home.metrics.waits] == [("interactive", "admitted")] * 2


async def test_the_first_token_ends_one_span_and_the_last_the_next(house: Build) -> None:
    home = house()
    more, ending = asyncio.Event(), Ending()

    class Done(Recited):
        async def respond(self, request: Request, context: Context) -> Response:
            response = await super().respond(request, context)
            response.ending = ending
            return response

    response = await Admit(Done(Text("x"), more, Finish("stop")), None, home.tracing).respond(REQUEST, visitor())
    prefill, decode = home.tracing.spans
    assert (prefill.name, prefill.ended, decode.name, decode.ended) == ("prefill", True, "decode", False)
    ending.tell(Usage(10, 5))
    assert decode.ended, "the model is done, however long the answer is read"
    assert decode.attributes == {"gen_ai.usage.output_tokens": 5}
    await response.aclose()


async def test_a_model_that_fails_before_its_first_token_has_no_decode(house: Build) -> None:
    home = house()
    with pytest.raises(DeadlineExceeded):
        await Admit(Recited(), None, home.tracing).respond(REQUEST, visitor(deadline=0.0))
    assert home.tracing.spans == []

    class Refusing(Recited):
        async def respond(self, request: Request, context: Context) -> Response:
            raise EngineDied("it did")

    with pytest.raises(EngineDied):
        await Admit(Refusing(), None, home.tracing).respond(REQUEST, visitor())
    assert [span.name for span in home.tracing.spans] == ["prefill"]


async def test_deadlines_are_kept_before_the_commit_point(house: Build) -> None:
    home = house(lambda _: [asyncio.Event(), "never"])
    with pytest.raises(DeadlineExceeded):
        await home.ask("Hello", visitor(deadline=time.monotonic() - 1))
    assert home.engine.seen == []
    with pytest.raises(DeadlineExceeded):
        await home.ask("Hello", visitor(deadline=time.monotonic() + 0.05))


async def test_a_spent_allowance_stops_calls() -> None:
    bound = Bound(Recited(Text("x")), Price(), None, default_output_tokens=8)
    with pytest.raises(RateLimited):
        await bound.respond(REQUEST, visitor(allowance=Allowance(tokens=0)))
    admit = Admit(Recited(Text("x")))
    context = visitor(allowance=Allowance(steps=1))
    await (await admit.respond(REQUEST, context)).aclose()
    with pytest.raises(RateLimited):
        await admit.respond(REQUEST, context)


async def test_an_attempt_that_failed_is_none_of_the_calls_that_are_allowed() -> None:
    class Dead:
        async def respond(self, request: Request, context: Context) -> Response:
            raise EngineDied("gone")

        def fingerprint(self, request: Request, context: Context) -> str | None:
            return None

    context = visitor(allowance=Allowance(steps=1))
    for _ in range(3):
        with pytest.raises(EngineDied):
            await Admit(Dead()).respond(REQUEST, context)
    await (await Admit(Recited(Text("x"))).respond(REQUEST, context)).aclose()
    with pytest.raises(RateLimited):
        await Admit(Dead()).respond(REQUEST, context)
    assert context.allowance.steps == 0


async def test_usage_carries_its_cost_and_is_spent(house: Build) -> None:
    home = house()
    home.serve("priced", Recited(Text("x"), Usage(1_000_000, 500_000, cached_tokens=10), Finish("stop")))
    context = visitor()
    answer = await home.ask("Hello", context, model="priced")
    assert answer.usage.cost_nanousd == 5_000_000_000
    assert context.allowance.spent == answer.usage


async def test_gaps_between_pieces_are_measured(house: Build) -> None:
    home = house()
    await home.ask("Hello")
    assert home.metrics.gaps == 3


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7), st.floats(0, 100), st.floats(0, 100))
def test_prices_are_exact_to_half_a_nano_dollar(
    prompt: int, completion: int, cached: int, input_usd: float, output_usd: float
) -> None:
    price = Price.per_million(input_usd, output_usd)
    cost = price.cost(Usage(prompt, completion, cached))
    exact = prompt * price.input + completion * price.output
    assert abs(cost * 1_000_000 - exact) <= 500_000
    assert Price(price.input, price.output, cached_input=0).cost(Usage(prompt, 0, prompt)) == 0


async def test_a_thousand_at_once_are_served_or_refused_and_leave_nothing_behind() -> None:
    engine = ScriptedEngine(lambda _: ["All", " is", " well"], slots=8, max_waiting=0, templates=True)
    metrics = CountingMetrics()
    gate = Gate("chat", 8, 10**6, AdmissionSettings(), max_waiting=64, waits=metrics)
    admit = Admit(ModelResponder(engine, model_name="chat", fingerprint=None), gate)

    async def ask(number: int) -> str:
        context = Context(Principal(f"tenant-{number % 5}", "k"))
        return (await collect(await admit.respond(REQUEST, context))).text

    answers = await asyncio.gather(*(ask(number) for number in range(1000)), return_exceptions=True)
    refused = [each for each in answers if isinstance(each, Overloaded)]
    assert len(refused) + answers.count("All is well") == 1000
    assert len(answers) - len(refused) >= 8 + 64
    assert all((each.retry_after or 0) >= 1 for each in refused)
    assert engine.peak == 8
    assert (gate.running, gate.reserved, engine.live) == (0, 0, 0)
    assert gate.statistics()["queued_interactive"] == 0


class Reading:
    """Reads for ever, and is paid for it."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def respond(self, request: Request, context: Context) -> Response:
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return None


@pytest.mark.parametrize("sends", [True, False])
async def test_who_leaves_before_the_first_token_has_had_his_prompt_read(house: Build, sends: bool) -> None:
    home, far = house(), Reading()
    price = Price.per_million(2.0, 6.0)
    ring = call_ring(home.services, far, model="far", provider="openai", price=price, sends=sends)
    context = visitor()
    asking = asyncio.create_task(ring.respond(REQUEST, context))
    await far.asked.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    (call,) = context.settlement.records
    assert (call.facts.plain()["cost_nanousd"] > 0, call.facts.plain().get("estimated", False)) == (sends, sends)
    assert (call.facts.plain()["prompt_tokens"] > 0, call.facts.plain()["completion_tokens"]) == (sends, 0)


async def test_what_was_refused_or_came_too_late_was_not_read(house: Build) -> None:
    home = house()
    price = Price.per_million(2.0, 6.0)
    failing = Failing(UpstreamError("no"))
    ring = call_ring(home.services, failing, model="far", provider="openai", price=price, sends=True)
    context = visitor()
    with pytest.raises(UpstreamError):
        await ring.respond(REQUEST, context)
    late = visitor(deadline=time.monotonic() - 1)
    with pytest.raises(DeadlineExceeded):
        await ring.respond(REQUEST, late)
    assert [each.facts.plain()["cost_nanousd"] for each in (*context.settlement.records, *late.settlement.records)] == [
        0,
        0,
    ]
