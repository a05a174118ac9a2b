"""Every write is refused outside its policy, allowed within it, and acts once for each key."""

from pathlib import Path
from typing import Any

import pytest

from tests.features.support.shop_dialogue import Customer

# Customer (e-mail, postcode), tool, arguments, and the reason of the refusal (empty: it is done).
ALICE, DILIP, IMOGEN = (
    ("alice.fenwick@post.example", "MB4 2QT"),
    ("dilipm@mail.example", "AC2 5JR"),
    (
        "imogens@mail.example",
        "AC1 1BB",
    ),
)
CASES: list[tuple[tuple[str, str], str, dict[str, Any], str]] = [
    (ALICE, "cancel_order", {"order_number": "LS-21422"}, ""),
    (DILIP, "cancel_order", {"order_number": "LS-21409"}, ""),
    (IMOGEN, "cancel_order", {"order_number": "LS-21399"}, "too_late"),
    (("maya.desai@post.example", "PW3 7KU"), "cancel_order", {"order_number": "LS-21394"}, "too_late"),
    (("uma.patel@post.example", "PW2 2NC"), "cancel_order", {"order_number": "LS-21234"}, ""),
    (("edith.marsh@post.example", "KE9 3LN"), "cancel_order", {"order_number": "LS-21333"}, "too_late"),
    (("kofi.mensah@post.example", "TS6 2WJ"), "cancel_order", {"order_number": "LS-20996"}, "too_late"),
    (ALICE, "change_address", {"order_number": "LS-21422", "street": "1 A", "city": "B", "postcode": "MB1 1AA"}, ""),
    (
        IMOGEN,
        "change_address",
        {"order_number": "LS-21399", "street": "1 A", "city": "B", "postcode": "MB1 1AA"},
        "too_late",
    ),
    (ALICE, "start_return", {"order_number": "LS-20644", "item": "TP-75"}, ""),  # festive, until 31 January
    (ALICE, "start_return", {"order_number": "LS-20644", "item": "TP-75", "used": True}, "policy"),  # 60 nights
    (ALICE, "start_return", {"order_number": "LS-21422", "item": "KG-38"}, "policy"),  # not delivered
    (("noahb@mail.example", "79098"), "start_return", {"order_number": "LS-20902", "item": "CS-26"}, "policy"),
    (("samirg@mail.example", "KE5 5DB"), "start_return", {"order_number": "LS-21207", "item": "CB-25"}, ""),
    (("pavel.horak@post.example", "NW1 2EF"), "start_return", {"order_number": "LS-20976", "item": "KG-38"}, "policy"),
    (("kofi.mensah@post.example", "TS6 2WJ"), "start_return", {"order_number": "LS-21267", "item": "FC-23"}, "policy"),
    (DILIP, "start_return", {"order_number": "LS-20914", "item": "TP-75"}, "policy"),  # open already
    (("daniel.frost@post.example", "NW9 1HJ"), "exchange_size", {"order_number": "LS-21168", "item": "JK-01"}, ""),
    (("elsie.brook@post.example", "SC2 1KD"), "exchange_size", {"order_number": "LS-21134", "item": "GL-01"}, "policy"),
    (ALICE, "claim_warranty", {"order_number": "LS-20160", "item": "KG-38", "part": "the burrs wobble"}, ""),
    (ALICE, "claim_warranty", {"order_number": "LS-20160", "item": "KG-38", "part": "the crank broke"}, "policy"),
    (("wendy.cho@post.example", "NW3 6ZA"), "report_parcel", {"order_number": "LS-21010", "problem": "lost"}, ""),
    (
        ("edith.marsh@post.example", "KE9 3LN"),
        "report_parcel",
        {"order_number": "LS-21333", "problem": "lost"},
        "policy",
    ),
    (
        ("kofi.mensah@post.example", "TS6 2WJ"),
        "report_parcel",
        {"order_number": "LS-21267", "problem": "damaged"},
        "",
    ),
    (
        ("nadia.petrova@post.example", "PW5 9EH"),
        "report_parcel",
        {"order_number": "LS-21069", "problem": "damaged"},
        "policy",
    ),
    (
        ("farid.haddad@post.example", "NW7 4PD"),
        "request_price_match",
        {"order_number": "LS-21183", "item": "KG-38", "price": 75.0, "url": "https://x.example"},
        "",
    ),
    (
        ("farid.haddad@post.example", "NW7 4PD"),
        "request_price_match",
        {"order_number": "LS-21183", "item": "KG-38", "price": 60.0, "url": "https://x.example"},
        "policy",
    ),
    (
        IMOGEN,
        "request_price_match",
        {"order_number": "LS-20955", "item": "RS-30", "price": 80.0, "url": "https://x.example"},
        "policy",
    ),
]


@pytest.mark.parametrize(("who", "tool", "arguments", "reason"), CASES)
async def test_writes_keep_their_policy(
    tmp_path: Path, who: tuple[str, str], tool: str, arguments: dict[str, Any], reason: str
) -> None:
    customer = Customer(tmp_path)
    assert (await customer.call("identify_customer", email=who[0], postcode=who[1]))["verified"]
    if tool == "exchange_size":
        order = await customer.shop.order(customer.state["customer"], arguments["order_number"])
        assert order is not None
        arguments = {**arguments, "size": next(each for each in ("S", "M") if each != order.items[0].size)}
    found = await customer.call(tool, **arguments)
    if reason:
        assert found["refused"], found
        assert found["reason"] == reason, found
        assert found["source"] in found["say"]
        assert not await customer.shop.tickets()
    else:
        assert not found.get("refused"), found


async def test_a_call_acts_once_for_each_key(tmp_path: Path) -> None:
    alice = Customer(tmp_path)
    await alice.call("identify_customer", email=ALICE[0], postcode=ALICE[1])
    first = await alice.call("start_return", key="a", order_number="LS-20644", item="TP-75")
    again = await alice.call("start_return", key="a", order_number="LS-20644", item="TP-75")
    assert first == again
    order = await alice.shop.order("C-1001", "LS-20644")
    assert order is not None
    assert [each["rma"] for each in order.returns] == [first["rma"]]
    other = await alice.call("start_return", key="b", order_number="LS-20644", item="TP-75")
    assert other["reason"] == "policy"


async def test_splitting_a_return_does_not_avoid_the_approval(tmp_path: Path) -> None:
    hugo = Customer(tmp_path)
    await hugo.call("identify_customer", email="hugos@mail.example", postcode="KE7 8CA")
    for key, sku in enumerate(("JK-01", "RS-30")):
        found = await hugo.call("start_return", key=str(key), order_number="LS-21113", item=sku)
        assert not found.get("refused"), found
    last = await hugo.call("start_return", key="last", order_number="LS-21113", item="CS-26")
    assert last["reason"] == "needs_approval"
    assert hugo.tool("approved_return").policy.approval is True
    approved = await hugo.call("approved_return", key="person", order_number="LS-21113", item="CS-26")
    assert approved["rma"]


async def test_a_refused_write_changes_nothing(tmp_path: Path) -> None:
    imogen = Customer(tmp_path)
    await imogen.call("identify_customer", email=IMOGEN[0], postcode=IMOGEN[1])
    await imogen.call("cancel_order", order_number="LS-21399")
    order = await imogen.shop.order(imogen.state["customer"], "LS-21399")
    assert order is not None
    assert order.state == "packing"
