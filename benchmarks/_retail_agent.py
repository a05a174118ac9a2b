"""An agent for the retail shop whose dialogue is a plan: identity, all wishes at once, one confirmation, the writes.

No model is asked. It is what the shop's policy and the descriptions of its tools say, as rules; it calls the tools
that any agent is given, and knows of a customer only what they tell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from _retail_plan import Plan, World
from _retail_planner import VERBS, plan
from _retail_reading import named
from _retail_rows import Data, NotAllowed
from _retail_shop import Shop
from mainspring.core.types import Message

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_ZIP = re.compile(r"\b\d{5}\b")
_ID = re.compile(r"\b([a-z]+)_([a-z]+)_\d{3,5}\b")
_NAME = re.compile(r"(?:\bI am|\bI'm|\b[Mm]y name is|\bname:?|^)\s+([A-Z][\w'-]+)\s+([A-Z][\w'-]+)")
_YES = re.compile(r"^\s*(?:yes|sure|ok|okay|correct|please (?:do|go ahead)|go ahead|confirm)", re.I)
_NO = re.compile(r"^\s*no\b|\b(?:don't do|do not do|regret|keep it|keep them|changed my mind|never ?mind|stop)\b", re.I)
_ONLY = re.compile(r"\bonly\b(.*)", re.I)
_PERSON = re.compile(r"\b(?:human|representative|a person|real person|agent|supervisor|manager)\b", re.I)
_PAYS = re.compile(r"\b(paypal|gift ?card|credit ?card|original|same (?:payment|card|method))\b", re.I)
_BYE = re.compile(r"\b(?:goodbye|that is all|bye)\b", re.I)
_ADDRESS = re.compile(
    r"(?P<address1>\d+ [A-Z][\w' ]+?)(?:,\s*(?P<address2>(?:Suite|Apt|Unit|Apartment)\.? ?\w+))?,\s*(?:in )?"
    r"(?P<city>[A-Z][\w ]+?),?\s+(?:(?P<state>[A-Z]{2}),?\s+)?(?:(?:USA|zip|zipcode)\W*)*(?P<zip>\d{5})"
)
_STATES = {
    "denver": "CO", "jacksonville": "FL", "columbus": "OH", "dallas": "TX", "new york": "NY", "san diego": "CA",
    "san francisco": "CA", "phoenix": "AZ", "charlotte": "NC", "austin": "TX", "philadelphia": "PA", "san jose": "CA",
    "los angeles": "CA", "fort worth": "TX", "san antonio": "TX", "washington": "DC", "seattle": "WA",
    "indianapolis": "IN", "chicago": "IL", "houston": "TX",
}  # fmt: skip
WHO = "What is your e-mail address? If you do not remember it: your full name and your zip code, please."
MORE = "Is there anything else?"
HELD = "YOU ARE BEING TRANSFERRED TO A HUMAN AGENT. PLEASE HOLD ON."


@dataclass(slots=True)
class PlanningAgent:
    """One conversation over ``shop``."""

    shop: Shop
    world: World | None = None
    wishes: list[str] = field(default_factory=list)
    everything: str = ""
    pending: Plan | None = None
    told: set[str] = field(default_factory=set)
    seen: int = 0
    asked: str = ""
    done: list[float] = field(default_factory=list)

    async def answer(self, messages: Sequence[Message], spent: Any) -> str:  # noqa: ARG002
        """What the agent says next."""
        said = messages[-1].content
        self.everything += "\n" + said
        if self.world is None:
            if not self.asked or VERBS.search(said):
                self.wishes.append(said)
            return self._identify() or self._plan("")
        if _BYE.search(said):
            return "Goodbye."
        if self.pending is not None:
            return self._confirmed(said, self.pending)
        if _YES.search(said) and len(said.split()) < 8:
            return f"There is nothing to confirm. {MORE}"
        if _PERSON.search(said):
            self.shop.call("transfer_to_human_agents", {"summary": " ".join(self.wishes)[:500]})
            return HELD
        self.wishes.append(said)
        return self._plan(said)

    def _identify(self) -> str:
        """Find the customer; the question for it if it is not known who speaks."""
        tries: list[tuple[str, dict[str, str]]] = []
        for email in _EMAIL.findall(self.everything):
            tries.append(("find_user_id_by_email", {"email": email.rstrip(".")}))
        codes = _ZIP.findall(self.everything)
        names = [
            *_NAME.findall(self.everything),
            *(tuple(map(str.title, each)) for each in _ID.findall(self.everything)),
        ]
        for first, last in names:
            for code in codes:
                tries.append(("find_user_id_by_name_zip", {"first_name": first, "last_name": last, "zip": code}))
        for name, arguments in tries:
            try:
                user = self.shop.call(name, arguments)
            except NotAllowed:
                continue
            self._load(user)
            return ""
        self.asked = "who"
        return ("I could not find you. " if tries else "") + WHO

    def _load(self, user: str) -> None:
        first = self.world.first_address if self.world else None
        details = self.shop.call("get_user_details", {"user_id": user})
        orders = [self.shop.call("get_order_details", {"order_id": each}) for each in details["orders"]]
        kinds = {item["product_id"] for order in orders for item in order["items"]}
        products = {each: self.shop.call("get_product_details", {"product_id": each}) for each in sorted(kinds)}
        self.world = World(details, orders, products, first or details["address"])

    def _plan(self, latest: str) -> str:
        """Tell what cannot be done, and ask to confirm what can."""
        assert self.world is not None
        said = "\n".join(self.wishes)
        facts = self._facts(latest or said)
        made = plan(said, self.world, self._payment(said), self._address(said))
        new = [each for each in made.problems if each not in self.told]
        self.told.update(new)
        parts = [*facts, *new]
        if made.asks and made.asks not in self.told and not made.calls:
            self.told.add(made.asks)
            return " ".join([*parts, made.asks])
        if not made.calls:
            return " ".join(parts or ["I could not find anything to change for this."]) + " " + MORE
        self.pending = made
        total = round(sum(made.money), 2)
        sums = (
            f" You get back ${total:.2f} in all." if total > 0 else f" You pay ${-total:.2f} in all." if total else ""
        )
        return (
            " ".join(parts) + " I would do this: " + "; ".join(made.lines) + f".{sums} Do you confirm this (yes or no)?"
        )

    def _confirmed(self, said: str, made: Plan) -> str:
        """After the question for a confirmation."""
        only = _ONLY.search(said)
        if _PERSON.search(said):
            self.shop.call("transfer_to_human_agents", {"summary": " ".join(self.wishes)[:500]})
            return HELD
        if _YES.search(said) and not only:
            self.pending, self.wishes = None, []
            return self._act(made)
        self.pending = None
        if only:
            self.wishes = [f"{each}" for each in [*self.wishes]]
            kept = [name for name in self.world.names() if named(name, only.group(1), self.world.names()) >= 0]  # type: ignore[union-attr]
            if kept:
                return self._restricted(made, kept)
        if _NO.search(said) and len(said.split()) < 30 and not re.search(r"\b(?:instead|rather)\b", said, re.I):
            self.wishes = []
            return f"All right, I leave it as it is. {MORE}"
        self.wishes.append(said)
        return self._plan(said)

    def _restricted(self, made: Plan, kept: Sequence[str]) -> str:
        """The same plan for these products only."""
        assert self.world is not None
        ids = {item["item_id"] for order in self.world.orders for item in order["items"] if item["name"] in kept}
        left = Plan()
        for (tool, arguments), line, money in zip(made.calls, made.lines, made.money, strict=True):
            if "item_ids" not in arguments:
                continue
            places = [at for at, each in enumerate(arguments["item_ids"]) if each in ids]
            if places:
                shorter = dict(arguments, item_ids=[arguments["item_ids"][at] for at in places])
                if "new_item_ids" in arguments:
                    shorter["new_item_ids"] = [arguments["new_item_ids"][at] for at in places]
                left.calls.append((tool, shorter))
                left.lines.append(line if len(places) == len(arguments["item_ids"]) else f"only {' and '.join(kept)}")
                left.money.append(money)
        self.pending = left
        return "I would do this: " + "; ".join(left.lines) + ". Do you confirm this (yes or no)?"

    def _act(self, made: Plan) -> str:
        told = []
        for (tool, arguments), line, money in zip(made.calls, made.lines, made.money, strict=True):
            try:
                self.shop.call(tool, arguments)
            except NotAllowed as error:
                told.append(f"This was not possible: {line}. {error}.")
            else:
                told.append(f"Done: {line}.")
                self.done.append(money)
        assert self.world is not None
        self._load(self.world.user["user_id"])
        for key, each in self.world.user["payment_methods"].items():
            if each["source"] == "gift_card":
                told.append(f"The balance of {key} is ${each['balance']:.2f}.")
        if self.done:
            told.append(f"In all that is ${abs(round(sum(self.done), 2)):.2f}.")
        return " ".join(told) + " " + MORE

    def _payment(self, said: str) -> str:
        found = _PAYS.findall(said)
        chosen = next((each for each in found if not each.lower().startswith(("original", "same"))), "")
        if re.search(r"original payment|original (?:method|card)", said, re.I):
            return "original"
        return chosen

    def _address(self, said: str) -> Data | None:
        found = list(_ADDRESS.finditer(said))
        if not found:
            return None
        read = found[-1]
        city = read["city"].strip()
        known = {each["city"]: each["state"] for each in self._places()}
        state = read["state"] or known.get(city) or _STATES.get(city.lower(), "")
        return {
            "address1": read["address1"],
            "address2": read["address2"] or "",
            "city": city,
            "state": state,
            "country": "USA",
            "zip": read["zip"],
        }

    def _places(self) -> list[Data]:
        assert self.world is not None
        return [self.world.user["address"], *(each["address"] for each in self.world.orders)]

    def _facts(self, said: str) -> list[str]:
        """Answers to questions about products and orders, in the words of the tools."""
        assert self.world is not None
        if not re.search(
            r"\?|\b(?:how many|how much|know|tell me|which|what|check|total|price|status|track\w*)\b", said, re.I
        ):
            return []
        told = []
        kinds = self.shop.call("list_all_product_types", {})
        for name, key in kinds.items():
            if named(name, said, kinds) >= 0 and re.search(
                r"how many|options|available|stock|variant|price|cheapest", said
            ):
                product = self.shop.call("get_product_details", {"product_id": key})
                there = [each for each in product["variants"].values() if each["available"]]
                told.append(f"There are {len(there)} {name} options available.")
        for key, each in self.world.user["payment_methods"].items():
            if each["source"] == "gift_card" and re.search(r"balance|gift ?card", said, re.I):
                told.append(f"The balance of {key} is ${each['balance']:.2f}.")
        names = self.world.names()
        about = [
            order
            for order in self.world.orders
            if order["order_id"] in said or any(named(each["name"], said, names) >= 0 for each in order["items"])
        ]
        for order in about or self.world.orders:
            items = "; ".join(
                f"{each['name']} ({', '.join(f'{name} {value}' for name, value in each['options'].items())}), "
                f"${each['price']}"
                for each in order["items"]
            )
            tracking = ", ".join(each for found in order["fulfillments"] for each in found["tracking_id"])
            total = sum(each["price"] for each in order["items"])
            state = f"Order {order['order_id']} is {order['status']}"
            told.append(f"{state}: {items}; ${total:.2f}; tracking {tracking or 'none yet'}.")
        return told
