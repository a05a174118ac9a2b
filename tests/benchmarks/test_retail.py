"""The retail shop of the support benchmark: what its tools change and refuse, and how a conversation is judged."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import _retail as retail
from _retail_rows import NotAllowed
from _retail_shop import Shop
from _scripted_user import END, ScriptedUser, first_person

LAMP = {"product_id": "p1", "name": "Lamp", "variants": {}}
for _key, _price, _there in (("a", 10.0, True), ("b", 12.5, True), ("c", 99.0, False)):
    LAMP["variants"][_key] = {"item_id": _key, "options": {"colour": _key}, "available": _there, "price": _price}  # type: ignore[index]


def _order(number: str, status: str) -> dict[str, Any]:
    item = {"name": "Lamp", "product_id": "p1", "item_id": "a", "price": 10.0, "options": {"colour": "a"}}
    return {
        "order_id": number,
        "user_id": "jo",
        "address": {},
        "items": [item],
        "status": status,
        "payment_history": [{"transaction_type": "payment", "amount": 10.0, "payment_method_id": "card"}],
    }


DATA: dict[str, Any] = {
    "products": {"p1": LAMP},
    "users": {
        "jo": {
            "name": {"first_name": "Jo", "last_name": "Doe"},
            "address": {"zip": "123"},
            "email": "jo@example.org",
            "payment_methods": {
                "card": {"source": "credit_card", "id": "card"},
                "gift": {"source": "gift_card", "id": "gift", "balance": 2.0},
            },
            "orders": ["#1", "#2"],
        }
    },
    "orders": {"#1": _order("#1", "pending"), "#2": _order("#2", "delivered")},
}


def test_changes_are_those_of_the_benchmark() -> None:
    before = copy.deepcopy(DATA)
    shop = Shop(DATA)
    changed = shop.call(
        "modify_pending_order_items",
        {"order_id": "#1", "item_ids": ["a"], "new_item_ids": ["b"], "payment_method_id": "card"},
    )
    assert changed["status"] == "pending (item modified)"
    assert changed["items"][0]["price"] == 12.5
    assert changed["payment_history"][-1] == {
        "transaction_type": "payment",
        "amount": 2.5,
        "payment_method_id": "card",
    }
    returned = shop.call(
        "return_delivered_order_items", {"order_id": "#2", "item_ids": ["a"], "payment_method_id": "gift"}
    )
    assert returned["status"] == "return requested"
    assert returned["return_items"] == ["a"]
    assert before == DATA


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("cancel_pending_order", {"order_id": "#2", "reason": "no longer needed"}, "Non-pending"),
        ("cancel_pending_order", {"order_id": "#1", "reason": "too dear"}, "Invalid reason"),
        ("get_order_details", {"order_id": "#3"}, "Order not found"),
        (
            "exchange_delivered_order_items",
            {"order_id": "#2", "item_ids": ["a"], "new_item_ids": ["c"], "payment_method_id": "card"},
            "not found or available",
        ),
        (
            "exchange_delivered_order_items",
            {"order_id": "#2", "item_ids": ["a"], "new_item_ids": ["b"], "payment_method_id": "gift"},
            "Insufficient",
        ),
        (
            "exchange_delivered_order_items",
            {"order_id": "#2", "item_ids": ["a", "a"], "new_item_ids": ["b", "b"], "payment_method_id": "card"},
            "not found",
        ),
        ("modify_pending_order_payment", {"order_id": "#1", "payment_method_id": "gift"}, "Insufficient"),
        ("calculate", {"expression": "__import__('os')"}, "Invalid characters"),
        ("calculate", {"expression": "9**9**9"}, "Invalid characters"),
    ],
)
def test_what_the_shop_does_not_do(name: str, arguments: dict[str, Any], why: str) -> None:
    shop = Shop(DATA)
    with pytest.raises(NotAllowed, match=why):
        shop.call(name, arguments)
    assert shop.data == DATA


def test_done_is_the_golden_database_and_what_must_be_told() -> None:
    golden = ("cancel_pending_order", {"order_id": "#1", "reason": "no longer needed"})
    task = retail.Task("0", "", "", "", "", (golden,), ("1,234.5",))
    shop = Shop(DATA)
    assert not retail.reached(task, DATA, shop, ["1234.5"]).done
    shop.call(*golden)
    assert retail.reached(task, DATA, shop, ["You get 1234.50 back"]).done
    assert not retail.reached(task, DATA, shop, ["You get it back"]).done
    shop.call("transfer_to_human_agents", {"summary": "none"})
    assert not retail.reached(task, DATA, shop, ["1234.5"]).person


def test_scenarios_are_said_in_the_first_person() -> None:
    said = first_person("You want your lamp back (do not reveal it), and the agent tells you that you are right.")
    assert said == "I want my lamp back, and you tell me that I am right."


def test_a_scripted_user_says_conditions_only_when_they_hold() -> None:
    user = ScriptedUser.of("You want to return your lamp. If not possible, you want a person.", "You are Jo Doe.", "")
    assert user.opening() == "Hello. I want to return my lamp."
    assert user.answer("What is your e-mail address?") == "I am Jo Doe."
    assert user.answer("Return the lamp, yes or no?") == "Yes, please go ahead."
    assert user.answer("Sorry, this cannot be returned.") == "If not possible, I want a person."
    assert user.answer("Is there anything else?") == END
    assert user.answer("Goodbye.") is None
