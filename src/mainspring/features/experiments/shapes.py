"""Experiments as JSON."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.features.experiments.spec import Spec
from mainspring.stores.sql import rows

_WORDS = re.compile(r"\s+|\S+")
_LONGEST = 4_000
_MOST_DIFFS = 100


def experiment_body(row: Any, done: int) -> dict[str, Any]:
    """An ``experiment`` object. ``done`` answers have been scored."""
    spec = Spec.of(rows.load(row.spec))
    return {
        "id": row.id,
        "object": "experiment",
        "name": row.name,
        "dataset": row.data_set,
        "version": row.version,
        "fingerprint": row.fingerprint,
        "status": row.state,
        "error": row.error or None,
        "responders": [{"name": e.name, "model": e.model, "parameters": dict(e.parameters)} for e in spec.candidates],
        "scorers": [{"name": e.name, "label": e.label, "options": dict(e.options)} for e in spec.scorers],
        "recorded": spec.recorded,
        "counts": {"total": row.total, "done": done},
        "metadata": rows.load(row.metadata),
        "created_at": int(row.created_at),
        "ended_at": None if row.ended_at is None else int(row.ended_at),
    }


def places_body(found: Sequence[Any], names: Sequence[str], examples: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The answers of all responders to each example, with how each differs from the first one's."""
    told: dict[int, dict[str, Any]] = {}
    for row in found:
        entry = told.setdefault(
            row.place,
            {
                "place": row.place,
                "example_id": row.example_id,
                "example": examples.get(row.example_id),
                "group": row.cluster or None,
                "answers": [],
            },
        )
        entry["answers"].append(_answer(row, names))
    made = 0
    for entry in told.values():
        first = entry["answers"][0]["text"]
        for each in entry["answers"][1:]:
            made += 1
            each["diff"] = words(first, each["text"]) if made <= _MOST_DIFFS else None
    return list(told.values())


def words(old: str, new: str) -> list[dict[str, str]] | None:
    """Both texts as pieces that are the ``same``, ``removed`` or ``added``; None for long ones."""
    if len(old) + len(new) > _LONGEST:
        return None
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    found: list[dict[str, str]] = []
    for kind, i1, i2, j1, j2 in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            found.append({"kind": "same", "text": "".join(before[i1:i2])})
            continue
        if i2 > i1:
            found.append({"kind": "removed", "text": "".join(before[i1:i2])})
        if j2 > j1:
            found.append({"kind": "added", "text": "".join(after[j1:j2])})
    return found


def _answer(row: Any, names: Sequence[str]) -> dict[str, Any]:
    body = rows.load(row.body)
    return {
        "responder": names[row.responder] if row.responder < len(names) else "recorded",
        "text": body.get("text", ""),
        "model": body.get("model", ""),
        "refused": body.get("refused"),
        "error": row.error or None,
        "trace_id": body.get("trace_id") or None,
        "scores": rows.load(row.scores),
        "reasons": rows.load(row.reasons),
        "cost_usd": row.cost_nanousd / 1e9,
        "seconds": row.seconds,
        "tokens": row.tokens,
    }


def markdown(name: str, report: Mapping[str, Any]) -> str:
    """The report, for a comment of a continuous integration."""
    labels = list(report["responders"][0]["scores"]) if report["responders"] else []
    lines = [f"## {name}", "", f"{report['examples']} examples. Intervals are 95 % over groups.", ""]
    raw = {label for each in report["responders"] for label in labels if each["scores"][label].get("raw")}
    heads = [f"{label} (raw)" if label in raw else label for label in labels]
    lines.append("| | " + " | ".join([*heads, "cost, USD", "seconds p50 / p95", "failed"]) + " |")
    lines.append("|---" * (len(labels) + 4) + "|")
    for each in report["responders"]:
        cells = [_estimate(each["scores"][label]) for label in labels]
        seconds = " / ".join("-" if s is None else f"{s:.2f}" for s in (each["seconds_p50"], each["seconds_p95"]))
        cells += [f"{each['cost_usd']:.6f}", seconds, str(each["failed"])]
        lines.append(f"| {_plain(each['name'])} | " + " | ".join(cells) + " |")
    lines += _calibrated(report["responders"], sorted(raw))
    if report["comparisons"]:
        lines += [
            "",
            "| against " + _plain(report["comparisons"][0]["baseline"]) + " | scorer | difference | p | won | lost |",
        ]
        lines.append("|---|---|---|---|---|---|")
    for each in report["comparisons"]:
        p = each.get("p_corrected")
        told = [_plain(each["responder"]), each["scorer"], _estimate(each["difference"], sign=True)]
        told += ["-" if p is None else f"{p:.4f}", str(each["won"]), str(each["lost"])]
        lines.append("| " + " | ".join(told) + " |")
    return "\n".join(lines) + "\n"


def _calibrated(responders: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> list[str]:
    """What people would say, beside the raw means of judges."""
    if not labels:
        return []
    lines = ["", "| judge | | raw | calibrated | by |", "|---|---|---|---|---|"]
    for label in labels:
        for each in responders:
            found = each["scores"][label]
            made = found.get("calibrated")
            by = _plain(found.get("why", "")) if made is None else f"{made['by']}, {made['labels']} labels"
            told = [label, _plain(each["name"]), _estimate(found), "-" if made is None else _estimate(made), by]
            lines.append("| " + " | ".join(told) + " |")
    return lines


def _estimate(found: Mapping[str, Any], *, sign: bool = False) -> str:
    if found["mean"] is None:
        return "-"
    form = "+.3f" if sign else ".3f"
    interval = "" if found["low"] is None else f" [{found['low']:{form}}, {found['high']:{form}}]"
    return f"{found['mean']:{form}}{interval}"


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
