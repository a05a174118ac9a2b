"""Runs a benchmark: asks what its file does not have yet, some at a time, and writes each outcome down at once."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import takewhile

from mainspring.core.errors import MainspringError
from mainspring.features.evaluate.capabilities.asking import Target
from mainspring.features.evaluate.capabilities.benchmark import Benchmark, Item, Way
from mainspring.features.evaluate.capabilities.marking import Marker
from mainspring.features.evaluate.capabilities.sheet import Outcome, Sheet

AT_ONCE = 4


def drawn(items: Sequence[Item], limit: int, seed: int) -> list[Item]:
    """``limit`` items (0: all) in an order that the seed draws: a larger limit goes on where a smaller one ended."""
    order = list(items)
    random.Random(seed).shuffle(order)
    return order[:limit] if limit else order


async def run(
    benchmark: Benchmark,
    items: Sequence[Item],
    target: Target,
    sheet: Sheet,
    way: Way,
    *,
    marker: Marker,
    samples: int = 1,
    at_once: int = AT_ONCE,
    until: float = math.inf,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> list[Outcome]:
    """The outcomes of all ``items``, the number of ``samples`` each. What the sheet has without an error is not asked
    again. An item that cannot be asked has an error; the others go on.

    After ``until`` (of ``time.monotonic``) no more is asked, and what was asked is waited for: the outcomes are then
    those of the first items, up to the first that was not asked. Quick answers have no better chance to be among them.
    """
    known = {each.key: each for each in sheet.outcomes()}
    wanted = [(item, sample) for item in items for sample in range(samples)]
    missing = iter([each for each in wanted if (each[0].id, each[1]) not in known])
    done = len(wanted) - sum((item.id, sample) not in known for item, sample in wanted)
    progress(done, len(wanted))

    async def worker(left: Iterator[tuple[Item, int]]) -> None:
        nonlocal done
        for item, sample in left:
            if time.monotonic() >= until:
                return
            outcome = await _outcome(benchmark, item, target, way, sample, marker)
            sheet.add(outcome)
            known[outcome.key] = outcome
            done += 1
            progress(done, len(wanted))

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker(missing))
    there = takewhile(lambda key: key in known, ((item.id, sample) for item, sample in wanted))
    return [known[key] for key in there]


async def _outcome(benchmark: Benchmark, item: Item, target: Target, way: Way, sample: int, marker: Marker) -> Outcome:
    blank = Outcome(item.id, sample, cluster=item.cluster, tags=item.tags)
    try:
        asked = await target.ask(benchmark, item, way, sample)
        marks = await marker.marks(benchmark, item, asked.reply)
    except MainspringError as error:
        return replace(blank, error=f"{error.code}: {error.message}"[:500])
    return replace(
        blank,
        scores=marks.scores,
        read=marks.read,
        answer=asked.reply.text,
        finish=asked.reply.finish,
        likelihoods=asked.reply.likelihoods,
        cached=asked.cached,
        prompt_tokens=asked.prompt_tokens,
        completion_tokens=asked.completion_tokens,
        cost_nanousd=asked.cost_nanousd,
        duration_s=asked.duration_s,
    )
