"""Prepares a conversation's next turn in the background, after the answer: embeddings of its messages, and its summary.
Each can be lost at any moment; the next turn computes missing ones."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mainspring.core.errors import MainspringError
from mainspring.core.types import Allowance, Context, Priority, Settlement
from mainspring.engines.base import Embedder
from mainspring.serving.memory import notes
from mainspring.serving.memory.base import Count, Exchange, Shares, Strategy, exchanges, latest
from mainspring.serving.memory.extract import notes_of
from mainspring.serving.memory.model_summary import Writer
from mainspring.serving.memory.recall import Ranker, choose
from mainspring.serving.memory.tokens import Tokens
from mainspring.serving.money.reservation import BudgetReservations
from mainspring.serving.ring.ports import EventLog
from mainspring.stores.sessions.conversations import Summary
from mainspring.stores.sessions.memory import SessionMemory, UncoveredMessages

_log = logging.getLogger(__name__)
# A summary is rewritten when the exchanges since have filled the first share of their budget, and then leaves the
# second share.
FULL, LEFT = 0.75, 0.4
# Embeddings made at once, older messages that a new one is compared with, messages that are summarised at once.
_BATCH, _OLDER, _PAGE = 64, 4000, 400
_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class KeptConversation:
    """A continued conversation: its strategy, token budget, model and owner."""

    tenant: str
    session_id: str
    model: str
    strategy: Strategy
    shares: Shares
    context: Context


class Keeper:
    """Finds older exchanges, and keeps summaries and embeddings ready.

    ``embedder`` charges a context; ``writer`` writes summaries (None: only notes by rules are kept), within the budgets
    of ``purse``.
    """

    def __init__(
        self,
        store: SessionMemory,
        tokens: Tokens,
        embedder: Callable[[Context], Embedder],
        events: EventLog,
        *,
        writer: Writer | None = None,
        recalled: int = 6,
        purse: BudgetReservations | None = None,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._events = events
        self._writer = writer
        self._recalled = recalled
        self._purse = purse
        self._ranker = Ranker()
        self._running: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._again: dict[tuple[str, str], KeptConversation] = {}
        self.tokens = tokens

    async def recall(
        self, kept: KeptConversation, query: str, before: str, tokens: int, *, hidden: int
    ) -> Sequence[Exchange]:
        """The exchanges before turn ``before`` (``hidden`` turns) that have most to do with ``query``."""
        embedder = self._embedder(kept.context)
        older = await self._store.older(kept.tenant, kept.session_id, embedder.name, before=before, limit=_OLDER)
        if not older:
            return ()
        vector = None
        if any(each.vector is not None for each in older):
            try:
                vector = (await embedder.embed([query], "query")).vectors[0]
            except MainspringError as error:
                _log.warning("older turns are searched by words only: %s", error)
        scores = await asyncio.to_thread(self._ranker.scores, query, vector, older)
        count = self.tokens.counter(kept.model)
        said = [each.said for each in older]
        return await choose(said, scores, count, tokens=tokens, most=self._recalled, turns=hidden)

    def after(self, kept: KeptConversation) -> None:
        """Prepare the data for the next turn of this conversation, one at a time for each conversation."""
        key = kept.tenant, kept.session_id
        if key in self._running:
            self._again[key] = kept
            return
        task = asyncio.get_running_loop().create_task(self._keep(kept), name="session memory")
        self._running[key] = task
        task.add_done_callback(lambda _: self._done(key))

    async def idle(self) -> None:
        """Wait until all running work is done."""
        while self._running:
            await asyncio.wait(list(self._running.values()))

    async def close(self) -> None:
        """Stop: unfinished work is done again after the next turn."""
        self._again.clear()
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, key: tuple[str, str]) -> None:
        del self._running[key]
        if (kept := self._again.pop(key, None)) is not None:
            self.after(kept)

    async def _keep(self, kept: KeptConversation) -> None:
        context = kept.context.apart(
            # At the rate of the work that it belongs to.
            Allowance(rate=kept.context.allowance.rate),
            Settlement(kept.context.settlement.application),
            deadline=time.monotonic() + _TIMEOUT_S,
            # No caller waits for this work: it runs behind interactive requests.
            priority=min(kept.context.priority, Priority.BACKGROUND),
        )
        try:
            if kept.strategy.recalls:
                await self._embed(kept, context)
            if kept.strategy.summarises:
                await self._summarise(kept, context)
        except MainspringError as error:
            _log.warning("a conversation's memory was not brought up to date: %s", error)
        finally:
            # A call that was made has been paid for, whatever its result.
            await self._settle(kept, context)

    async def _embed(self, kept: KeptConversation, context: Context) -> None:
        embedder = self._embedder(context)
        while True:
            found = await self._store.unembedded(kept.tenant, kept.session_id, embedder.name, _BATCH)
            if not found.said or found.revision is None:
                return
            vectors = (await embedder.embed([each.message.content or " " for each in found.said])).vectors
            places = {(each.turn, each.position): row for each, row in zip(found.said, vectors, strict=True)}
            if not await self._store.embed(kept.tenant, kept.session_id, embedder.name, places, found.revision):
                return
            if len(found.said) < _BATCH:
                return

    async def _summarise(self, kept: KeptConversation, context: Context) -> None:
        count = self.tokens.counter(kept.model)
        while True:
            found = await self._store.uncovered(kept.tenant, kept.session_id, _PAGE)
            if found.revision is None or not found.said:
                return
            before = found.summary.turns if found.summary else 0
            groups = exchanges(found.said, before + len({each.turn for each in found.said}))
            more = len(found.said) == _PAGE
            covered = groups[:-1] if more else await _outgrown(groups, count, kept.shares.recent)
            if not covered:
                return
            summary = await self._summary(found, covered, kept, context)
            if not await self._store.summarise(kept.tenant, kept.session_id, summary, found.revision) or not more:
                return

    async def _summary(
        self, found: UncoveredMessages, covered: Sequence[Exchange], kept: KeptConversation, context: Context
    ) -> Summary:
        old = notes.load(found.summary.notes) if found.summary else notes.Notes()
        noted = await asyncio.to_thread(_noted, old.notes, covered)
        wrote, method = old.wrote, "extractive"
        if self._writer is not None and await self._set_aside(self._writer, context):
            wrote = await self._writer.write(old.wrote, covered, context, max(64, kept.shares.summary // 2))
            method = self._writer.model
        made = notes.Notes(noted, wrote)
        end = covered[-1].last_turn
        turns = (found.summary.turns if found.summary else 0) + len(
            {each.turn for each in found.said if each.turn <= end}
        )
        return Summary(end, turns, method, notes.dump(made), time.time())

    async def _set_aside(self, writer: Writer, context: Context) -> bool:
        """Whether the budgets allow the cost of ``writer``: reserved once for all current writing, which is limited to
        it."""
        allowance, purse = context.allowance, self._purse
        if purse is None or allowance.reservation:
            return True
        found = await purse.budgets.concerning(context.principal, context.settlement.application)
        if not found:
            return True
        nanousd, tokens = await purse.most(writer.longest(), context)
        if full := await purse.hold(allowance, found, nanousd, tokens):
            _log.info("a summary is not written: budget %s holds no more", full.id)
        return full is None

    async def _settle(self, kept: KeptConversation, context: Context) -> None:
        """The cost of this work, as facts and on the session's account."""
        allowance = context.allowance
        records = [each.about(kept.session_id) for each in context.settlement.records]
        try:
            if records or allowance.reservation:
                await self._events.settle(records, (), allowance.reservation)
            if records:
                await self._store.spend(kept.tenant, kept.session_id, allowance.spent.total_tokens)
        except MainspringError as error:
            _log.error("what a conversation's memory took could not be recorded: %s", error)
        finally:
            if self._purse is not None and allowance.reservation:
                self._purse.budgets.done(allowance.reservation)


def _noted(old: Sequence[notes.Note], covered: Sequence[Exchange]) -> tuple[notes.Note, ...]:
    return notes.merge(old, notes_of(covered))


async def _outgrown(groups: Sequence[Exchange], count: Count, room: int) -> Sequence[Exchange]:
    """The exchanges to summarise: none while they have room, else all except the latest ones."""
    near, costs = await latest(groups, count, int(FULL * room))
    if len(near) == len(groups) and sum(costs) <= FULL * room:
        return ()
    total, index = 0, len(near)
    while index and total + costs[index - 1] <= LEFT * room:
        index -= 1
        total += costs[index]
    # The latest exchange is never summarised.
    return groups[: len(groups) - max(1, len(near) - index)]
