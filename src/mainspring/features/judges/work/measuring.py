"""Judges the items of measurements and estimates, one after the other, and publishes what came of them.

Each score is kept before the next item is judged: after a crash, another process goes on where the first one ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from mainspring.core.errors import Conflict, MainspringError, NotFound, Overloaded, RateLimited
from mainspring.core.types import Context, Principal, Priority
from mainspring.features.judges.figures.published import PublishedJudgement, figures
from mainspring.features.judges.judging.items import Item
from mainspring.features.judges.judging.making import ReadyJudge
from mainspring.features.judges.judging.wording import words
from mainspring.features.judges.service import Judges
from mainspring.features.judges.store.measurements import KeptItem, Measurement
from mainspring.features.judges.work.answers import RecordedAnswers
from mainspring.serving.money.pricing import NANO
from mainspring.statistics.prediction_powered import mean
from mainspring.stores import Stores
from mainspring.stores.sql.jobs import CANCELLED, FAILED
from mainspring.stores.sql.worker import Lease

_PAGE, _TURN = 20, 3
"""Items of a page, and pages of a turn: then the jobs of others go first."""
_TRIES, _LONGEST_WAIT_S = 5, 30.0
LEAST_LABELS = 10


class Measuring:
    """The work of one job. Given to a ``stores.sql.worker.Worker``."""

    def __init__(self, judges: Judges, stores: Stores) -> None:
        self._judges = judges
        self._stores = stores
        self._answers = RecordedAnswers(stores)

    async def __call__(self, lease: Lease) -> None:
        """Raises the errors of stores; the job is tried again then."""
        job = lease.job
        try:
            measurement = await self._judges.measurements.get(job.tenant, job.id)
        except NotFound:
            await self._stores.jobs.finish(job, CANCELLED)
            return
        principal = await self._principal(job.tenant, str(job.payload["key_id"]))
        if principal is None:
            await self._judges.measurements.fail(job, FAILED, "the key that asked for it is revoked or has expired")
            return
        try:
            made = await self._made(measurement, Context(principal), turned=False)
            turned = await self._made(measurement, Context(principal), turned=True)
        except MainspringError as error:
            await self._judges.measurements.fail(job, FAILED, error.message)
            return
        turns = 0
        while not lease.stopped:
            items = await self._judges.measurements.next_items(job.tenant, job.id, _PAGE)
            if not items:
                await self._judges.measurements.finish(job, await self._figures(measurement, made))
                return
            # The key may be revoked while the work runs.
            principal = await self._principal(job.tenant, str(job.payload["key_id"]))
            if principal is None:
                await self._judges.measurements.fail(job, FAILED, "the key that asked for it is revoked or has expired")
                return
            for each in items:
                if lease.stopped:
                    break
                score = await self._score(turned if _task(each) == "turned" else made, each, job.tenant, principal)
                if not await self._judges.measurements.judged(job, each.number, score):
                    return
            turns += 1
            if turns == _TURN:
                await self._judges.measurements.give_turn(job)
                return
        if not lease.lost.is_set():
            await self._judges.measurements.fail(job, CANCELLED)

    async def give_up(self, lease: Lease, error: Exception) -> None:
        """End a job that broke off too often."""
        await self._judges.measurements.fail(lease.job, FAILED, str(error))

    async def _made(self, measurement: Measurement, context: Context, *, turned: bool) -> ReadyJudge:
        made = await self._judges.made(measurement.judge, context, turned=turned)
        if made.version != measurement.version:
            raise Conflict(f"the judge {measurement.judge} was changed after its measurement had begun")
        return made

    async def _score(self, made: ReadyJudge, kept: KeptItem, tenant: str, principal: Principal) -> dict[str, Any]:
        told = kept.item or {}
        item = _item(told["item"]) if "item" in told else await self._answers.item(tenant, kept.source)
        about = {name: told[name] for name in ("task", "of", "attack", "label") if name in told}
        if item is None:
            return about | {"value": None, "gone": True}
        about |= {"words": [words(each) for each in item.answers]}
        for attempt in range(1, _TRIES + 1):
            context = Context(principal, priority=Priority.BATCH)
            try:
                given = await self._judges.judge(made, item, context)
            except (RateLimited, Overloaded) as error:
                if attempt == _TRIES:
                    return about | {"value": None, "failed": True, "error": error.code}
                await asyncio.sleep(min(error.retry_after or 1.0, _LONGEST_WAIT_S))
                continue
            except MainspringError as error:
                return about | {"value": None, "failed": True, "error": error.code}
            found = given.judgement
            return about | {
                "value": None if found is None else found.value,
                "contradicts": found is not None and found.contradicts,
                # What a combination of the members is fitted on.
                "members": {} if found is None or not made.seats else dict(found.details),
                "trace_id": given.trace_id,
                "tokens": given.usage.total_tokens,
                "cost_usd": given.usage.cost_nanousd / NANO,
                "seconds": round(given.seconds, 4),
            }
        raise AssertionError("unreachable")

    async def _figures(self, measurement: Measurement, made: ReadyJudge) -> Mapping[str, Any]:
        kept = await self._judges.measurements.all_items(measurement.tenant, measurement.id)
        if measurement.kind == "estimate":
            return estimated([each.score or {} for each in kept])
        return figures([_seen(each) for each in kept], made.definition.mode, made.threshold)

    async def _principal(self, tenant: str, key_id: str) -> Principal | None:
        try:
            info = await self._stores.keys.get(tenant, key_id)
        except NotFound:
            return None
        return info.principal() if info.usable(time.time()) else None


def estimated(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The population's mean label from a judge's scores of all and people's labels of some (prediction-powered), beside
    the labels alone and the judge alone."""
    said = [each for each in scores if each.get("value") is not None]
    labelled = [each for each in said if each.get("label") is not None]
    others = [float(each["value"]) for each in said if each.get("label") is None]
    found: dict[str, Any] = {"labels": len(labelled), "judged": len(said)}
    found |= {"gone": sum(bool(each.get("gone")) for each in scores)}
    found |= {"failed": sum(bool(each.get("failed")) for each in scores)}
    if said:
        found["judge_alone"] = fmean(float(each["value"]) for each in said)
    if len(labelled) < LEAST_LABELS:
        return found | {"estimate": None, "why": f"an estimate needs {LEAST_LABELS} labelled answers at least"}
    labels = [float(each["label"]) for each in labelled]
    made = mean(labels, [float(each["value"]) for each in labelled], others)
    return found | {
        "estimate": asdict(made.estimate),
        "labels_alone": asdict(made.labels_alone),
        "narrower": made.gain,
        "weight": made.weight,
    }


def plain_item(item: Item) -> dict[str, Any]:
    """As JSON."""
    return asdict(item)


def _item(told: Mapping[str, Any]) -> Item:
    texts = {name: tuple(told[name]) for name in ("answers", "passages", "references")}
    return Item(question=told["question"], writer=told["writer"], **texts)


def _task(kept: KeptItem) -> str:
    return str((kept.item or {}).get("task", "label"))


def _seen(kept: KeptItem) -> PublishedJudgement:
    score = kept.score or {}
    return PublishedJudgement(
        number=kept.number,
        task=score.get("task", "label"),
        score=score.get("value"),
        label=float(score.get("label") or 0.0),
        words=tuple(score.get("words", (1, 1))),
        contradicts=bool(score.get("contradicts")),
        failed=bool(score.get("failed") or score.get("gone")),
        of=int(score.get("of", -1)),
        attack=str(score.get("attack", "")),
        tokens=int(score.get("tokens", 0)),
        cost_usd=float(score.get("cost_usd", 0.0)),
        seconds=float(score.get("seconds", 0.0)),
    )
