"""Rows of the retail database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Data = dict[str, Any]


class NotAllowed(Exception):
    """The shop does not do what was asked; the message says why."""


def found(among: Mapping[str, Any], key: str, what: str) -> Data:
    if key not in among:
        raise NotAllowed(f"{what} not found")
    row: Data = among[key]
    return row


def all_there(order: Data, items: Sequence[str]) -> None:
    there = [each["item_id"] for each in order["items"]]
    for each in items:
        if list(items).count(each) > there.count(each):
            raise NotAllowed(f"Item {each} not found")


def payment(kind: str, amount: float, method: str) -> Data:
    return {"transaction_type": kind, "amount": amount, "payment_method_id": method}


def address(address1: str, address2: str, city: str, state: str, country: str, code: str) -> Data:
    return {
        "address1": address1,
        "address2": address2,
        "city": city,
        "country": country,
        "state": state,
        "zip": code,
    }
