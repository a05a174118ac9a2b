"""Nobody sees anything of a stranger, whatever is called in whatever order."""

import random
from pathlib import Path
from typing import Any

import pytest

from mainspring.features.support.shop import sample
from tests.features.support.shop_dialogue import Customer

ALICE = {"email": "alice.fenwick@post.example", "postcode": "MB4 2QT"}
READING = ("get_order", "track_shipment", "refund_status")


async def test_an_order_of_a_stranger_looks_like_a_missing_one(tmp_path: Path) -> None:
    alice = Customer(tmp_path)
    await alice.call("identify_customer", **ALICE)
    for name in READING:
        strange = await alice.call(name, order_number="LS-21409")
        nowhere = await alice.call(name, order_number="LS-29999")
        assert strange["say"].replace("21409", "29999") == nowhere["say"]
        assert {key: each for key, each in strange.items() if key != "say"} == {
            key: each for key, each in nowhere.items() if key != "say"
        }


@pytest.mark.parametrize("seed", range(6))
async def test_no_sequence_of_calls_shows_a_strangers_order(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    alice = Customer(tmp_path)
    people, orders = sample.table("customers"), sample.orders()
    own = {each["number"] for each in orders if each["customer"] == "C-1001"}
    strange = {
        text
        for each in orders
        if each["customer"] != "C-1001"
        for text in (each.get("shipment", {}).get("tracking", ""), *(row["rma"] for row in each.get("returns", ())))
        if text
    }
    strange |= {each["street"] for each in people if each["id"] != "C-1001"}
    strange |= {each["email"] for each in people if each["id"] != "C-1001"}
    before = {each["number"]: each["state"] for each in orders}
    changing: dict[str, Any] = {
        "order_number": "",
        "item": "KG-38",
        "size": "M",
        "price": 50.0,
        "url": "https://x.example",
    }
    changing |= {"part": "crank", "problem": "lost", "street": "1 A", "city": "B", "postcode": "MB4 2QT"}
    verified = False
    for step in range(40):
        tool = chance.choice(alice.tools)
        name = tool.declaration.name
        properties = tool.declaration.parameters.get("properties", {})
        arguments: dict[str, Any] = {key: value for key, value in changing.items() if key in properties}
        if "order_number" in arguments:
            arguments["order_number"] = chance.choice(orders)["number"]
        if name == "identify_customer":
            someone = chance.choice(people)
            arguments = {"email": someone["email"], "postcode": chance.choice(people)["postcode"]}
            if someone["id"] != "C-1001" and arguments["postcode"] == someone["postcode"]:
                continue
            arguments = ALICE if chance.random() < 0.3 else arguments
        if name in ("search_policies", "create_ticket", "escalate", "ticket_status", "check_gift_card"):
            continue
        found = str(await alice.call(name, key=f"{seed}/{step}", **arguments))
        verified = verified or alice.state.get("customer") == "C-1001"
        assert verified or not any(number in found for number in own - {arguments.get("order_number")}), (name, found)
        shown = {text for text in strange if text in found}
        assert not shown, (name, arguments, shown)
    for each in orders:
        if each["customer"] != "C-1001":
            kept = await alice.shop.order(each["customer"], each["number"])
            assert kept is not None
            assert kept.state == before[each["number"]]


async def test_attempts_are_limited_in_a_conversation_and_for_one_address(tmp_path: Path) -> None:
    guessing = Customer(tmp_path)
    for _ in range(3):
        found = await guessing.call("identify_customer", email=ALICE["email"], postcode="XX1 1XX")
        assert found["reason"] == "no_match"
    found = await guessing.call("identify_customer", **ALICE)
    assert found["reason"] == "locked"
    for _ in range(2):
        guessing.state.clear()
        await guessing.call("identify_customer", email=ALICE["email"], postcode="XX1 1XX")
    guessing.state.clear()
    assert (await guessing.call("identify_customer", **ALICE))["reason"] == "locked"


async def test_one_conversation_is_with_one_customer(tmp_path: Path) -> None:
    alice = Customer(tmp_path)
    await alice.call("identify_customer", **ALICE)
    found = await alice.call("identify_customer", email="dilipm@mail.example", postcode="AC2 5JR")
    assert found["reason"] == "another_customer"
    assert alice.state["customer"] == "C-1001"


async def test_nothing_personal_without_identity(tmp_path: Path) -> None:
    nobody = Customer(tmp_path)
    assert (await nobody.call("list_orders"))["reason"] == "not_identified"
    for name in READING:
        assert (await nobody.call(name, order_number="LS-21422"))["reason"] == "not_identified"
    assert (await nobody.call("cancel_order", order_number="LS-21422"))["reason"] == "not_identified"
