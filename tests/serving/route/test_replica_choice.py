"""Which replica is chosen, as plain functions."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.settings.serving.routing import RouteArm, RouteSettings
from mainspring.core.types import ChatRequest, Message
from mainspring.serving.route import replica_choice
from mainspring.serving.route.replica_choice import BLOCK, KnownBlocks, ReplicaSnapshot
from mainspring.serving.route.traffic_split import arm_of, copied, unit
from tests.serving.house import visitor

SNAPSHOTS = st.lists(
    st.builds(
        ReplicaSnapshot,
        name=st.uuids().map(str),
        weight=st.floats(0.1, 10),
        tokens=st.integers(0, 10_000),
        running=st.integers(0, 32),
        expected_s=st.floats(0, 10),
        last=st.integers(0, 1000),
        held=st.integers(0, 8),
    ),
    min_size=1,
    max_size=8,
)


@given(SNAPSHOTS, st.integers(1, 5000), st.lists(st.integers(), max_size=4))
def test_every_policy_chooses_one_of_them(arms: list[ReplicaSnapshot], tokens: int, blocks: list[int]) -> None:
    for choose in (
        replica_choice.least_tokens,
        replica_choice.latency,
        replica_choice.weighted(random.Random(1)),
        replica_choice.prefix(1.25),
    ):
        assert 0 <= choose(arms, tokens, blocks) < len(arms)


@given(SNAPSHOTS, st.integers(1, 5000))
def test_least_tokens_is_least(arms: list[ReplicaSnapshot], tokens: int) -> None:
    chosen = arms[replica_choice.least_tokens(arms, tokens, [])]
    assert all(chosen.tokens / chosen.weight <= each.tokens / each.weight for each in arms)


@given(SNAPSHOTS, st.integers(1, 5000), st.lists(st.integers(), min_size=1, max_size=4))
def test_a_popular_prefix_heaps_up_nowhere(arms: list[ReplicaSnapshot], tokens: int, blocks: list[int]) -> None:
    chosen = arms[replica_choice.prefix(1.25)(arms, tokens, blocks)]
    mean = (sum(each.tokens for each in arms) + tokens) / sum(each.weight for each in arms)
    assert chosen.tokens / chosen.weight <= 1.25 * mean
    within = [each for each in arms if each.tokens / each.weight <= 1.25 * mean]
    assert chosen.held == max(each.held for each in within)


def test_equal_replicas_take_turns() -> None:
    last, given = [0, 0, 0], []
    for number in range(1, 31):
        arms = [ReplicaSnapshot(str(index), last=count) for index, count in enumerate(last)]
        given.append(replica_choice.least_tokens(arms, 10, []))
        last[given[-1]] = number
    assert given == [0, 1, 2] * 10


def test_latency_prefers_the_quick_until_it_is_busy() -> None:
    quick, slow = ReplicaSnapshot("quick", expected_s=0.1, running=1), ReplicaSnapshot("slow", expected_s=0.5)
    assert replica_choice.latency([quick, slow], 1, []) == 0
    assert replica_choice.latency([ReplicaSnapshot("quick", expected_s=0.1, running=9), slow], 1, []) == 1
    assert replica_choice.latency([quick, ReplicaSnapshot("new")], 1, []) == 1


def test_weights_are_kept() -> None:
    choose = replica_choice.weighted(random.Random(7))
    arms = [ReplicaSnapshot("a", weight=3), ReplicaSnapshot("b", weight=1)]
    counts = Counter(choose(arms, 1, []) for _ in range(4000))
    # Four standard deviations of a binomial.
    assert abs(counts[0] - 3000) < 4 * (4000 * 0.75 * 0.25) ** 0.5


def test_a_prompt_goes_where_its_beginning_is() -> None:
    system = "You are a patient clerk of the lending library. " * 20
    known = [KnownBlocks(), KnownBlocks()]
    known[1].add(replica_choice.block_keys(system + "first question"))
    blocks = replica_choice.block_keys(system + "another question")
    arms = [ReplicaSnapshot(str(index), held=each.held(blocks)) for index, each in enumerate(known)]
    assert arms[0].held == 0
    assert arms[1].held == len(system) // BLOCK
    assert replica_choice.prefix(1.25)(arms, 10, blocks) == 1


def test_new_beginnings_are_spread_and_stay() -> None:
    arms = [ReplicaSnapshot("a"), ReplicaSnapshot("b"), ReplicaSnapshot("c")]
    choose = replica_choice.prefix(1.25)
    places = {text: choose(arms, 10, [text]) for text in range(300)}
    assert {count > 60 for count in Counter(places.values()).values()} == {True}
    # Without c, what was not at c stays where it is.
    assert all(choose(arms[:2], 10, [text]) == place for text, place in places.items() if place != 2)


def test_blocks_depend_on_all_before_them() -> None:
    one, other = replica_choice.block_keys("a" * 3 * BLOCK), replica_choice.block_keys("b" + "a" * (3 * BLOCK - 1))
    assert len(one) == 3
    assert not set(one) & set(other)
    assert replica_choice.block_keys("short") == []


def test_what_is_known_is_bounded() -> None:
    known = KnownBlocks(most=4)
    known.add([1, 2, 3, 4, 5])
    assert known.held([1]) == 0
    assert known.held([2, 3, 9]) == 2
    known.clear()
    assert known.held([2]) == 0


def route(**weights: float) -> RouteSettings:
    return RouteSettings(arms={name: RouteArm(model=name, weight=weight) for name, weight in weights.items()})


@given(st.integers(0, 2**32), st.floats(0.05, 0.95))
def test_shares_are_kept(seed: int, share: float) -> None:
    settings = route(stable=1 - share, canary=share)
    count = sum(arm_of(settings, f"{seed}/{index}") == "canary" for index in range(1000))
    assert abs(count - 1000 * share) < 5 * (1000 * share * (1 - share)) ** 0.5 + 1


def test_a_larger_canary_keeps_its_sessions() -> None:
    before, after = route(stable=95, canary=5), route(stable=90, canary=10)
    units = [str(index) for index in range(3000)]
    first = {each for each in units if arm_of(before, each) == "canary"}
    second = {each for each in units if arm_of(after, each) == "canary"}
    assert first < second


def test_an_arm_without_weight_gets_nothing() -> None:
    assert {arm_of(route(stable=1, canary=0), str(index)) for index in range(200)} == {"stable"}


@pytest.mark.parametrize(
    ("sticky", "same"),
    [("session", {"session_id": "s"}), ("session", {"user": "u"}), ("key", {})],
)
def test_what_sticks(sticky: str, same: dict[str, str]) -> None:
    settings = route(a=1, b=1).model_copy(update={"sticky": sticky})
    request = ChatRequest("r", (Message("user", "Hi"),), **same)  # type: ignore[arg-type]
    assert unit("r", settings, request, visitor()) == unit("r", settings, request, visitor())
    # Two tenants may well call their sessions alike.
    assert unit("r", settings, request, visitor("acme")) != unit("r", settings, request, visitor("other"))


def test_nothing_sticks_without_a_session() -> None:
    settings = route(a=1, b=1)
    request = ChatRequest("r", (Message("user", "Hi"),))
    assert {arm_of(settings, unit("r", settings, request, visitor())) for _ in range(60)} == {"a", "b"}


def test_copies_are_a_share_of_traces() -> None:
    count = sum(copied(0.25, "trial", visitor()) for _ in range(2000))
    assert abs(count - 500) < 5 * (2000 * 0.25 * 0.75) ** 0.5
