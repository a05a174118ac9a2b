"""Who goes next, on a clock of the test's own."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.types import Priority
from mainspring.serving.admit.fair_queue import MOST_OVERTAKEN, FairQueue, Ticket

NOW, LATER, SOMETIME = Priority.INTERACTIVE, Priority.BACKGROUND, Priority.BATCH


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def ticket(
    tenant: str = "a", key: str = "k", priority: Priority = NOW, cost: float = 10, tokens: int = 1, at: float = 0
) -> Ticket:
    return Ticket(tenant, key, priority, cost, 1, tokens, at)


def always(_: Ticket) -> bool:
    return True


def serve(queue: FairQueue, turns: int, fits: Callable[[Ticket], bool] = always) -> list[Ticket]:
    served = (queue.pop(fits) for _ in range(turns))
    return [each for each in served if each is not None]


def test_in_the_order_of_arrival_within_a_key() -> None:
    queue = FairQueue(Clock())
    tickets = [ticket() for _ in range(5)]
    for each in tickets:
        queue.push(each)
    assert serve(queue, 5) == tickets
    assert queue.pop(always) is None
    assert len(queue) == 0


def test_a_higher_class_goes_first() -> None:
    queue = FairQueue(Clock())
    for priority in (SOMETIME, LATER, NOW, SOMETIME, NOW):
        queue.push(ticket(priority=priority))
    assert [each.priority for each in serve(queue, 5)] == [NOW, NOW, LATER, SOMETIME, SOMETIME]


def test_ten_times_the_demand_gives_no_more_than_a_share() -> None:
    queue = FairQueue(Clock())
    for _ in range(100):
        queue.push(ticket("loud"))
    for _ in range(10):
        queue.push(ticket("quiet"))
    assert Counter(each.tenant for each in serve(queue, 20)) == {"loud": 10, "quiet": 10}
    # What the quiet one leaves is for the loud one.
    assert len(serve(queue, 100)) == 90


def test_shares_are_by_tokens_not_by_requests() -> None:
    queue = FairQueue(Clock())
    for _ in range(200):
        queue.push(ticket("long", cost=90))
        queue.push(ticket("short", cost=10))
    served = serve(queue, 100)
    work = {name: sum(each.cost for each in served if each.tenant == name) for name in ("long", "short")}
    assert work["long"] == pytest.approx(work["short"], abs=90)


@given(
    st.dictionaries(st.sampled_from("abcde"), st.sampled_from([0.5, 1.0, 2.0, 3.0]), min_size=2),
    st.randoms(use_true_random=False),
)
def test_everybody_who_waits_gets_the_share_of_his_weight(weights: dict[str, float], draw: random.Random) -> None:
    queue = FairQueue(Clock(), weigh=lambda tenant: weights[tenant])
    work: Counter[str] = Counter()

    def push(tenant: str) -> None:
        queue.push(ticket(tenant, key=draw.choice("xy"), cost=draw.randint(1, 50)))

    for tenant in weights:
        for _ in range(3):
            push(tenant)
    for _ in range(300):
        served = queue.pop(always)
        assert served is not None
        work[served.tenant] += round(served.cost)
        push(served.tenant)
    normalised = [work[tenant] / weight for tenant, weight in weights.items()]
    # Nobody is ahead of another by more than one request of each.
    assert max(normalised) - min(normalised) <= 2 * 50 / min(weights.values())


def test_keys_of_a_tenant_share_equally() -> None:
    queue = FairQueue(Clock())
    for _ in range(50):
        queue.push(ticket("a", key="greedy"))
    for _ in range(5):
        queue.push(ticket("a", key="modest"))
        queue.push(ticket("b"))
    served = serve(queue, 20)
    assert Counter(each.tenant for each in served) == {"a": 15, "b": 5}
    assert Counter(each.key for each in served if each.tenant == "a") == {"greedy": 10, "modest": 5}


def test_what_was_used_while_nobody_waited_is_no_debt() -> None:
    queue = FairQueue(Clock())
    for _ in range(1000):
        queue.begin(ticket("early"))
    for _ in range(20):
        queue.push(ticket("new"))
    for _ in range(20):
        queue.push(ticket("early"))
    # But for the one that began last.
    assert Counter(each.tenant for each in serve(queue, 20))["early"] in (9, 10)


def test_nobody_saves_up_while_idle() -> None:
    queue = FairQueue(Clock())
    for _ in range(200):
        queue.push(ticket("busy"))
    serve(queue, 100)
    for _ in range(50):
        queue.push(ticket("idle"))
    assert Counter(each.tenant for each in serve(queue, 20)) == {"busy": 10, "idle": 10}


def test_settled_work_counts_as_it_was() -> None:
    queue = FairQueue(Clock())
    for _ in range(100):
        queue.push(ticket("cautious"))
        queue.push(ticket("exact"))
    counts: Counter[str] = Counter()
    for _ in range(60):
        served = queue.pop(always)
        assert served is not None
        counts[served.tenant] += 1
        # The cautious one asks for twice of what it takes.
        queue.settle(served, 5 if served.tenant == "cautious" else 10)
    assert counts["cautious"] == pytest.approx(40, abs=2)


def test_what_has_aged_gets_one_turn_in_ten() -> None:
    clock = Clock()
    queue = FairQueue(clock, age_s=30)
    for _ in range(20):
        queue.push(ticket(priority=SOMETIME))
    for _ in range(200):
        queue.push(ticket(at=0))
    assert all(each.priority is NOW for each in serve(queue, 50))
    clock.now = 31
    served = serve(queue, 100)
    assert Counter(each.priority for each in served) == {NOW: 90, SOMETIME: 10}
    assert all(each.priority is NOW for each in served[:8])


@given(st.lists(st.sampled_from(list(Priority)), min_size=1, max_size=40), st.integers(1, 5))
def test_nothing_starves_however_many_come_after(classes: list[Priority], rate: int) -> None:
    clock = Clock()
    queue = FairQueue(clock, age_s=10)
    waiting = {ticket(priority=priority, tenant=str(number % 3)) for number, priority in enumerate(classes)}
    for each in waiting:
        queue.push(each)
    for _ in range(11 + 11 * 2 * len(classes)):
        clock.now += 1
        for _ in range(rate):
            queue.push(ticket("flood", at=clock.now))
        served = queue.pop(always)
        assert served is not None
        waiting.discard(served)
    assert not waiting


def test_no_room_for_a_higher_class_is_not_given_to_a_lower_one() -> None:
    queue = FairQueue(Clock())
    queue.push(ticket(tokens=100))
    queue.push(ticket(priority=SOMETIME))
    assert queue.pop(lambda each: each.tokens <= 50) is None
    assert [each.priority for each in serve(queue, 2)] == [NOW, SOMETIME]


def test_small_ones_pass_a_large_one_only_so_often() -> None:
    queue = FairQueue(Clock())
    large = ticket("large", tokens=100)
    queue.push(large)
    for _ in range(100):
        queue.push(ticket("small"))
    served = serve(queue, 100, lambda each: each.tokens <= 50)
    assert len(served) == MOST_OVERTAKEN
    assert queue.pop(always) is large


def test_an_aged_one_without_room_blocks_nobody_for_long() -> None:
    clock = Clock()
    queue = FairQueue(clock, age_s=10, aged_every=2)
    large = ticket("batch", priority=SOMETIME, tokens=100)
    queue.push(large)
    for _ in range(100):
        queue.push(ticket())
    clock.now = 20
    served = serve(queue, 60, lambda each: each.tokens <= 50)
    assert len(served) >= MOST_OVERTAKEN
    assert queue.pop(always) is large


def test_the_wait_of_a_small_tenant_is_not_that_of_the_line() -> None:
    queue = FairQueue(Clock())
    for _ in range(30):
        queue.push(ticket("loud"))
    assert queue.ahead(ticket("loud")) == 300
    assert queue.ahead(ticket("quiet")) == 0
    queue.push(ticket("quiet"))
    assert queue.ahead(ticket("quiet")) == 20
    # Never more than all of it.
    assert queue.ahead(ticket("loud")) == 310
    # A lower class waits for all of the higher ones.
    assert queue.ahead(ticket("quiet", priority=SOMETIME)) == 310


def test_who_makes_room() -> None:
    queue = FairQueue(Clock())
    loud = [ticket("loud") for _ in range(5)]
    for each in loud:
        queue.push(each)
    assert queue.newest_of_longest(ticket("quiet")) is loud[-1]
    assert queue.newest_of_longest(ticket("loud")) is None
    assert queue.newest_of_longest(ticket("quiet", cost=100)) is None
    assert queue.newest_of_longest(ticket("quiet", priority=LATER)) is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.booleans()), max_size=60))
def test_removed_tickets_leave_nothing_behind(steps: list[tuple[str, str, bool]]) -> None:
    queue = FairQueue(Clock())
    waiting: list[Ticket] = []
    for tenant, key, take in steps:
        if take and waiting:
            queue.remove(waiting.pop(len(waiting) // 2))
        else:
            waiting.append(ticket(tenant, key, cost=0.1))
            queue.push(waiting[-1])
        assert len(queue) == len(waiting)
    for each in waiting:
        queue.remove(each)
    with pytest.raises(ValueError, match="wait"):
        queue.remove(ticket())
    assert queue.ahead(ticket("z", priority=SOMETIME)) == 0
    assert queue.pop(always) is None
