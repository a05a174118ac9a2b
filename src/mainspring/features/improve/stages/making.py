"""The stages before traffic: data, training, and the comparison with what is current.

Each stage is a function of a campaign that returns a ``Move``, or None while it waits. It may be run again from any
point: what it orders of others is ordered under the campaign's key, and so done once.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Principal
from mainspring.evaluation.examples import Example
from mainspring.features.improve.lineage.store import admitted
from mainspring.features.improve.policy.policy import Data, Slices
from mainspring.features.improve.policy.triggers import left
from mainspring.features.improve.stages import offline, taken_back
from mainspring.features.improve.stages.campaign import Campaign, Move, refused
from mainspring.features.improve.stages.folders import SIDES, question_digest
from mainspring.features.improve.stages.placements import in_use
from mainspring.features.improve.stages.store import Also
from mainspring.features.improve.stages.tools import Tools
from mainspring.training.ports import Candidate, Order, Version
from mainspring.training.stages import keyed

Result = tuple[Move, tuple[Also, ...]] | None
_OPEN = ("queued", "running")
_AT_ONCE = 250
_NO_NAME = re.compile(r"[^a-z0-9._-]+")
_MOST_NAME = 64
_OPENED = ("translator", "composer")
"""What the application opens itself."""


async def exporting(tools: Tools, campaign: Campaign, principal: Principal) -> Result:
    """Freeze the data: an export, or a version of a data set; and pin the examples that are held out."""
    data = campaign.policy.data_of(campaign.rung)
    wanted = campaign.policy.offline
    held_out = campaign.notes.get("held_out")
    if held_out is None:
        held_out = (await tools.data.version(principal, wanted.dataset, wanted.version)).number
    counts: Mapping[str, int] = {}
    if data.edits:
        made = await _from_edits(tools, campaign, principal)
    elif data.export is None:
        made = await _from_data_set(tools, campaign, principal, data)
    else:
        asked = {"applications": [campaign.application], **data.export}
        state = await tools.exporter.export_once(principal, asked, f"{campaign.key}/export")
        if state.state in _OPEN:
            return None
        if state.state != "completed":
            return refused(campaign, f"the export {state.id} is {state.state}: {state.error}"), ()
        made, counts = {"rows": state.rows, "export": state.id}, state.counts
    rows, figures, left_out = made.pop("rows"), {}, made.pop("left_out", 0)
    figures = {f"rows {side}": float(rows.get(side, 0)) for side in SIDES}
    lacks = ""
    if left_out:
        figures["left out"] = float(left_out)
        lacks = f"; {left_out} examples are left out: what they are made of lacks the consent to learn from it"
    if rows.get("train", 0) < data.least_rows:
        few = f"rows for training: {rows.get('train', 0)}, and {data.least_rows} are the least{lacks or _taken(counts)}"
        return refused(campaign, few, figures), ()
    found = await _held_out(tools, campaign, principal, made, held_out)
    if reason := _no_proof(found, wanted.slices):
        return refused(campaign, reason, {**figures, "shared": float(found.made_of + found.asked)}), ()
    digest = await taken_back.made_of(tools, campaign, made)
    if reason := await taken_back.of_data(tools, campaign, digest):
        return refused(campaign, reason, figures), ()
    reason = f"{rows.get('train', 0)} rows for training{lacks}"
    return Move("training", reason, figures, {**made, "held_out": held_out, "made_of": digest}), ()


def _taken(counts: Mapping[str, int]) -> str:
    """Where an export's answers went: what people forget first is the consent."""
    steps = sorted((name for name in counts if name != "read"), key=lambda name: -counts[name])
    told = ", ".join(f"{name} {counts[name]}" for name in steps[:4])
    return f"; of {counts.get('read', 0)} answers that were read these were left out: {told}" if told else ""


@dataclass(slots=True)
class _HeldOut:
    """Of the examples that are held out: how many are ``made_of`` answers that are trained on, how many others ask what
    a row for training asks, and which tags there are."""

    made_of: int = 0
    asked: int = 0
    tags: set[str] = field(default_factory=set)


async def _held_out(
    tools: Tools, campaign: Campaign, principal: Principal, made: Mapping[str, Any], version: int
) -> _HeldOut:
    trained = set(await _sources(tools, campaign, made))
    questions = frozenset[str]() if "export" in made else await tools.folders.questions(Path(made["folder"]))
    found = _HeldOut()
    async for _, example in tools.data.stream(principal, campaign.policy.offline.dataset, version):
        found.tags.update(example.tags)
        if not trained.isdisjoint(example.sources):
            found.made_of += 1
        elif questions and question_digest((each.role, each.content) for each in example.messages) in questions:
            found.asked += 1
    return found


def _no_proof(found: _HeldOut, slices: Slices | None) -> str:
    """Why the examples prove nothing; empty: they do."""
    if found.made_of:
        return f"{found.made_of} examples that are held out are made of answers that are trained on"
    if found.asked:
        return f"{found.asked} examples that are held out ask what is trained on: name another data set in offline"
    missing = sorted(set(() if slices is None else slices.tags) - found.tags)
    return f"no example that is held out has the tag {missing[0]}, whose slices may not fall" if missing else ""


async def _sources(tools: Tools, campaign: Campaign, notes: Mapping[str, Any]) -> list[str]:
    """The answers that a rung is trained on."""
    if export := notes.get("export"):
        return list(await tools.exporter.export_answers(campaign.tenant, export, tools.settings.sources))
    return await tools.folders.sources(Path(notes["folder"]), tools.settings.sources)


async def _from_data_set(tools: Tools, campaign: Campaign, principal: Principal, data: Data) -> dict[str, Any]:
    """A folder with the rows of a version, as JSON lines by side."""
    found = await tools.data.version(principal, data.dataset, data.version)
    every = _examples(tools, principal, data.dataset, found.number)
    return {**await _written(tools, campaign, every), "trained_on": f"{data.dataset}@{found.number}"}


async def _from_edits(tools: Tools, campaign: Campaign, principal: Principal) -> dict[str, Any]:
    """The same with what people changed of the application's answers, but for what is held out."""
    keeps = tools.edits(campaign.application)
    found = () if keeps is None else await keeps.learnable_edits(principal, campaign.application)

    async def every() -> AsyncIterator[Example]:
        for each in found:
            if each.split != "test":
                yield each

    return {**await _written(tools, campaign, every(), pairs=True), "trained_on": f"edits of {campaign.application}"}


async def _written(
    tools: Tools, campaign: Campaign, every: AsyncIterator[Example], *, pairs: bool = False
) -> dict[str, Any]:
    folder = tools.folders.campaign(campaign.tenant, campaign.id) / str(campaign.rung)
    left_out: list[str] = []
    rows = await tools.folders.write(folder, _learnable(tools, campaign.tenant, every, left_out), pairs=pairs)
    return {"rows": rows, "folder": str(folder), "left_out": len(left_out)}


async def _examples(tools: Tools, principal: Principal, name: str, version: int) -> AsyncIterator[Example]:
    async for _, example in tools.data.stream(principal, name, version):
        yield example


async def _learnable(
    tools: Tools, tenant: str, examples: AsyncIterator[Example], left_out: list[str]
) -> AsyncIterator[Example]:
    """Those examples whose sources all have the consent to learn; the ids of others are added to ``left_out``."""
    some: list[Example] = []

    async def allowed() -> list[Example]:
        lost = await tools.variants.unconsented(tenant, sorted({source for each in some for source in each.sources}))
        left_out.extend(each.id for each in some if not lost.isdisjoint(each.sources))
        return [each for each in some if lost.isdisjoint(each.sources)]

    async for example in examples:
        some.append(example)
        if len(some) == _AT_ONCE:
            for each in await allowed():
                yield each
            some.clear()
    for each in await allowed():
        yield each


async def training(tools: Tools, campaign: Campaign, principal: Principal) -> Result:
    """Train, within what the budget leaves; what is made becomes askable by its name."""
    recipe = campaign.recipe
    job = campaign.notes.get("job")
    if job is None:
        spent = await tools.campaigns.spent(campaign.tenant, campaign.application, time.time())
        rest = left(campaign.policy.budget, spent, tools.settings.usd_per_hour)
        if rest is not None and rest <= 0:
            return refused(campaign, f"the month's budget is used up: {spent:.0f} s of training"), ()
        bounds = [each for each in (recipe.seconds, rest) if each is not None]
        folder = campaign.notes.get("folder")
        order = Order(
            recipe.recipe,
            recipe.options,
            campaign.notes.get("export", ""),
            None if folder is None else Path(folder),
            recipe.base,
            version_name(campaign.application),
            recipe.seed,
            min(bounds) if bounds else None,
            night=campaign.policy.night,
            trace_id=keyed("", campaign.tenant, f"{campaign.key}/train").ljust(32, "0")[:32],
            candidate=True,
        )
        view = await tools.trainer.order(principal, order)
        await tools.campaigns.note(campaign, {"job": view.id})
        return None
    view = await tools.trainer.training_job(campaign.tenant, job)
    if view.state not in ("succeeded", "failed", "cancelled"):
        return None
    if view.state != "succeeded":
        move = refused(campaign, f"{recipe.recipe} {view.state}: {view.error}", view.figures)
        return _spent(move, view.seconds), ()
    version = await tools.versions.version(campaign.tenant, view.version)
    if version.stale:
        return _spent(refused(campaign, f"{version.label}: {version.stale}", view.figures), view.seconds), ()
    if _weights(campaign, version) and not version.served and campaign.notes.get("served") != version.label:
        # Before it is served: what is refused is then taken out of service again.
        await tools.campaigns.note(campaign, {"served": version.label})
        return None
    candidate = await _candidate(tools, campaign, principal, version)
    placed = await tools.door.placement(campaign.tenant, campaign.application)
    if in_use(placed, candidate.id):
        return _spent(refused(campaign, "it is what is current already", version.made.figures), view.seconds), ()
    if reason := await taken_back.of_candidate(tools, campaign, candidate.id):
        return _spent(refused(campaign, reason, version.made.figures), view.seconds), ()
    name = await tools.door.admit(principal, candidate)
    notes = {"candidate": _plain(candidate), "name": name}
    move = Move("comparing", f"{recipe.recipe} made {version.label}", version.made.figures, notes)
    await tools.variants.link(campaign.tenant, candidate.id, await _sources(tools, campaign, campaign.notes))
    return _spent(move, view.seconds), (lambda connection: admitted(connection, campaign, candidate),)


def version_name(application: str) -> str:
    """The name of the versions that are made for an application, whose own may have spaces, capitals and colons, as
    ``judge:NAME`` has; empty: the recipe's name serves."""
    return _NO_NAME.sub("-", application.lower())[:_MOST_NAME].strip("-._")


def _weights(campaign: Campaign, version: Version) -> bool:
    """Whether what was made answers under its name, once it is served or by itself."""
    return campaign.recipe.kind in ("model", "reranker", "reader") and not version.made.value


async def _candidate(tools: Tools, campaign: Campaign, principal: Principal, version: Version) -> Candidate:
    kind = campaign.recipe.kind
    value: Mapping[str, Any]
    if version.made.value:
        value = dict(version.made.value)
    elif kind == "model" and version.makes in _OPENED:
        value = {"model": version.label}
    elif kind == "model":
        value = {"model": await tools.versions.serve_version(principal, version.label)}
    elif kind in ("reranker", "reader"):
        value = {"version": await tools.versions.serve_version(principal, version.label)}
    else:
        raise InvalidRequest(
            f"{version.label} is a {version.made.makes} and no {kind}", remedy="Name the kind that the recipe makes"
        )
    return Candidate(kind, campaign.application, value, version.label)


def _plain(candidate: Candidate) -> dict[str, Any]:
    return {
        "id": candidate.id,
        "kind": candidate.kind,
        "value": dict(candidate.value),
        "version": candidate.version,
    }


def _spent(move: Move, seconds: float) -> Move:
    return Move(move.stage, move.reason, move.figures, move.notes, move.outcome, move.rung, seconds, move.by)


async def comparing(tools: Tools, campaign: Campaign, principal: Principal) -> Result:
    """Compare with what is current, on held-out examples and on the regression list."""
    # The record says what it is made of: nobody reads the rows any more.
    await tools.folders.remove(campaign.tenant, campaign.id)
    wanted = campaign.policy.offline
    responders = [campaign.application, campaign.notes["name"]]
    state = await tools.comparer.compare_once(
        principal,
        wanted.dataset,
        campaign.notes["held_out"],
        responders,
        campaign.policy.scorers,
        f"{campaign.key}/compare",
    )
    if state.state in _OPEN:
        return None
    notes = {"comparison": state.id}
    if state.state != "completed" or state.report is None:
        return refused(campaign, f"the comparison {state.id} is {state.state}: {state.error}", notes=notes), ()
    ruling = offline.rule(wanted, state.report, len(campaign.policy.rungs))
    if not ruling.passes:
        return refused(campaign, ruling.reason, ruling.figures, notes), ()
    reason, figures = ruling.reason, dict(ruling.figures)
    if wanted.regression is not None:
        kept = wanted.regression
        number = campaign.notes.get("regression_version")
        if number is None:
            number = (await tools.data.version(principal, kept.dataset, kept.version)).number
            await tools.campaigns.note(campaign, {"regression_version": number})
            return None
        scorers = [kept.wanted("regression", kept.threshold)]
        key = f"{campaign.key}/regression"
        state = await tools.comparer.compare_once(principal, kept.dataset, number, responders, scorers, key)
        if state.state in _OPEN:
            return None
        notes["regression"] = state.id
        if state.state != "completed":
            return refused(campaign, f"the regression list {state.id} is {state.state}: {state.error}", notes=notes), ()
        scores = await tools.comparer.compared_scores(principal, state.id, "regression")
        ruling = offline.regressed(scores, kept.threshold, kept.lost)
        figures |= ruling.figures
        if not ruling.passes:
            return refused(campaign, ruling.reason, figures, notes), ()
        reason = f"{reason}; {ruling.reason}"
    if wanted.red_team is not None:
        return Move("attacking", reason, figures, notes), ()
    return entering(campaign, reason, figures, notes), ()


async def attacking(tools: Tools, campaign: Campaign, principal: Principal) -> Result:
    """Attack both: a candidate may not let more through."""
    wanted = campaign.policy.offline.red_team
    assert wanted is not None
    old = await tools.prober.probe(principal, campaign.application, wanted.most)
    new = await tools.prober.probe(principal, campaign.notes["name"], wanted.most)
    ruling = offline.probed(wanted, old, new)
    if not ruling.passes:
        return refused(campaign, ruling.reason, ruling.figures), ()
    return entering(campaign, ruling.reason, ruling.figures, {}), ()


def entering(campaign: Campaign, reason: str, figures: Mapping[str, float], notes: Mapping[str, Any]) -> Move:
    """The first stage after those of examples that the policy has."""
    policy = campaign.policy
    if policy.gate:
        return Move("waiting", reason, figures, notes)
    return serving(campaign, reason, figures, notes)


def serving(campaign: Campaign, reason: str, figures: Mapping[str, float], notes: Mapping[str, Any]) -> Move:
    """The first stage with traffic that the policy has."""
    policy = campaign.policy
    stage = "shadow" if policy.shadow is not None else "canary" if policy.canary is not None else "promoting"
    return Move(stage, reason, figures, notes)  # type: ignore[arg-type]
