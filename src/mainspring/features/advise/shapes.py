"""Advice as JSON, and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mainspring.features.advise.rule.money import amount
from mainspring.features.advise.wish import Wish
from mainspring.stores.sql import rows


def advice_body(row: Any) -> dict[str, Any]:
    """An ``advice`` object; ``report`` is null until it is completed."""
    wish = Wish.of(rows.load(row.spec))
    report = rows.load(row.report)
    tune = wish.tune
    return {
        "id": row.id,
        "object": "advice",
        "name": row.name,
        "dataset": row.data_set,
        "version": row.version,
        "model": wish.model,
        "collection": wish.collection or None,
        "ways": list(wish.ways),
        "fine_tune": None if tune is None else {"recipe": tune.recipe, "seconds": tune.seconds, "usd": tune.usd},
        "status": row.state,
        "stage": row.stage,
        "error": row.error or None,
        "steps": rows.load(row.steps),
        "verdict": None if report is None else report["verdict"],
        "way": None if report is None else report["way"],
        "report": report,
        "metadata": rows.load(row.metadata),
        "created_at": int(row.created_at),
        "ended_at": None if row.ended_at is None else int(row.ended_at),
    }


def headline(body: Mapping[str, Any]) -> str:
    """What an advice comes to, in one sentence."""
    if body["status"] != "completed":
        return f"{body['id']} is {body['status']}: {body['error'] or body['stage']}"
    if body["verdict"] == "recommended":
        return f"Recommended: {body['way']}."
    if body["verdict"] == "unsure":
        return f"Unsure; until more is known: {body['way']}."
    return "Nothing is recommended."


def cells(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The rows as a table: way, quality, per query, seconds, upfront, monthly, and the explanation."""
    unit = report["unit"]
    told: list[tuple[str, ...]] = []
    for row in report["rows"]:
        why = report["out"].get(row["way"], "") or "; ".join(row["notes"])
        if not row["tried"]:
            told.append((row["way"], "not tried", "", "", "", "", row["reason"]))
            continue
        paid = ("usd", "upfront_usd") if unit == "usd" else ("seconds", "upfront_seconds")
        told.append(
            (
                row["way"],
                _quality(row["quality"]),
                amount(row[paid[0]], unit) if row[paid[0]] or row["monthly"] is not None else "unknown",
                f"{row['seconds']:.2f}",
                amount(row[paid[1]], unit) if row[paid[1]] or row["monthly"] is not None else "unknown",
                "unknown" if row["monthly"] is None else amount(row["monthly"], unit),
                f"out: {why}" if row["way"] in report["out"] else why,
            )
        )
    return told


def markdown(body: Mapping[str, Any]) -> str:
    """The report for people."""
    lines = [f"# {_plain(body['name'])}", "", f"**{headline(body)}**", ""]
    report = body["report"]
    if report is None:
        return "\n".join(lines)
    sample, terms = report["sample"], report["terms"]
    lines += [f"- {each}" for each in report["reasons"]]
    lines += [
        "",
        f"{sample['measured']} questions were measured with {report['scorer']}, {sample['learn']} were there to learn "
        f"from ({sample['split']}). Intervals are 95 % over groups of near-duplicates; differences hold for all pairs "
        f"at once. {terms['queries_per_month']:g} queries a month, what comes first spread over {terms['months']:g} "
        f"months, margin {terms['margin']:g}.",
        _changing(report["facts"]),
        "",
        "| way | quality | per query | seconds | upfront | a month | |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += ["| " + " | ".join(_plain(cell) for cell in row) + " |" for row in cells(report)]
    if report["pairs"]:
        lines += ["", "| way | less | difference | beyond doubt |", "|---|---|---|---|"]
    for each in report["pairs"]:
        said = "yes" if each["beyond_doubt"] else "no"
        lines.append(f"| {each['way']} | {each['against']} | {_difference(each['difference'])} | {said} |")
    for each in report["break_even"]:
        lines.append(
            f"\n{each['way']} has cost less than {each['against']} after {math.ceil(each['queries']):,} queries."
        )
    lines += ["", "## What each way is for", "", "| way | |", "|---|---|"]
    lines += [f"| {row['way']} | {row['about']} |" for row in report["rows"]]
    missing = [row for row in report["rows"] if not row["tried"] and row["command"]]
    if missing:
        lines += ["", "## What was not tried", ""]
        lines += [f"- {row['way']}: {_plain(row['reason'])}. `{_plain(row['command'])}`" for row in missing]
    return "\n".join(lines) + "\n"


def _changing(known: Mapping[str, Any]) -> str:
    changes = known["changes_per_month"]
    if changes is None:
        return "How often the facts change is not known: nobody told, and no collection is old enough to show it."
    source = "as was told" if known["source"] == "told" else "as the collection's documents show"
    return f"The facts change {changes:.2g} times a month, {source}."


def _quality(found: Mapping[str, Any]) -> str:
    if found["mean"] is None:
        return "-"
    interval = "" if found["low"] is None else f" [{found['low']:.3f}, {found['high']:.3f}]"
    return f"{found['mean']:.3f}{interval} n={found['n']}"


def _difference(found: Mapping[str, Any]) -> str:
    return f"{found['mean']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}] n={found['n']}"


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
