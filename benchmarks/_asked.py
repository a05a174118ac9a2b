"""Answers of the whole system to a judged collection, as figures: each share with Wilson's interval and its goal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from _report import Figure, skip
from mainspring.core.errors import ModelNotPulled
from mainspring.core.settings import load
from mainspring.features.evaluate import answers as scoring
from mainspring.features.evaluate.answers import ScoredAnswer
from mainspring.features.evaluate.commands.answers import asked
from mainspring.features.evaluate.sets.collections import JudgedCollection
from mainspring.system import open_rooms
from mainspring.terminal.pulling import without_chat

Goals = Mapping[str, tuple[float, float]]
"""Floor and aim by label."""
_FALLS = ("answerable refused", "false", "to be read")


def answered(judged: JudgedCollection, mode: str, home: Path | None) -> list[ScoredAnswer]:
    """Ask every question of ``judged`` with the default settings and ``rag.mode``."""
    settings = load().settings
    if mode:
        settings = settings.model_copy(update={"rag": settings.rag.model_copy(update={"mode": mode})})
    try:
        return asyncio.run(asked(open_rooms, without_chat(settings), judged, home))
    except ModelNotPulled as error:
        skip(str(error))


def figures(found: Sequence[ScoredAnswer], goals: Goals, prefix: str = "") -> dict[str, Figure]:
    """The shares and spreads of ``found``, and AUROC of the evidence."""
    measured: dict[str, Figure] = {}
    for label, each in scoring.shares(found).items():
        floor, aim = goals.get(label, (None, None))
        measured[prefix + label] = Figure(
            each.value,
            "share",
            "lower" if label.startswith(_FALLS) else "higher",
            floor,
            aim,
            f"{round(each.value * each.n)} of {each.n}, [{each.low:.3f}, {each.high:.3f}]",
        )
    for kind, each in scoring.separation(found).items():
        measured[f"{prefix}AUROC of the evidence: answerable against {kind}"] = Figure(
            each.value, "AUROC", "higher", against=f"[{each.low:.3f}, {each.high:.3f}]"
        )
    for label, (middle, high) in scoring.spreads(found).items():
        unit = "words" if label.startswith("words") else "ms"
        measured[prefix + label] = Figure(middle, unit, "lower", against=f"95th percentile {high:.0f}")
    return measured


def write(folder: Path | None, name: str, found: Sequence[ScoredAnswer]) -> None:
    """Every answer into ``folder`` as ``NAME.json`` and, for reading, ``NAME.md`` (None: nowhere)."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.md").write_text(scoring.markdown(name, found), encoding="utf-8")
        facts = json.dumps(scoring.as_json(name, found, {}), indent=2)
        (folder / f"{name}.json").write_text(facts + "\n", encoding="utf-8")
