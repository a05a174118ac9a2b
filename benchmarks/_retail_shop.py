"""The shop of tau2's retail domain: its tools over its database.

The semantics are those of sierra-research/tau2-bench (MIT). One difference: when several items of a pending order are
modified at once, each gets the price and the options of its own new variant; there all get those of the last one.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from _retail_rows import Data, NotAllowed, address, all_there, found, payment
from mainspring.agents.tools.base import ToolPolicy, ToolResult
from mainspring.agents.tools.functions import FunctionTool

READS, WRITES = ToolPolicy(trusted=True), ToolPolicy(effect="unkeyed", trusted=True)


class Shop:
    """The tools over a copy of a database. They raise ``NotAllowed``."""

    def __init__(self, data: Data) -> None:
        self.data = copy.deepcopy(data)
        self.calls: list[tuple[str, Mapping[str, Any]]] = []

    def find_user_id_by_email(self, email: str) -> str:
        """Find a customer's user id by e-mail address. This identifies the customer.

        Args:
            email: The e-mail address, such as 'something@example.com'.
        """
        return self._customer(lambda user: user["email"].lower() == email.lower())

    def find_user_id_by_name_zip(self, first_name: str, last_name: str, zip: str) -> str:  # noqa: A002
        """Find a customer's user id by first name, last name and zip code. By default, find it by e-mail address; call
        this only if the customer is not found by it or cannot remember it.

        Args:
            first_name: The first name, such as 'John'.
            last_name: The last name, such as 'Doe'.
            zip: The zip code, such as '12345'.
        """
        name = (first_name.lower(), last_name.lower())

        def meant(user: Data) -> bool:
            stored = (user["name"]["first_name"].lower(), user["name"]["last_name"].lower())
            return stored == name and user["address"]["zip"] == zip

        return self._customer(meant)

    def get_user_details(self, user_id: str) -> Data:
        """Get the details of a customer, with addresses, payment methods and the ids of orders.

        Args:
            user_id: The user id, such as 'sara_doe_496'.
        """
        return self._user(user_id)

    def get_order_details(self, order_id: str) -> Data:
        """Get the status and the details of an order.

        Args:
            order_id: The order id, such as '#W0000000'. It begins with '#'.
        """
        return self._order(order_id)

    def get_product_details(self, product_id: str) -> Data:
        """Get the variants of a product that are in stock, with their options and prices.

        Args:
            product_id: The product id, such as '6086499569'. It is different from the item id.
        """
        return self._product(product_id)

    def get_item_details(self, item_id: str) -> Data:
        """Get the options, the price and the availability of an item.

        Args:
            item_id: The item id, such as '6086499569'. It is different from the product id.
        """
        for product in self.data["products"].values():
            if item_id in product["variants"]:
                variant: Data = product["variants"][item_id]
                return variant
        raise NotAllowed("Item not found")

    def list_all_product_types(self) -> Data:
        """List the names and the product ids of all product types."""
        return {each["name"]: each["product_id"] for each in self.data["products"].values()}

    def calculate(self, expression: str) -> str:
        """Calculate the result of a mathematical expression.

        Args:
            expression: Numbers, operators (+, -, *, /), parentheses and spaces, such as '2 + 2'.
        """
        if not re.fullmatch(r"[0-9+\-*/(). ]{1,200}", expression) or "**" in expression:
            raise NotAllowed("Invalid characters in expression")
        try:
            return str(round(float(eval(expression, {"__builtins__": None}, {})), 2))
        except (SyntaxError, ZeroDivisionError, TypeError) as error:
            raise NotAllowed(f"Invalid expression: {error}") from error

    def cancel_pending_order(self, order_id: str, reason: Literal["no longer needed", "ordered by mistake"]) -> Data:
        """Cancel a pending order. An order that is processed or delivered cannot be cancelled. The customer must have
        confirmed the details (yes) before. A gift card is refunded at once, other payments within 5 to 7 business days.

        Args:
            order_id: The order id, such as '#W0000000'. It begins with '#'.
            reason: Why it is cancelled.
        """
        order = self._order(order_id)
        if order["status"] != "pending":
            raise NotAllowed("Non-pending order cannot be cancelled")
        if reason not in ("no longer needed", "ordered by mistake"):
            raise NotAllowed("Invalid reason")
        refunds = []
        for paid in order["payment_history"]:
            method = paid["payment_method_id"]
            refunds.append(payment("refund", paid["amount"], method))
            self._pay(order["user_id"], method, -paid["amount"])
        order["status"], order["cancel_reason"] = "cancelled", reason
        order["payment_history"].extend(refunds)
        return order

    def exchange_delivered_order_items(
        self, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
    ) -> Data:
        """Exchange items of a delivered order for new items of the same product type. This can be done once for an
        order. The customer must have confirmed the details (yes) before.

        Args:
            order_id: The order id, such as '#W0000000'. It begins with '#'.
            item_ids: The ids of the items to be exchanged.
            new_item_ids: The ids of the new items, each at the position of the old one.
            payment_method_id: Pays or receives the difference in price, such as 'gift_card_0000000'.
        """
        order = self._order(order_id)
        if order["status"] != "delivered":
            raise NotAllowed("Non-delivered order cannot be exchanged")
        difference = round(
            sum(new["price"] - old["price"] for old, new in self._pairs(order, item_ids, new_item_ids)), 2
        )
        self._covered(self._method(order["user_id"], payment_method_id), difference)
        order["status"] = "exchange requested"
        order["exchange_items"], order["exchange_new_items"] = sorted(item_ids), sorted(new_item_ids)
        order["exchange_payment_method_id"] = payment_method_id
        order["exchange_price_difference"] = difference
        return order

    def return_delivered_order_items(self, order_id: str, item_ids: list[str], payment_method_id: str) -> Data:
        """Return items of a delivered order. The customer must have confirmed the details (yes) before, and gets an
        e-mail that tells how to return them.

        Args:
            order_id: The order id, such as '#W0000000'. It begins with '#'.
            item_ids: The ids of the items to be returned.
            payment_method_id: Receives the refund: the original payment method or a gift card.
        """
        order = self._order(order_id)
        if order["status"] != "delivered":
            raise NotAllowed("Non-delivered order cannot be returned")
        method = self._method(order["user_id"], payment_method_id)
        original = order["payment_history"][0]["payment_method_id"]
        if method["source"] != "gift_card" and payment_method_id != original:
            raise NotAllowed("Payment method should be the original payment method")
        all_there(order, item_ids)
        order["status"] = "return requested"
        order["return_items"], order["return_payment_method_id"] = sorted(item_ids), payment_method_id
        return order

    def modify_pending_order_items(
        self, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
    ) -> Data:
        """Modify items of a pending order to new items of the same product type. This can be done once for an order.
        The customer must have confirmed the details (yes) before.

        Args:
            order_id: The order id, such as '#W0000000'. It begins with '#'.
            item_ids: The ids of the items to be modified.
            new_item_ids: The ids of the new items, each at the position of the old one.
            payment_method_id: Pays or receives the difference in price, such as 'gift_card_0000000'.
        """
        order = self._order(order_id)
        if order["status"] != "pending":
            raise NotAllowed("Non-pending order cannot be modified")
        if any(old == new for old, new in zip(item_ids, new_item_ids, strict=False)):
            raise NotAllowed("The new item id should be different from the old item id")
        pairs = self._pairs(order, item_ids, new_item_ids)
        difference = round(sum(new["price"] - old["price"] for old, new in pairs), 2)
        self._covered(self._method(order["user_id"], payment_method_id), difference)
        kind = "payment" if difference > 0 else "refund"
        order["payment_history"].append(payment(kind, abs(difference), payment_method_id))
        self._pay(order["user_id"], payment_method_id, difference)
        for old, new in pairs:
            old.update(item_id=new["item_id"], price=new["price"], options=copy.deepcopy(new["options"]))
        order["status"] = "pending (item modified)"
        return order

    def modify_pending_order_address(
        self,
        order_id: str,
        address1: str,
        address2: str,
        city: str,
        state: str,
        country: str,
        zip: str,  # noqa: A002
    ) -> Data:
        """Modify the shipping address of a pending order. The customer must have confirmed the details (yes) before.

        Args:
            order_id: The order id, such as '#W0000000'. It begins with '#'.
            address1: The first line, such as '123 Main St'.
            address2: The second line, such as 'Apt 1' or ''.
            city: The city, such as 'San Francisco'.
            state: The state, such as 'CA'.
            country: The country, such as 'USA'.
            zip: The zip code, such as '12345'.
        """
        order = self._order(order_id)
        self._pending(order)
        order["address"] = address(address1, address2, city, state, country, zip)
        return order

    def modify_pending_order_payment(self, order_id: str, payment_method_id: str) -> Data:
        """Modify the payment method of a pending order. The customer must have confirmed the details (yes) before.

        Args:
            order_id: The order id, such as '#W0000000'. It begins with '#'.
            payment_method_id: The new payment method, such as 'gift_card_0000000'.
        """
        order = self._order(order_id)
        self._pending(order)
        method = self._method(order["user_id"], payment_method_id)
        history = order["payment_history"]
        if len(history) != 1 or history[0]["transaction_type"] != "payment":
            raise NotAllowed("There should be exactly one payment for a pending order")
        before, amount = history[0]["payment_method_id"], history[0]["amount"]
        if before == payment_method_id:
            raise NotAllowed("The new payment method should be different from the current one")
        self._covered(method, amount)
        history += [payment("payment", amount, payment_method_id), payment("refund", amount, before)]
        self._pay(order["user_id"], payment_method_id, amount)
        self._pay(order["user_id"], before, -amount)
        return order

    def modify_user_address(
        self,
        user_id: str,
        address1: str,
        address2: str,
        city: str,
        state: str,
        country: str,
        zip: str,  # noqa: A002
    ) -> Data:
        """Modify the default address of a customer. The customer must have confirmed the details (yes) before.

        Args:
            user_id: The user id, such as 'sara_doe_496'.
            address1: The first line, such as '123 Main St'.
            address2: The second line, such as 'Apt 1' or ''.
            city: The city, such as 'San Francisco'.
            state: The state, such as 'CA'.
            country: The country, such as 'USA'.
            zip: The zip code, such as '12345'.
        """
        user = self._user(user_id)
        user["address"] = address(address1, address2, city, state, country, zip)
        return user

    def transfer_to_human_agents(self, summary: str) -> str:  # noqa: ARG002
        """Transfer the customer to a person, with a summary of what is wanted. Only if the customer asks for a person,
        or if the policy and the tools cannot solve it.

        Args:
            summary: What the customer wants.
        """
        return "Transfer successful"

    def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """The outcome of the tool ``name``. Raises ``NotAllowed``."""
        if name not in NAMES:
            raise NotAllowed(f"There is no tool {name}")
        result = getattr(self, name)(**arguments)
        self.calls.append((name, dict(arguments)))
        return copy.deepcopy(result)

    def tools(self) -> list[FunctionTool]:
        """The tools for an agent. What the shop does not do comes back as an error."""
        return [_Tool(self, name) for name in NAMES]

    def _customer(self, meant: Callable[[Data], bool]) -> str:
        for key, user in self.data["users"].items():
            if meant(user):
                return str(key)
        raise NotAllowed("User not found")

    def _user(self, key: str) -> Data:
        return found(self.data["users"], key, "User")

    def _order(self, key: str) -> Data:
        return found(self.data["orders"], key, "Order")

    def _product(self, key: str) -> Data:
        return found(self.data["products"], key, "Product")

    def _method(self, user: str, key: str) -> Data:
        return found(self._user(user)["payment_methods"], key, "Payment method")

    def _pending(self, order: Data) -> None:
        if "pending" not in order["status"]:
            raise NotAllowed("Non-pending order cannot be modified")

    def _covered(self, method: Data, amount: float) -> None:
        if method["source"] == "gift_card" and method["balance"] < amount:
            raise NotAllowed("Insufficient gift card balance to pay for it")

    def _pay(self, user: str, key: str, amount: float) -> None:
        """Take ``amount`` off a gift card; other methods have no balance here."""
        method = self._method(user, key)
        if method["source"] == "gift_card":
            method["balance"] = round(method["balance"] - amount, 2)

    def _pairs(self, order: Data, old: Sequence[str], new: Sequence[str]) -> list[tuple[Data, Data]]:
        all_there(order, old)
        if len(old) != len(new):
            raise NotAllowed("The number of items to be exchanged should match")
        pairs, free = [], list(order["items"])
        for before, after in zip(old, new, strict=True):
            item = next(each for each in free if each["item_id"] == before)
            free.remove(item)
            variant = self._product(item["product_id"])["variants"].get(after)
            if variant is None:
                raise NotAllowed("Variant not found")
            if not variant["available"]:
                raise NotAllowed(f"New item {after} not found or available")
            pairs.append((item, variant))
        return pairs


class _Tool(FunctionTool):
    """A tool of a shop whose refusals are errors for the model."""

    def __init__(self, shop: Shop, name: str) -> None:
        super().__init__(getattr(shop, name), policy=WRITES if name in CHANGES else READS)
        self._shop = shop

    async def call(self, arguments: Mapping[str, Any], context: Any) -> ToolResult:  # noqa: ARG002
        try:
            return ToolResult(self._shop.call(self.declaration.name, arguments))
        except NotAllowed as error:
            return ToolResult(error=str(error))
        except TypeError as error:
            return ToolResult(error=f"The arguments do not fit: {error}")


CHANGES = (
    "cancel_pending_order",
    "exchange_delivered_order_items",
    "return_delivered_order_items",
    "modify_pending_order_items",
    "modify_pending_order_address",
    "modify_pending_order_payment",
    "modify_user_address",
)
LOOK_UPS = (
    "find_user_id_by_email",
    "find_user_id_by_name_zip",
    "get_user_details",
    "get_order_details",
    "get_product_details",
    "get_item_details",
    "list_all_product_types",
    "calculate",
)
PERSON = "transfer_to_human_agents"
NAMES = (*LOOK_UPS, *CHANGES, PERSON)
