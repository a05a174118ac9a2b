"""Shares and predicted waits against what runs: a scripted engine that writes step by step, on virtual time."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from mainspring.core.errors import Overloaded
from mainspring.core.settings.serving.queueing import AdmissionSettings
from mainspring.core.types import Context, Principal, Usage
from mainspring.engines.openvino.slots import spare_of
from mainspring.serving.admit.expected_usage import Work
from mainspring.serving.admit.gate import Gate, Place
from tests.serving import virtual

SLOTS, KV = 32, 65_536
STEP_S, SEQUENCE_S = 0.007, 0.001
STEPS = STEP_S + SEQUENCE_S * (SLOTS + 6)
"""The longest step."""


@dataclass(eq=False)
class Answer:
    length: int
    done: asyncio.Event = field(default_factory=asyncio.Event)
    written: int = 0


class Engine:
    """Writes a token of each answer a step, which takes the longer the more there are."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self._wake = asyncio.Event()

    async def run(self) -> None:
        while True:
            if not self.answers:
                self._wake.clear()
                await self._wake.wait()
            await asyncio.sleep(STEP_S + SEQUENCE_S * len(self.answers))
            for each in list(self.answers):
                each.written += 1
                if each.written >= each.length:
                    self.answers.remove(each)
                    each.done.set()

    async def write(self, place: Place, length: int) -> None:
        answer = Answer(length)
        place.follow(lambda: answer.written)
        self.answers.append(answer)
        self._wake.set()
        await answer.done.wait()


@dataclass
class Seen:
    waits: list[tuple[str, float, float]] = field(default_factory=list)
    """Tenant, predicted and real seconds of those who were let in."""
    refused: list[tuple[str, float]] = field(default_factory=list)
    """Tenant, and after how many seconds."""
    lasted: list[tuple[str, float]] = field(default_factory=list)


class House:
    def __init__(self, **settings: float) -> None:
        clock = asyncio.get_running_loop().time
        self.gate = Gate(
            "chat",
            SLOTS,
            KV,
            AdmissionSettings(**settings),
            max_waiting=256,
            ahead=2,
            spare=spare_of(SLOTS),
            clock=clock,
        )
        self.engine = Engine()
        self.seen = Seen()
        self._clock = clock
        self._steps = asyncio.create_task(self.engine.run())

    async def ask(self, tenant: str, key: str, prompt: int, most: int, length: int) -> None:
        came = self._clock()
        work, context = Work(prompt, most), Context(Principal(tenant, key))
        try:
            place = self.gate.enter(work, context) or await self.gate.wait(work, context)
        except Overloaded:
            self.seen.refused.append((tenant, self._clock() - came))
            return
        self.seen.waits.append((tenant, place.predicted_s, self._clock() - came))
        await self.engine.write(place, length)
        place.leave(Usage(prompt, length))
        self.seen.lasted.append((tenant, self._clock() - came))

    def close(self) -> None:
        self._steps.cancel()


def test_long_answers_of_one_tenant_keep_no_other_tenant_waiting() -> None:
    async def main() -> Seen:
        house, loop = House(), asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            for number in range(34):
                # Two keys of one tenant are no two tenants.
                group.create_task(house.ask("loud", f"k{number % 2}", 30, 4000 if number % 3 else 2000, 2000))
            await asyncio.sleep(1.0)
            while loop.time() < 60:
                await asyncio.sleep(0.5)
                await house.ask("quiet", "k", 20, 4, 4)
        house.close()
        return house.seen

    seen = virtual.run(main())
    quiet = [wait for tenant, _, wait in seen.waits if tenant == "quiet"]
    assert len(quiet) > 80
    assert max(quiet) <= 3 * STEPS
    assert not [each for each in seen.refused if each[0] == "quiet"]
    # What cannot be served in time is told so, and none waits longer than may be waited.
    assert max(wait for _, _, wait in seen.waits) <= 10.0
    assert max(wait for _, wait in seen.refused) <= 10.0


def test_who_comes_late_is_refused_at_once_for_what_runs() -> None:
    async def main() -> Seen:
        house = House()
        for _ in range(27):
            asyncio.create_task(house.ask("loud", "k", 30, 2000, 2000))  # noqa: RUF006
        await asyncio.sleep(20.0)
        # Nothing has ended yet; they go on for longer than anybody may wait.
        await house.ask("loud", "other", 30, 4000, 4000)
        house.close()
        return house.seen

    seen = virtual.run(main())
    assert seen.refused == [("loud", 0.0)]


def predicted_well(seen: Seen, floor: float = 0.5) -> tuple[int, int]:
    """Of those who waited, or were told to, for longer than ``floor``: how many within twice what was said, of all."""
    told = [(predicted, wait) for _, predicted, wait in seen.waits if max(predicted, wait) > floor]
    return sum(wait / 2 <= predicted <= 2 * wait for predicted, wait in told), len(told)


def test_the_wait_that_is_predicted_is_the_one_that_is_waited() -> None:
    """Long and short answers of tenants who ask for more than there is. The rest are those before whom others came who
    asked for less than they."""

    async def main() -> Seen:
        house, loop, draw = House(burst_s=1000.0, max_wait_s=30.0), asyncio.get_running_loop(), random.Random(3)
        async with asyncio.TaskGroup() as group:
            while loop.time() < 200:
                await asyncio.sleep(draw.expovariate(3.0))
                length = draw.choice([60, 200, 900])
                group.create_task(house.ask(draw.choice("abc"), "k", 30, length, length))
        house.close()
        return house.seen

    seen = virtual.run(main())
    right, told = predicted_well(seen)
    assert told > 100
    assert right >= 0.9 * told, (right, told)


def test_the_wait_is_predicted_where_answers_end_before_their_most() -> None:
    async def main() -> Seen:
        house, loop, draw = House(burst_s=1000.0, max_wait_s=30.0), asyncio.get_running_loop(), random.Random(4)
        async with asyncio.TaskGroup() as group:
            while loop.time() < 200:
                await asyncio.sleep(draw.expovariate(4.0))
                tenant = draw.choice("ab")
                # Each tenant's answers have lengths of their own.
                length = int(draw.uniform(0.2, 0.4) * 1000) if tenant == "a" else int(draw.uniform(0.7, 0.9) * 500)
                group.create_task(house.ask(tenant, "k", 30, 1000 if tenant == "a" else 500, length))
        house.close()
        return house.seen

    seen = virtual.run(main())
    right, told = predicted_well(seen)
    assert told > 100
    assert right >= 0.9 * told, (right, told)
