"""Which sequences run in a step, on a clock of the test's own; an engine of numbers instead of a model."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from mainspring.engines.openvino.shared_steps import FIRST_RATIO, STAYS_S, SharedSteps, StepTimes

SELF, EACH = 7.0, 0.875
"""Milliseconds that a step takes by itself, and more for each sequence."""


@dataclass(eq=False)
class One:
    tenant: str
    reads: int = 20
    fixed: bool = False
    running: bool = False
    begun: bool = False
    since: float = 0.0
    written: int = 0
    alone: bool = False


class Steps:
    """Plays steps: who runs writes a token, or reads; ``seconds`` is the clock."""

    def __init__(self, batch: int = 512) -> None:
        self.turns: SharedSteps[One] = SharedSteps(batch)
        self.seconds = 0.0
        self.there: list[One] = []
        self.pauses = 0

    def step(self) -> int:
        aside, run = self.turns.choose(self.there, self.seconds)
        for each in aside:
            each.running, each.begun, each.since = False, False, self.seconds
            self.pauses += 1
        for each in run:
            each.running = True
        running = [each for each in self.there if each.running]
        writing = all(each.begun for each in running)
        lasts = (SELF + EACH * len(running)) / 1000
        self.seconds += lasts
        if writing and running:
            self.turns.times.observe(len(running), lasts)
        room = self.turns.batch
        for each in running:
            if each.begun:
                each.written += 1
            elif room >= each.reads:
                room -= each.reads
                each.begun = True
                each.written += 1
            else:
                each.reads -= room
                room = 0
        return len(running)


def test_alone_a_tenant_has_the_whole_engine() -> None:
    play = Steps()
    play.there = [One("a") for _ in range(32)]
    assert [play.step() for _ in range(5)] == [32] * 5
    assert play.pauses == 0


def test_beside_another_tenant_each_has_its_part() -> None:
    play = Steps()
    play.there = [One("a") for _ in range(32)]
    for _ in range(50):
        play.step()
    mine = One("b", since=play.seconds)
    play.there.append(mine)
    began, steps = play.seconds, 0
    while mine.written < 4:
        play.step()
        steps += 1
    # As many steps as tokens, and none longer than two of its own.
    assert steps == 4
    assert play.seconds - began <= 2 * 4 * (SELF + EACH) / 1000
    # It is gone, and may come again: nothing changes for a while, and then all run.
    play.there.remove(mine)
    paused = play.pauses
    assert play.step() < 32
    play.seconds += STAYS_S
    assert play.step() == 32
    assert play.pauses == paused


def test_those_that_run_first_are_the_oldest_and_all_end() -> None:
    play = Steps()
    play.there = [One("a") for _ in range(32)]
    ends = []
    for number in range(6000):
        if not any(each.tenant == "b" for each in play.there):
            play.there.append(One("b", since=play.seconds))
        play.step()
        for each in [each for each in play.there if each.written >= (4 if each.tenant == "b" else 200)]:
            play.there.remove(each)
            if each.tenant == "a":
                ends.append(number)
        if len(ends) == 32:
            break
    assert len(ends) == 32
    # The first of them are not kept from their end by those behind them.
    assert ends[0] <= 400


def test_a_long_prompt_keeps_no_other_tenant_from_its_first_token() -> None:
    play = Steps()
    play.there = [One("a", reads=4000) for _ in range(8)]
    play.step()
    mine = One("b", since=play.seconds)
    play.there.append(mine)
    play.step()
    assert mine.written == 1
    # They get their turn while it goes on.
    while not any(each.written for each in play.there[:8]):
        play.step()
    assert play.seconds < 5


def test_what_cannot_stand_aside_does_not() -> None:
    play = Steps()
    play.there = [One("a", fixed=True) for _ in range(32)]
    play.step()
    play.there.append(One("b"))
    assert play.step() == 33
    assert play.pauses == 0


def test_the_bound_comes_from_the_times_of_steps() -> None:
    times = StepTimes()
    assert times.ratio == FIRST_RATIO
    for number in range(400):
        n = 1 + number % 32
        times.observe(n, 0.030 + 0.001 * n)
    assert times.ratio == pytest.approx(30, rel=0.01)
    assert times.most(2) == 32
    for _ in range(4000):
        times.observe(8, 1.0)
    # Steps of one size tell nothing.
    assert times.ratio == FIRST_RATIO


def chosen(turns: SharedSteps[One], now: float, *there: One) -> tuple[list[One], list[One]]:
    """What is suspended and what begins, and they do."""
    aside, run = turns.choose(there, now)
    for each in aside:
        each.running, each.since = False, now
    for each in run:
        each.running = True
    return aside, run


def test_what_has_to_read_alone_does_and_a_long_answer_stands_aside_for_it() -> None:
    turns: SharedSteps[One] = SharedSteps(512)
    writes, reads, later, second = One("a"), One("b", alone=True), One("c"), One("d", alone=True)
    assert chosen(turns, 0.0, writes) == ([], [writes])
    # It does not wait for the end of a long answer, nor in the step in which that leaves.
    assert chosen(turns, 0.1, writes, reads, later) == ([writes], [])
    assert chosen(turns, 0.1, writes, reads, later) == ([], [reads])
    assert chosen(turns, 0.2, writes, reads, later) == ([], [])
    # It has read its prompt, and writes beside the others.
    reads.alone, reads.begun = False, True
    aside, run = chosen(turns, 0.3, writes, reads, later, second)
    assert (aside, run) == ([], [writes, later]), "others have their time before the next one"
    assert chosen(turns, 0.9, writes, reads, later, second) == ([], [])
    aside, run = chosen(turns, 1.2, writes, reads, later, second)
    assert (aside, run) == ([writes, reads, later], [])
    assert chosen(turns, 1.2, writes, reads, later, second) == ([], [second])


def test_what_has_to_read_alone_waits_for_what_cannot_stand_aside_and_holds_up_nobody_else() -> None:
    turns: SharedSteps[One] = SharedSteps(512)
    beams, reads, plain, more = One("a", fixed=True), One("b", alone=True), One("c"), One("a", fixed=True)
    assert chosen(turns, 0.0, beams) == ([], [beams])
    assert chosen(turns, 5.0, beams, reads, plain, more) == ([], [plain]), "its turn would never come if more came"
    assert chosen(turns, 6.0, reads, plain, more) == ([plain], [])
    assert chosen(turns, 6.0, reads, plain, more) == ([], [reads])


def test_many_that_have_to_read_alone_follow_each_other_where_nobody_else_is() -> None:
    turns: SharedSteps[One] = SharedSteps(512)
    there = [One("a", alone=True) for _ in range(4)]
    for number in range(4):
        assert chosen(turns, 0.01 * number, *there) == ([], [there[0]])
        there.pop(0)
