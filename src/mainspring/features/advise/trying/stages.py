"""The stages of an advice up to its comparison.

Each is a function of the advice that returns a ``Step``, or None while it waits. It may be run again from any point:
what it orders of others is ordered under the advice's id, and so done once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.core.errors import (
    MainspringError,
    MissingExtra,
    NotFound,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    SettingsError,
)
from mainspring.core.types import Principal
from mainspring.core.variants import CURRENT
from mainspring.evaluation.examples import Example
from mainspring.features.advise.rule.rows import DOCUMENTS, Way
from mainspring.features.advise.store import DecisionRecord, Step
from mainspring.features.advise.trying import knowledge, learning, sampling
from mainspring.features.advise.trying.tools import AdviceTools
from mainspring.features.advise.wish import Tune, Wish
from mainspring.stores.sql import rows
from mainspring.training import recipes
from mainspring.training.ports import Candidate, JobView, Order
from mainspring.training.stages import ComparisonState, keyed

SCORE = "quality"
TRAINED: frozenset[Way] = frozenset({"fine-tune", "both"})
PASSING = (RateLimited, Overloaded, QuotaExceeded)
"""Waited for, until patience ends."""
_OVER = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Advice:
    """An advice as a stage sees it, and the caller who asked for it."""

    row: Any
    principal: Principal
    wish: Wish
    notes: Mapping[str, Any]

    @classmethod
    def of(cls, row: Any, principal: Principal) -> Advice:
        return cls(row, principal, Wish.of(rows.load(row.spec)), rows.load(row.notes))

    @property
    def tenant(self) -> str:
        return str(self.row.tenant)

    @property
    def sample(self) -> str:
        """The name of the data set that has its sample."""
        return f"advice-{self.row.id}"

    def command(self, more: str) -> str:
        """The command that asks for the same with something more."""
        given = f" --collection {self.wish.collection}" if self.wish.collection else ""
        return f"mainspring advise {self.row.data_set}@{self.row.version} --model {self.wish.model}{given} {more}"


def waits(tools: AdviceTools, advice: Advice, error: MainspringError) -> bool:
    """Whether an error passes by itself, and its stage has not waited too long yet."""
    waiting = advice.notes.get("waiting")
    late = waiting is not None and time.time() - waiting["since"] >= tools.settings.patience_s
    return isinstance(error, PASSING) and not late


async def sample_of(tools: AdviceTools, advice: Advice) -> sampling.Sample:
    """The sample: what is measured is what was kept of it, if it was, also where examples were erased since."""
    found: list[Example] = []
    async for _, each in tools.data.stream(advice.principal, advice.row.data_set, advice.row.version):
        found.append(each)
        if len(found) == tools.settings.examples:
            break
    wish, before = advice.wish, None
    if (version := await _kept(tools, advice)) is not None:
        before = [each async for _, each in tools.data.stream(advice.principal, advice.sample, version)]
    return await asyncio.to_thread(sampling.drawn, found, wish.questions, wish.seed, before)


async def _kept(tools: AdviceTools, advice: Advice) -> int | None:
    """The version of what is measured; None: it was not drawn yet."""
    if (known := advice.notes.get("sample_version")) is not None:
        return int(known)
    try:
        return (await tools.data.version(advice.principal, advice.sample)).number
    except NotFound:
        return None


async def learnable(tools: AdviceTools, advice: Advice) -> tuple[list[Example], int]:
    """The examples to learn from, and how many are left out: what they are made of lacks the consent, or an erasure
    would not find copies of them."""
    learn = (await sample_of(tools, advice)).learn
    sources = sorted({source for each in learn for source in each.sources})
    lost = await tools.store.unconsented(advice.tenant, sources)
    people = await tools.store.people(advice.tenant, sources)
    kept = [each for each in learn if lost.isdisjoint(each.sources) and learning.traceable(each, people)]
    return kept, len(learn) - len(kept)


async def taking(tools: AdviceTools, advice: Advice) -> Step:
    """Draw the sample, and keep what is measured as a data set of its own."""
    found = await sample_of(tools, advice)
    if (version := await _kept(tools, advice)) is None:
        version = await tools.data.keep(advice.principal, advice.sample, list(found.measured), kind="advice")
    counts = {"measured": len(found.measured), "learn": len(found.learn), "split": found.split}
    reason = f"Questions to measure: {counts['measured']}, to learn from: {counts['learn']} ({found.split})"
    return Step("preparing", reason, {"sample_version": version, **counts})


async def preparing(tools: AdviceTools, advice: Advice) -> Step:
    """Make what needs no training askable, and look at the collection."""
    wish, names, lacking = advice.wish, {}, {}
    learn, left_out = await learnable(tools, advice)
    candidates: dict[Way, Candidate] = {}
    if "few-shot" in wish.ways:
        about = await tools.data.version(advice.principal, advice.row.data_set, advice.row.version)
        candidate = learning.examples_of(wish.model, learn, wish.shots, about.groups)
        if candidate is None:
            lacking["few-shot"] = _lack(
                "no example has a right answer and is no near-duplicate of one that is measured", "Add examples"
            )
        else:
            candidates["few-shot"] = candidate
    if "rag-written" in wish.ways and wish.collection:
        candidates["rag-written"] = Candidate("model", wish.collection, {"model": wish.model})
    if admissions := await _unrecorded(tools, advice, candidates):
        return Step("preparing", f"Candidates that are made: {len(candidates)}", {"admissions": admissions})
    notes: dict[str, Any] = {"left_out": left_out}
    if wish.collection:
        found = await knowledge.history(tools.rooms, advice.principal, wish.collection)
        cost = await knowledge.ingestion(tools.rooms, advice.principal, wish.collection, found)
        notes |= {"documents": found.plain(), "ingestion": cost}
    if "prompt" in wish.ways:
        names["prompt"] = await _settled(tools, advice, wish.model)
    if "rag" in wish.ways and wish.collection:
        names["rag"] = await _settled(tools, advice, wish.collection)
    for way, candidate in candidates.items():
        await _admit(tools, advice, way, candidate, names, lacking)
    for way in wish.ways:
        if way in DOCUMENTS and not wish.collection:
            lacking[way] = _lack("no collection was named", advice.command("--collection NAME"))
        elif way in TRAINED and wish.tune is None:
            why = "weights are trained only where somebody says so, with a budget"
            lacking[way] = _lack(why, advice.command("--train-seconds 3600"))
    told = [DecisionRecord(way, "not_tried", each["reason"]) for way, each in lacking.items()]
    told += [DecisionRecord(way, "admitted", name) for way, name in names.items()]
    training = wish.tune is not None and not TRAINED.isdisjoint(wish.ways)
    notes |= {"names": names, "lacking": lacking}
    return Step("training" if training else "comparing", f"Ways that can be asked: {len(names)}", notes, told)


async def _settled(tools: AdviceTools, advice: Advice, name: str) -> str:
    """``name``, or what is current there if the tenant has put something on it: else its row would also be that of a
    candidate that gets a share of the requests."""
    registry = tools.rooms.path.registry
    served = await registry.plain(name, advice.principal)
    varied = await registry.find(name, advice.principal)
    return name if varied.responder is served.responder else f"{name}@{CURRENT}"


async def training(tools: AdviceTools, advice: Advice) -> Step | None:
    """Train within the budget, and have what is made answer."""
    tune = advice.wish.tune
    assert tune is not None
    job = advice.notes.get("job")
    try:
        if job is None:
            return await _ordered(tools, advice, tune)
        view = await tools.trainer.training_job(advice.tenant, job)
        if view.state not in _OVER:
            return None
        if view.state != "succeeded":
            return _untrained(advice, f"{tune.recipe} {view.state}: {view.error}", view)
        return await _served(tools, advice, view)
    except MainspringError as error:
        lasting = isinstance(error, (MissingExtra, SettingsError, *PASSING))
        if waits(tools, advice, error) or (error.status >= 500 and not lasting):
            raise
        return _untrained(advice, f"{error.message}", None, error.remedy or "")


async def _ordered(tools: AdviceTools, advice: Advice, tune: Tune) -> Step:
    learn, _ = await learnable(tools, advice)
    if not learn:
        return _untrained(advice, "no example has a right answer and is no near-duplicate of one that is measured")
    place = learning.folder(tools.root, advice.tenant, advice.row.id)
    try:
        await learning.write(place, learn)
        view = await tools.trainer.order(advice.principal, order_of(tools, advice, tune))
    finally:
        await learning.remove(place)
    return Step("training", f"{tune.recipe} is trained on {len(learn)} examples", {"job": view.id})


def order_of(tools: AdviceTools, advice: Advice, tune: Tune) -> Order:
    """Always the same one."""
    fields = recipes.find(tune.recipe).options.model_fields
    # The advice measures by itself: a recipe's own tests would use up its budget.
    spared: dict[str, Any] = {name: 0 for name in ("tested", "samples") if name in fields}
    return Order(
        tune.recipe,
        {**spared, **tune.options},
        "",
        learning.folder(tools.root, advice.tenant, advice.row.id),
        tune.base or advice.wish.model,
        f"advice-{advice.row.id[-8:]}",
        advice.wish.seed,
        tune.seconds,
        tune.usd,
        trace_id=keyed("", advice.tenant, f"{advice.row.id}/train").ljust(32, "0")[:32],
    )


async def _served(tools: AdviceTools, advice: Advice, view: JobView) -> Step:
    label = view.version
    candidates: dict[Way, Candidate] = {}
    if "both" in advice.wish.ways and advice.wish.collection:
        candidates["both"] = Candidate("model", advice.wish.collection, {"model": label}, label)
    if not advice.notes.get("version"):
        # Before it is served, so that it is taken out of service again whatever happens; but not what people serve.
        new = not (await tools.versions.version(advice.tenant, label)).served
        notes: dict[str, Any] = {"version": label, "version_new": new, **_spent(view)}
        if admissions := await _unrecorded(tools, advice, candidates):
            notes["admissions"] = admissions
        return Step("training", f"{label} was trained in {view.seconds:.0f} s", notes)
    await tools.versions.serve_version(advice.principal, label)
    names, lacking = dict(advice.notes["names"]), dict(advice.notes["lacking"])
    if "fine-tune" in advice.wish.ways:
        names["fine-tune"] = label
    for way, candidate in candidates.items():
        await _admit(tools, advice, way, candidate, names, lacking)
    told = [DecisionRecord(way, "admitted", names[way]) for way in ("fine-tune", "both") if way in names]
    return Step("comparing", f"{label} answers", {"names": names, "lacking": lacking}, told)


def _untrained(advice: Advice, reason: str, view: JobView | None = None, remedy: str = "") -> Step:
    ways = [way for way in advice.wish.ways if way in TRAINED and way not in advice.notes["lacking"]]
    lacking = {**advice.notes["lacking"], **{way: _lack(reason, remedy) for way in ways}}
    spent = {} if view is None else _spent(view)
    return Step(
        "comparing", reason, {"lacking": lacking, **spent}, [DecisionRecord(way, "not_tried", reason) for way in ways]
    )


def _spent(view: JobView) -> dict[str, float]:
    return {"train_seconds": view.seconds}


async def _unrecorded(
    tools: AdviceTools, advice: Advice, candidates: Mapping[Way, Candidate]
) -> list[dict[str, Any]] | None:
    """The notes on candidates with those of ``candidates`` that they lack; None: they have all of them. ``new``: it was
    not admitted, so that it is this advice's to withdraw."""
    known, found = list(advice.notes.get("admissions", ())), tools.admissions
    lacking = {way: each for way, each in candidates.items() if each.id not in {one["id"] for one in known}}
    for way, each in lacking.items():
        new = found is not None and not await found.is_admitted(advice.tenant, each)
        known.append({"way": way, "application": each.application, "id": each.id, "new": new})
    return known if lacking else None


async def _admit(
    tools: AdviceTools,
    advice: Advice,
    way: Way,
    candidate: Candidate,
    names: dict[str, str],
    lacking: dict[str, dict[str, str]],
) -> None:
    """Make a candidate askable, or note why it cannot be."""
    try:
        names[way] = await tools.door.admit(advice.principal, candidate)
    except MainspringError as error:
        if waits(tools, advice, error) or (error.status >= 500 and not isinstance(error, PASSING)):
            raise
        lacking[way] = _lack(error.message, error.remedy or "")


def _lack(reason: str, remedy: str = "") -> dict[str, str]:
    return {"reason": reason, "command": remedy}


async def comparing(tools: AdviceTools, advice: Advice) -> Step | None:
    """Have every way answer every question of the sample, and wait for it."""
    ways, wish = asked(advice), advice.wish
    if not ways or not advice.notes["measured"]:
        return Step("deciding", "nothing can be compared")
    if (known := advice.notes.get("comparison")) is not None:
        return _compared(await tools.comparer.comparison(advice.principal, known))
    if label := advice.notes.get("version"):
        # A process that has just begun may not have loaded it yet.
        await tools.versions.serve_version(advice.principal, label)
    scorers = [{"name": wish.scorer, "options": dict(wish.scorer_options), "label": SCORE}]
    state = await tools.comparer.compare_once(
        advice.principal,
        advice.sample,
        advice.notes["sample_version"],
        [advice.notes["names"][way] for way in ways],
        scorers,
        comparison_key(advice),
        asked=[_fields(wish, way) for way in ways],
    )
    return Step("comparing", f"{state.id} asks {len(ways)} ways", {"comparison": state.id})


def comparison_key(advice: Advice) -> str:
    return f"{advice.row.id}/compare"


def _compared(state: ComparisonState) -> Step | None:
    if state.state in ("queued", "running"):
        return None
    if state.state == "cancelled" and state.report is not None and state.report["examples"]:
        # Somebody had enough: what was answered until then counts.
        return Step("deciding", f"{state.id} was cancelled after {state.report['examples']} questions")
    if state.state != "completed":
        raise NotFound(f"the comparison {state.id} is {state.state}: {state.error}", param="dataset")
    return Step("deciding", f"{state.id} is completed")


def asked(advice: Advice) -> Sequence[Way]:
    """The ways that are asked, in their order."""
    names = advice.notes.get("names", {})
    return [way for way in advice.wish.ways if way in names]


def _fields(wish: Wish, way: Way) -> dict[str, Any]:
    """What is asked of a way besides the question. A prompt is the model's: documents are answered by another."""
    told: dict[str, Any] = {"parameters": {"max_tokens": wish.max_tokens}}
    if wish.prompt is not None and way not in DOCUMENTS:
        told["prompt"] = dict(wish.prompt)
    if way in ("rag-written", "both"):
        # Else documents are quoted, and no model writes.
        told["options"] = {"mode": "generative"}
    return told


async def clusters(tools: AdviceTools, advice: Advice, count: int) -> list[str]:
    """The groups of the first ``count`` questions of the sample, which are answered in its order; none if the sample
    has lost some since."""
    found = [
        each.group
        async for _, each in tools.data.stream(advice.principal, advice.sample, advice.notes["sample_version"])
    ]
    return found[:count] if len(found) >= count else []
