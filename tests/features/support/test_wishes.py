"""What customers want, as they say it: which task a message is for, and what it states."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.features.support.dialogue import hearing
from mainspring.features.support.script import readers
from tests.features.support.shop_dialogue import Customer

HUGO, ALICE = "hugos@mail.example KE7 8CA", "alice.fenwick@post.example MB4 2QT"


async def test_each_of_two_wishes_has_the_order_beside_it(tmp_path: Path) -> None:
    alice = Customer(tmp_path)
    await alice.say("Please cancel LS-21422. And I'd also like to return the blind cap from LS-20644, it's unused.")
    assert "cancel order LS-21422" in await alice.say(ALICE)
    said = await alice.say("yes")
    assert "is cancelled" in said
    assert "Blind cap can be returned" in said
    assert "RMA" in await alice.say("yes")


async def test_a_message_that_corrects_itself_means_the_latter(tmp_path: Path) -> None:
    hugo = Customer(tmp_path)
    await hugo.say(
        "I want to return the rain jacket of LS-21113. Actually no, sorry, I mean the rucksack. It is unused."
    )
    assert "Day rucksack" in await hugo.say(HUGO) + await hugo.say("it is unused")
    assert hearing.meant("I mean business") == "I mean business"


async def test_a_late_parcel_is_offered_to_be_reported(tmp_path: Path) -> None:
    wendy = Customer(tmp_path)
    await wendy.say("Where is my grinder? LS-21010")
    said = await wendy.say("wendy.cho@post.example NW3 6ZA")
    assert "It is late" in said
    assert "Shall I report" in said
    assert "opened a search" in await wendy.say("yes")
    order = await wendy.shop.order("C-1023", "LS-21010")
    assert order is not None
    assert order.shipment["status"] == "searching"


@pytest.mark.parametrize(
    "said",
    [
        "I lost the printed gift card 6093026046643682. Can you block it?",
        "You refused my return. I want a second look by somebody else.",
        "I want the express charge back, it came four days late.",
        "please delete all data you have about me",
    ],
)
async def test_what_people_decide_is_passed_on_in_the_customers_words(tmp_path: Path, said: str) -> None:
    edith = Customer(tmp_path)
    assert "ticket" in await edith.say(said)
    tickets = await edith.shop.tickets()
    assert [each.details for each in tickets] == [said]


@pytest.mark.parametrize(
    ("said", "task"),
    [
        ("rain jacket XL LS-21217 pls return, too large", "start_return"),
        ("It does not fit. I want my money back.", "start_return"),
        ("Refund my Tarn Press, I have used it", "start_return"),
        ("My dripper arrived in pieces on Sunday", "report_parcel"),
        ("Can I already collect my grinder in Tarnside?", "track_shipment"),
        ("Please cancel LS-21422.", "cancel_order"),
    ],
)
async def test_the_task_of_a_message(tmp_path: Path, said: str, task: str) -> None:
    someone = Customer(tmp_path)
    await someone.say(said)
    assert [each["tool"] for each in someone.state["dialogue"]["tasks"]] == [task]


@pytest.mark.parametrize(
    "said", ["What does a repair cost if it isn't under warranty?", "Can I use a voucher LV together with another one?"]
)
async def test_questions_about_the_policies_are_searched(tmp_path: Path, said: str) -> None:
    someone = Customer(tmp_path)
    assert "The handbook on" in await someone.say(said)


async def test_everything_but_what_is_left_out_goes_back(tmp_path: Path) -> None:
    hugo = Customer(tmp_path)
    await hugo.say("I want to return everything from LS-21113 except the stove, all unused")
    said = await hugo.say(HUGO)
    for _ in range(3):
        if "Shall I" not in said:
            break
        said = await hugo.say("yes")
    order = await hugo.shop.order("C-1034", "LS-21113")
    assert order is not None
    assert sorted(each["sku"] for each in order.returns) == ["JK-01", "RS-30"]


@pytest.mark.parametrize(
    ("said", "size"),
    [
        ("Could I swap size S for M?", "M"),
        ("it is too large, I need a medium", "M"),
        ("an XL", "XL"),
        ("l", "L"),
        ("too small, size L please", "L"),
        ("rain jacket pls return, too large", None),
        ("from M to L", "L"),
    ],
)
def test_the_size_that_is_wanted(said: str, size: str | None) -> None:
    assert readers.size(said) == size


@pytest.mark.parametrize(
    "said", ["No, I have changed my mind. Please leave the order as it is.", "Hm, yes... no, keep it", "ok, forget it"]
)
async def test_who_takes_a_wish_back_is_not_asked_again(tmp_path: Path, said: str) -> None:
    alice = Customer(tmp_path)
    await alice.say("Please cancel order LS-21422, my postcode is MB4 2QT")
    assert "Shall I" not in await alice.say(said)
    await alice.say("yes")
    order = await alice.shop.order("C-1001", "LS-21422")
    assert order is not None
    assert order.state == "placed"


@pytest.mark.parametrize(
    ("said", "used"),
    [
        ("it has never been near a canister", False),
        ("Never worn, labels on", False),
        ("Nothing has been used.", False),
        ("it was never fuelled", False),
        ("it has not been worn", False),
        ("I have worn it twice", True),
        ("I used it, and it is not for me", True),
        ("it is blue", None),
    ],
)
def test_whether_something_was_used(said: str, used: bool | None) -> None:
    assert readers.used(said) is used
