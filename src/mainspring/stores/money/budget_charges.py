"""Charges ``call`` events on the budgets that count them, and creates the events of limits that they reach."""

from __future__ import annotations

import time
from collections.abc import Sequence

import sqlalchemy as sa

import mainspring.stores.money.spending as spending
import mainspring.stores.sql.ids as ids
from mainspring.core.facts.calls import TENANT, CallFacts
from mainspring.core.facts.operations import REACHED, CostFacts
from mainspring.core.types import EventRecord
from mainspring.stores.money.spending import Budget, Charge, Spending


def settle(connection: sa.Connection, charges: Sequence[Charge], released: Sequence[str]) -> list[EventRecord]:
    """Count ``charges``, whose events this transaction has written, and return the reservations.

    Returns a ``cost`` event for each budget whose limit was reached by it, for this transaction to write.
    """
    return [_reached(*each) for each in spending.settle(connection, charges, released, time.time())]


def charge(record: EventRecord, facts: CallFacts) -> Charge:
    """The amounts of a call that budgets count; those of keys count no call that the tenant alone is billed for."""
    return Charge(
        record.tenant,
        "" if facts.charged == TENANT else facts.key_id,
        facts.application,
        record.at,
        facts.cost_nanousd,
        facts.prompt_tokens + facts.completion_tokens,
    )


def _reached(budget: Budget, spent: Spending) -> EventRecord:
    facts = CostFacts(
        signal=REACHED,
        budget_id=budget.id,
        name=budget.name,
        scope=budget.scope,
        subject=budget.subject,
        hard=budget.hard,
        period=spent.period,
        limit_nanousd=budget.limit_nanousd,
        limit_tokens=budget.limit_tokens,
        spent_nanousd=spent.spent_nanousd,
        spent_tokens=spent.spent_tokens,
    )
    at = spent.crossed_at or 0.0
    return EventRecord(ids.new("evt_"), at, budget.tenant, "", budget.id, facts)
