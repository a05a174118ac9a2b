"""Judges for callers: their definitions, judging, and the figures that they have published."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import mainspring.serving.admit.token_estimate as estimate
from mainspring.core.errors import BudgetExceeded, Conflict, MainspringError, NotFound
from mainspring.core.types import Context, Principal, Priority, Settlement, TraceParent, Usage
from mainspring.evaluation.judges import JudgeFigures, LabelMap
from mainspring.feature import Rooms
from mainspring.features.judges.definitions.definition import Definition
from mainspring.features.judges.judging.items import Item, Judgement
from mainspring.features.judges.judging.making import Maker, ReadyJudge, judged, most_calls
from mainspring.features.judges.settings import JudgesSettings
from mainspring.features.judges.store.definitions import Definitions
from mainspring.features.judges.store.measurements import Measurement, Measurements
from mainspring.serving.money.pricing import Price
from mainspring.stores.sql import ids
from mainspring.training.ports import Door

NAME = "judges"
"""The application that judging is charged to."""
PREFIX = "jdg_"
_DAY_S = 86_400.0
_log = logging.getLogger(__name__)
# In addition to the texts: the tokens of each question and of its reply.
_ASKED_TOKENS, _REPLY_TOKENS = 600, 64


@dataclass(frozen=True, slots=True)
class GivenJudgement:
    """A judgement with what it took. ``judgement`` is None where the judge has nothing to say."""

    id: str
    trace_id: str
    judge: str
    judgement: Judgement | None
    usage: Usage
    seconds: float


class Judges:
    """The service."""

    def __init__(self, rooms: Rooms) -> None:
        self.settings = rooms.settings.section(JudgesSettings)
        self.definitions = Definitions(rooms.stores.database, self.settings.most_judges)
        self.measurements = Measurements(rooms.stores.database)
        self.door: Door | None = None
        """Says which version of a judge was promoted; None: nothing does."""
        self._rooms = rooms
        self._maker = Maker(rooms, self.settings.model)

    async def made(
        self, name: str, context: Context, definition: Definition | None = None, *, turned: bool = False
    ) -> ReadyJudge:
        """The judge ``name``, by ``definition`` if given; ``turned``: with replies in the other order. Raises
        ``NotFound``, ``UnknownModel``, ``Unsupported``, ``InvalidRequest``."""
        tenant = context.principal.tenant

        async def find(member: str) -> Definition:
            number = await self._promoted(tenant, member)
            if number is not None:
                with contextlib.suppress(NotFound):
                    return (await self.definitions.version(tenant, member, number)).definition
            return (await self.definitions.get(tenant, member)).definition

        return await self._maker.make(name, definition or await find(name), find, context, turned=turned)

    async def _promoted(self, tenant: str, name: str) -> int | None:
        """The version that was promoted by the door; None: the newest one counts."""
        if self.door is None:
            return None
        placed = await self.door.placement(tenant, f"judge:{name}")
        found = [each.value["version"] for each in placed.currents if each.kind == "judge"]
        return int(found[-1]) if found else None

    async def judge(self, made: ReadyJudge, item: Item, context: Context) -> GivenJudgement:
        """Judge one item now: at batch priority, within the caller's budgets, under a trace of its own, metered.

        Raises ``BudgetExceeded``, ``InvalidRequest`` and the judge's errors.
        """
        began, own = time.monotonic(), self._context(context)
        name = ids.new(PREFIX)
        async with self._paid(made, item, own, name):
            found = await judged(made, item, own)
        context.allowance.spend(own.allowance.spent)
        return GivenJudgement(
            name, own.trace.trace_id, made.label, found, own.allowance.spent, time.monotonic() - began
        )

    async def measured(self, made: ReadyJudge, context: Context, fresh_days: float | None = None) -> Measurement:
        """The newest measurement of exactly this judge: what a gate may rest on. Raises ``Conflict`` with the remedy if
        it was not measured, was changed since, or was measured more than ``fresh_days`` (the settings') ago."""
        tenant, name = context.principal.tenant, made.name
        days = self.settings.fresh_days if fresh_days is None else fresh_days
        found = await self.measurements.published(tenant, name, made.version)
        remedy = f"Measure it: `mainspring judges measure {name} --labels FILE`"
        if found is None:
            changed = await self.measurements.published(tenant, name)
            why = "has published no figures" if changed is None else "has changed since its figures were measured"
            raise Conflict(f"the judge {name} {why}: it cannot be used in a gate", remedy=remedy, param="judge")
        if time.time() - (found.finished_at or 0.0) > days * _DAY_S:
            raise Conflict(
                f"the figures of the judge {name} are older than {days:g} days", remedy=remedy, param="judge"
            )
        return found

    async def judge_figures(self, principal: Principal, judge: str, fresh_days: float | None = None) -> JudgeFigures:
        """``evaluation.judges.MeasuredJudges``."""
        context = Context(principal)
        made = await self.made(judge, context)
        found = await self.measured(made, context, fresh_days)
        figures = found.figures or {}
        labels = int(figures.get("n", 0))
        return JudgeFigures(
            judge, made.version, found.finished_at or 0.0, labels, figures, _map(figures.get("calibration"), labels)
        )

    def _context(self, context: Context) -> Context:
        deadline = time.monotonic() + self.settings.item_timeout_s
        if context.deadline is not None:
            deadline = min(deadline, context.deadline)
        return context.apart(
            context.allowance.fork(),
            Settlement(NAME),
            trace=dataclasses.replace(TraceParent.new(), sampled=False),
            deadline=deadline,
            priority=Priority.BATCH,
            retention=context.retention,
        )

    @asynccontextmanager
    async def _paid(self, made: ReadyJudge, item: Item, context: Context, name: str) -> AsyncIterator[None]:
        """The most that it may cost is set aside while the block runs; what it took is settled then."""
        await self._set_aside(made, item, context)
        try:
            yield
        finally:
            # A call that was made has been paid for, whatever its result.
            records = [each.about(name, kept=False) for each in context.settlement.records]
            reservation, purse = context.allowance.reservation, self._rooms.path.services.purse
            try:
                if records or reservation:
                    await self._rooms.stores.events.settle(records, (), reservation)
            except MainspringError as error:
                _log.error("what judging took could not be recorded: %s", error)
            if purse is not None and reservation:
                purse.budgets.done(reservation)

    async def _set_aside(self, made: ReadyJudge, item: Item, context: Context) -> None:
        purse = self._rooms.path.services.purse
        found = [] if purse is None else await purse.budgets.concerning(context.principal, NAME)
        if purse is None or not found:
            return
        texts = (*item.answers, *item.passages, *item.references, item.question)
        each = sum(map(estimate.text_tokens, texts)) + _ASKED_TOKENS
        calls = most_calls(made, item)
        tariffs = [tariff for tariff in map(purse.tariffs.find, made.models) if tariff is not None]
        prices = [tariff.price(time.time(), context.allowance.rate) for tariff in tariffs] or [Price()]
        tokens = max(1, calls) * (each + _REPLY_TOKENS)
        nanousd = max(price.cost(Usage(each, _REPLY_TOKENS)) for price in prices) * calls
        if (full := await purse.hold(context.allowance, found, nanousd, tokens)) is not None:
            raise BudgetExceeded(
                f"budget {full.name or full.id} holds no more for the judge {made.name}",
                remedy="Judge fewer items, use a judge without a chat model, or raise the budget",
                param="judge",
            )


def _map(calibration: Mapping[str, Any] | None, labels: int) -> LabelMap | None:
    if calibration is None or calibration["method"] == "none":
        return None
    from mainspring.features.judges.figures.calibration import ScoreMap

    found = ScoreMap.of(calibration)
    return LabelMap(found, found.method, found.error, labels)
