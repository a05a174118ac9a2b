"""Computes the savings of routing: the cost of an answer with only the large model, minus the actual cost of its calls.

The large model is taken to read and to write as many tokens as the model that answered, and to find as many of them
cached. The cost of deciding and of discarded attempts counts against it: an escalated answer costs more than without a
router, and its saving is negative.
"""

from __future__ import annotations

import dataclasses

from mainspring.core.facts.calls import CallFacts
from mainspring.core.types import Context, EventRecord, Routed, Usage
from mainspring.serving.money.pricing import Tariff
from mainspring.stores.sql import ids


class Bill:
    """The calls of one decision: marked through their contexts, found again among the facts that wait to be settled.

    Each call records its saving (``routing_saved_nanousd``: negative for all but the answer's); the call that gave the
    answer is marked as ``routed``. Where the large model has no price, that is ``routing_unknown``, and savings are
    unknown. A model of this machine without a price by the hour has none.
    """

    def __init__(self, context: Context, large: str, tariff: Tariff) -> None:
        self._context = context
        self._large = large
        self._tariff = tariff
        self._id = ids.new("rt_")

    def asking(self, model: str, context: Context) -> Context:
        """The context in which ``model`` is asked for the answer."""
        return dataclasses.replace(context, routed=Routed(self._id, model))

    def aside(self, context: Context) -> Context:
        """The context of what only helps to decide."""
        return dataclasses.replace(context, routed=Routed(self._id))

    def settle(self, model: str = "") -> None:
        """Record the saving. ``model`` gave the answer (empty: none did)."""
        records = self._context.settlement.records
        mine = {index: facts for index, record in enumerate(records) if (facts := self._mine(record)) is not None}
        given = [
            index for index, facts in mine.items() if model and facts.route is not None and facts.route.asked == model
        ]
        known = self._tariff.known and not any(facts.unpriced for facts in mine.values())
        for index, call in mine.items():
            facts = call
            if known:
                # If a model took several rounds, only the last one was needed; the large model may have needed as
                # many.
                counted = given if model == self._large else given[-1:]
                would = self._would_cost(records[index].at, call, model) if index in counted else 0
                facts = dataclasses.replace(facts, routing_saved_nanousd=would - call.cost_nanousd)
            if index in given[-1:]:
                facts = dataclasses.replace(facts, routed=True, routing_large=self._large, routing_unknown=not known)
            records[index] = dataclasses.replace(records[index], facts=facts)

    def _mine(self, record: EventRecord) -> CallFacts | None:
        facts = record.facts
        return facts if isinstance(facts, CallFacts) and facts.route and facts.route.id == self._id else None

    def _would_cost(self, at: float, facts: CallFacts, model: str) -> int:
        if model == self._large:
            return facts.cost_nanousd
        usage = Usage(facts.prompt_tokens, facts.completion_tokens, facts.cached_tokens)
        return self._tariff.price(at, self._context.allowance.rate).cost(usage)
