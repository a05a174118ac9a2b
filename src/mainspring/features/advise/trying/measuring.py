"""The last stage: rows from what was measured, the decision, and the report."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.core.variants import CURRENT
from mainspring.features.advise.rule import money
from mainspring.features.advise.rule.decide import Decision, decide, plain
from mainspring.features.advise.rule.rows import ABOUT, DOCUMENTS, Row, Terms, Way
from mainspring.features.advise.rule.rows import plain as row_plain
from mainspring.features.advise.store import DecisionRecord, Step
from mainspring.features.advise.trying import ending
from mainspring.features.advise.trying.stages import SCORE, TRAINED, Advice, asked, clusters
from mainspring.features.advise.trying.tools import AdviceTools
from mainspring.statistics.significance import clustered

_HOUR_S = 3_600.0


async def deciding(tools: AdviceTools, advice: Advice) -> Step:
    """Decide; the step has the report."""
    made, scores = {}, {}
    ways = asked(advice)
    if comparison := advice.notes.get("comparison"):
        state = await tools.comparer.comparison(advice.principal, comparison)
        made = dict(zip(ways, (state.report or {}).get("responders", ()), strict=False))
        columns = list(zip(*await tools.comparer.compared_scores(advice.principal, comparison, SCORE), strict=True))
        scores = dict(zip(ways, columns, strict=False))
    per_hour = tools.per_hour(advice.wish.usd_per_hour)
    found = [_row(advice, way, made.get(way), scores.get(way, ()), per_hour) for way in advice.wish.ways]
    count = max((len(each) for each in scores.values()), default=0)
    groups = await clusters(tools, advice, count) if count else []
    terms = _terms(advice, groups)
    decision = await asyncio.to_thread(decide, found, terms)
    report = await asyncio.to_thread(_report, advice, found, terms, decision, per_hour)
    # What nobody will use gets no traffic, and needs no memory.
    await ending.given_back(tools, advice, {decision.way, *decision.open})
    told = [DecisionRecord(way, "ruled_out", why) for way, why in decision.out.items()]
    if decision.way is not None:
        word = "recommended" if decision.verdict == "recommended" else "unsure"
        told.append(DecisionRecord(decision.way, word, decision.reasons[-1], _figures(report, decision.way)))
    return Step("completed", decision.reasons[-1], told=told, report=report)


def _row(
    advice: Advice, way: Way, measured: Mapping[str, Any] | None, scores: Sequence[float | None], per_hour: float
) -> Row:
    lack = advice.notes.get("lacking", {}).get(way)
    if measured is None:
        reason = "the comparison has no answers of it" if lack is None else lack["reason"]
        return Row(way, reason=reason, command="" if lack is None else lack["command"])
    seconds = float(measured.get("seconds_p50") or 0.0)
    usd, notes = float(measured.get("cost_per_answer_usd") or 0.0), []
    # Who says that the machine costs nothing knows it.
    told = bool(per_hour) or advice.wish.usd_per_hour is not None
    priced = bool(usd) or told
    if not usd and per_hour:
        usd = seconds * per_hour / _HOUR_S
        notes.append("the ledger has no price of it, so the seconds of the machine are counted at its price")
    elif not priced:
        notes.append("its cost is unknown: the ledger has no price of it, nor has the machine (--usd-per-hour)")
    answers = max(1, int(measured.get("answers") or 0))
    upfront, renewal, more = _before(advice, way, per_hour)
    if not told and (way in TRAINED or (way in DOCUMENTS and not upfront["usd"])):
        priced = False
    if advice.notes["names"][way].endswith(f"@{CURRENT}"):
        notes.append("with what is promoted there now, and without what is being tried out")
    failed = int(measured.get("failed") or 0)
    if failed:
        notes.append(f"{failed} answers failed, and count as 0")
    return Row(
        way,
        tried=True,
        name=advice.notes["names"][way],
        scores=tuple(scores),
        failed=failed,
        usd=usd,
        seconds=seconds,
        tokens=float(measured.get("tokens") or 0) / answers,
        upfront_usd=upfront["usd"],
        upfront_seconds=upfront["seconds"],
        renewal_usd=renewal["usd"],
        renewal_seconds=renewal["seconds"],
        notes=(*notes, *more),
        priced=priced,
    )


def _before(advice: Advice, way: Way, per_hour: float) -> tuple[dict[str, float], dict[str, float], list[str]]:
    """What a way costs to begin with, what a change of the facts costs, and notes."""
    upfront, renewal = {"usd": 0.0, "seconds": 0.0}, {"usd": 0.0, "seconds": 0.0}
    notes: list[str] = []
    if way in DOCUMENTS:
        told, count = advice.notes["ingestion"], max(1, advice.notes["documents"]["documents"])
        usd = told["usd"] or told["seconds"] * per_hour / _HOUR_S
        upfront = {"usd": usd, "seconds": told["seconds"]}
        renewal = {"usd": usd / count, "seconds": told["seconds"] / count}
        notes.append(f"ingestion from {told['pieces']:.0f} pieces that were embedded; parsing is left out")
    if way in TRAINED:
        seconds = float(advice.notes.get("train_seconds", 0.0))
        cost = {"usd": seconds * per_hour / _HOUR_S, "seconds": seconds}
        upfront = {name: upfront[name] + cost[name] for name in cost}
        if way == "fine-tune":
            renewal = cost
        if not per_hour:
            notes.append("the machine has no price (prices.per_hour): training counts in seconds alone")
    return upfront, renewal, notes


def _terms(advice: Advice, groups: Sequence[str]) -> Terms:
    wish = advice.wish
    changes = wish.changes
    if changes is None:
        changes = advice.notes.get("documents", {}).get("changes_per_month")
    return Terms(wish.queries, changes, wish.months, wish.margin, clusters=tuple(groups))


def _report(advice: Advice, found: Sequence[Row], terms: Terms, decision: Decision, per_hour: float) -> dict[str, Any]:
    wish, unit = advice.wish, decision.unit
    told = []
    for row in found:
        known = [(score, group) for score, group in _grouped(row, terms) if score is not None]
        made: dict[str, Any] = {"mean": None, "low": None, "high": None, "n": 0}
        if known:
            estimate = clustered([each[0] for each in known], [each[1] for each in known])
            spread = estimate.low < estimate.high
            made = {"mean": estimate.value, "n": estimate.n, "low": None, "high": None}
            if spread:
                made |= {"low": max(0.0, estimate.low), "high": min(1.0, estimate.high)}
        monthly = money.monthly(row, terms, unit) if row.tried and row.known(unit) else None
        told.append({**row_plain(row), "quality": made, "monthly": monthly, "about": ABOUT[row.way]})
    given = wish.changes is not None
    return {
        "rows": told,
        **plain(decision),
        "break_even": money.crossings(found, unit),
        "terms": {
            "queries_per_month": terms.queries,
            "months": terms.months,
            "margin": terms.margin,
            "usd_per_hour": per_hour,
        },
        "facts": {
            "changes_per_month": terms.changes,
            "source": "told" if given else ("measured" if terms.changes is not None else "unknown"),
            "collection": advice.notes.get("documents"),
        },
        "sample": {
            "measured": max((len(row.scores) for row in found), default=0),
            "learn": advice.notes.get("learn", 0),
            "left_out": advice.notes.get("left_out", 0),
            "split": advice.notes.get("split", ""),
        },
        "scorer": wish.scorer,
        "experiment": advice.notes.get("comparison"),
    }


def _grouped(row: Row, terms: Terms) -> list[tuple[float | None, str]]:
    groups = terms.clusters if len(terms.clusters) == len(row.scores) else [""] * len(row.scores)
    return list(zip(row.scores, groups, strict=True))


def _figures(report: Mapping[str, Any], way: Way) -> dict[str, float]:
    row = next(each for each in report["rows"] if each["way"] == way)
    told = {"quality": row["quality"]["mean"], "n": row["quality"]["n"], "monthly": row["monthly"]}
    told |= {"per query, USD": row["usd"], "upfront, USD": row["upfront_usd"]}
    return {name: float(value) for name, value in told.items() if value is not None}
