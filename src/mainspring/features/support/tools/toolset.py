"""The toolset of the shop."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from mainspring.agents.handover import Desk
from mainspring.agents.tools.base import BaseTool, ToolContext, ToolPolicy
from mainspring.agents.tools.functions import FunctionTool
from mainspring.core.types import Context
from mainspring.features.support.shop.model import Shop
from mainspring.features.support.tools.base import IDENTIFIES, READS, WRITES, Refusal
from mainspring.features.support.tools.handover_tools import People
from mainspring.features.support.tools.knowledge import Knowledge
from mainspring.features.support.tools.reading import Reading
from mainspring.features.support.tools.writing import Writing

_APPROVED = ToolPolicy(effect="keyed", timeout_s=10, approval=True)
_SEARCH = ToolPolicy(timeout_s=20)


class ShopTools:
    """A toolset over ``shop``, made when it is first asked for: the shop may open after the agents."""

    name = "shop"

    def __init__(
        self, shop: Callable[[], Shop], desk: Callable[[], Desk | None], knowledge: Knowledge | None = None
    ) -> None:
        self._shop, self._desk, self._knowledge = shop, desk, knowledge
        self._made: tuple[BaseTool, ...] = ()

    async def tools(self, context: Context) -> Sequence[BaseTool]:  # noqa: ARG002
        if not self._made:
            self._made = made(self._shop(), self._desk, self._knowledge)
        return self._made

    async def aclose(self) -> None:
        """Nothing is held."""


def made(shop: Shop, desk: Callable[[], Desk | None], knowledge: Knowledge | None) -> tuple[BaseTool, ...]:
    """The tools over ``shop``."""
    reading, writing, people = Reading(shop), Writing(shop), People(shop, desk)
    reads = (
        reading.list_orders,
        reading.get_order,
        reading.track_shipment,
        reading.refund_status,
        reading.repair_status,
        reading.check_return,
        reading.check_warranty,
        reading.check_gift_card,
        reading.check_price_match,
        people.ticket_status,
    )
    writes = (
        writing.cancel_order,
        writing.change_address,
        writing.start_return,
        writing.exchange_size,
        writing.claim_warranty,
        writing.report_parcel,
        writing.request_price_match,
        people.create_ticket,
        people.escalate,
    )
    found: list[BaseTool] = [_tool(reading.identify_customer, IDENTIFIES)]
    found += [_tool(each, READS) for each in reads]
    found += [_tool(each, WRITES) for each in writes]
    found.append(_tool(writing.approved_return, _APPROVED))
    if knowledge is not None:
        found.append(FunctionTool(knowledge.search_policies, policy=_SEARCH))
    return tuple(found)


def _tool(function: Callable[..., Awaitable[dict[str, Any]]], policy: ToolPolicy) -> FunctionTool:
    @functools.wraps(function)
    async def guarded(**named: Any) -> dict[str, Any]:
        context: ToolContext = named["context"]
        put_back = context.context.privacy.put_back
        # Models and records see placeholders of personal data; only the shop sees the data.
        told = {name: put_back(each) if isinstance(each, str) else each for name, each in named.items()}
        try:
            return await function(**told)
        except Refusal as refusal:
            return refusal.result

    return FunctionTool(guarded, policy=policy)
