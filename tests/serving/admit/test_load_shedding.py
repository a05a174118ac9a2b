"""Early refusal: no work is done for a request that the gate would not admit."""

from __future__ import annotations

import asyncio

import pytest

from mainspring.core.errors import Overloaded
from mainspring.core.settings.serving.queueing import AdmissionSettings
from mainspring.core.types import Context, Principal, Priority, Sampling, Usage
from mainspring.features.monitor.traffic.tally import Tally
from mainspring.serving.admit import load_shedding
from mainspring.serving.admit.expected_usage import Work
from mainspring.serving.admit.gate import Gate, Place
from mainspring.serving.admit.rate_limits import Limits
from mainspring.serving.ring.compose import request_ring
from mainspring.stores.events.feed import Fact
from tests.serving.house import GREEDY, Build, House, visitor

WORK = Work(prompt=20, output=100)


def someone() -> Context:
    return Context(Principal("else", "key_2"))


async def full(gate: Gate, output: int = WORK.output) -> tuple[Place, asyncio.Task[Place]]:
    """A gate whose engine is measured and busy with an answer of ``output`` tokens, with somebody in the line."""
    for _ in range(4):
        place = gate.enter(WORK, someone())
        assert place
        await asyncio.sleep(0.01)
        place.leave(Usage(WORK.prompt, WORK.output))
    running = gate.enter(Work(WORK.prompt, output), someone())
    assert running
    patient = Context(Principal("else", "key_2"), priority=Priority.BACKGROUND)
    waiting = asyncio.create_task(gate.wait(WORK, patient))
    await asyncio.sleep(0)
    assert gate.busy
    return running, waiting


def behind(house: House, waits: float) -> Gate:
    gate = Gate("chat", 1, 10_000, AdmissionSettings(max_wait_s=waits), max_waiting=64, waits=house.metrics)
    house.ring = request_ring(
        house.services, house.registry, Limits.of(house.services.settings.serving), {"chat": gate}
    )
    return gate


async def test_who_would_wait_too_long_is_refused_before_anything_is_done(house: Build) -> None:
    home = house(lambda _: ["Hello"])
    gate = behind(home, waits=0.001)
    running, waiting = await full(gate)
    home.metrics.waits.clear()
    with pytest.raises(Overloaded, match="exceeds") as caught:
        await home.ask("Write to bob@example.com", sampling=Sampling(temperature=1.0))
    assert caught.value.retry_after
    assert [outcome for _, _, outcome in home.metrics.waits] == ["refused"]
    assert not home.events.commits
    assert not home.events.appended
    assert not home.metrics.guards
    assert home.metrics.requests[-1][2] == "overloaded"
    assert [span.name for span in home.tracing.spans if span.name in ("Shed", "GuardInput")] == ["Shed"]
    # Refused early or late, who waits keeps his place.
    running.leave(Usage(WORK.prompt, WORK.output))
    (await waiting).leave(Usage(WORK.prompt, WORK.output))
    assert (await home.ask("Hi", sampling=Sampling(temperature=1.0))).text == "Hello"


async def test_the_refused_are_counted_in_one_event(house: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_shedding, "_EVERY_S", 0.05)
    home = house(lambda _: ["Hello"])
    gate = behind(home, waits=0.001)
    running, waiting = await full(gate)
    for tenant in ("acme", "acme", "other"):
        with pytest.raises(Overloaded):
            await home.ask("Hi", visitor(tenant), sampling=Sampling(temperature=1.0))
    await home.background.close()
    told = {record.tenant: record.facts.plain() for record in home.events.appended}
    assert told == {
        "acme": {"application": "chat", "error": "overloaded", "count": 2},
        "other": {"application": "chat", "error": "overloaded", "count": 1},
    }
    assert {record.kind for record in home.events.appended} == {"refusals"}
    tally = Tally()
    for number, record in enumerate(home.events.appended):
        tally.add(Fact(number, record.at, record.tenant, record.id, record.trace_id, "", record.facts, None))
    assert (tally.counts["failed"], tally.counts["error|overloaded"]) == (3, 3)
    waiting.cancel()
    running.leave(None)


async def test_what_a_cache_may_hold_goes_on_to_the_cache(house: Build) -> None:
    home = house(lambda _: ["Hello"])
    gate = behind(home, waits=0.001)
    await home.ask("Say hello", sampling=GREEDY)
    # What is asked first takes its time; the answer that runs must not be over by then.
    running, waiting = await full(gate, output=5_000)
    assert (await home.ask("Say hello", sampling=GREEDY)).head.cache == "hit"
    with pytest.raises(Overloaded):
        await home.ask("Say hello", sampling=GREEDY, options={"cache": False})
    with pytest.raises(Overloaded):
        await home.ask("Say hello", sampling=GREEDY, session_id="s")
    waiting.cancel()
    running.leave(None)


async def test_a_short_wait_is_not_refused(house: Build) -> None:
    home = house(lambda _: ["Hello"])
    gate = behind(home, waits=60)
    running, waiting = await full(gate)
    assert (await home.ask("Hi", sampling=Sampling(temperature=1.0))).text == "Hello"
    waiting.cancel()
    running.leave(None)
