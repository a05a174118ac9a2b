"""Tools that bring people in: tickets, escalations, and where they stand; through the desk where there is one."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from mainspring.agents.handover import Desk, NewCase
from mainspring.agents.tools.base import ToolContext
from mainspring.core.errors import NotFound
from mainspring.features.support.shop.model import Ledger, Shop, Ticket
from mainspring.features.support.tools.base import CUSTOMER, Result, number_of, told

_URGENT = ("lawyer", "sue", "ombudsman", "upset", "unsafe", "gas", "fire", "burn", "injur")


class People:
    """Over ``shop``. ``desk`` finds the desk (None: there is none, and the shop keeps the tickets itself)."""

    def __init__(self, shop: Shop, desk: Callable[[], Desk | None]) -> None:
        self.shop = shop
        self._desk = desk

    async def create_ticket(self, subject: str, details: str, context: ToolContext, order_number: str = "") -> Result:
        """Leave a request with people, who work on it later. The customer gets its number at once.

        Args:
            subject: what is wanted, in a line; empty: the beginning of the details
            details: what the customer asks for, in their words
            order_number: the order that it is about
        """
        subject = subject.strip() or textwrap.shorten(details, 100, placeholder=" …")
        customer = str(context.state.get(CUSTOMER) or "")
        desk = self._desk()
        if desk is not None:
            about = {"order": number_of(order_number)} if order_number else {}
            new = NewCase(
                "ticket", subject[:200], "The agent cannot do this itself", "", "normal", customer, details, about
            )
            number = (await desk.open_case(new, context)).number
        else:
            number = await self._kept(context, customer, "ticket", subject, details)
        said = f"I have passed this on to my colleagues. The number of your ticket is {number}."
        return told(said, ticket=number)

    async def escalate(self, reason: str, context: ToolContext) -> Result:
        """Hand the conversation over to a person.

        Args:
            reason: why
        """
        customer = str(context.state.get(CUSTOMER) or "")
        desk = self._desk()
        if desk is not None:
            urgent = any(each in reason.lower() for each in _URGENT)
            new = NewCase("escalation", reason[:200], reason, "", "high" if urgent else "normal", customer)
            case = await desk.open_case(new, context)
            said = f"I hand you over to a colleague. Your case is {case.number}; they answer here."
            return told(said, ticket=case.number, escalated=True)
        number = await self._kept(context, customer, "escalation", reason[:200], reason)
        said = (
            f"Nobody can take over in this chat, so I have noted it for my colleagues, who will write to you: {number}."
        )
        return told(said, ticket=number, escalated=True)

    async def ticket_status(self, ticket_number: str, context: ToolContext) -> Result:
        """Say where a ticket, a claim or a report of the customer stands.

        Args:
            ticket_number: its number
        """
        customer, number = str(context.state.get(CUSTOMER) or ""), ticket_number.strip().upper()
        found = await self.shop.find_ticket(customer, number) if customer else None
        if found is not None:
            return told(f"{found.number} ({found.subject}): {found.status}.", ticket=found.number, status=found.status)
        desk = self._desk()
        if desk is not None and customer:
            try:
                case = await desk.find_case(number, customer, context)
                return told(f"{case.number}: {case.status}.", ticket=case.number, status=case.status)
            except NotFound:
                pass
        return told(f"I find no ticket {number} of yours.", ticket="")

    async def _kept(self, context: ToolContext, customer: str, kind: str, subject: str, details: str) -> str:
        now = self.shop.now()

        def work(ledger: Ledger) -> Result:
            number = ledger.number("T-", 5)
            ledger.ticket(Ticket(number, customer, kind, subject[:200], details[:4000], "open", now))
            return {"number": number}

        made = await self.shop.effect(context.key, work)
        return str(made["number"])
