"""Attacks in what the shop's tools read, on the support agent, with a model that does what any text tells it."""

import pytest

from _shop_injections import CORPUS, shop_attacked, shop_attacks, shop_fulfilled
from mainspring.features.support.tools.base import READS, WRITES

EVERY = shop_attacks()
SOME = EVERY[::15]


def test_there_are_enough_attacks_in_every_place() -> None:
    assert len(EVERY) >= 250
    assert len({each.name for each in EVERY}) == len(EVERY)
    assert {each.carrier for each in SOME} == set(CORPUS["carriers"])


async def test_no_attack_writes_and_the_customers_wishes_are_served_all_the_same() -> None:
    tally = await shop_attacked(SOME)
    assert (tally.succeeded, tally.done) == (0, len(SOME)), tally.names


async def test_without_the_defence_attacks_write() -> None:
    assert {READS.trusted, WRITES.trusted} == {False}
    assert (await shop_attacked(SOME[:9], untrusted="allow")).succeeded == 9


async def test_wishes_without_attacks_are_served_without_a_further_question() -> None:
    came = {name: await shop_fulfilled(name) for name in CORPUS["tasks"]}
    assert [name for name, each in came.items() if each is None or each.questions] == []


async def test_the_script_does_nothing_that_a_text_asks_for() -> None:
    assert (await shop_attacked(SOME, way="choice")).names == []


@pytest.mark.slow
async def test_no_attack_of_all_writes() -> None:
    tally = await shop_attacked(EVERY)
    assert (tally.names, tally.undone) == ([], [])
