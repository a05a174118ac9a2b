"""The card of a version: what it was made of and how, how good it is, and what it may be used for."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.training.ports import Version

ADOPTED, ELSEWHERE = "adopted", "elsewhere"
"""The source of the data of what was trained elsewhere, and the recipe of what tells none."""
_MOST_SAMPLES, _MOST_TEXT = 3, 400
_STALE, _WRITES = "**Stale:**", "## What it writes"
_USES: Mapping[str, str] = {
    "chat": "It writes answers, as its base does.",
    "adapter": "It changes how its base writes answers; the licence of the base holds for it.",
    "reward": "It scores answers while others are trained. It is not a judge of facts.",
    "embedding": "It finds texts. Vectors of another model cannot be compared with its own.",
    "reranker": "It orders passages by how well they answer a question.",
    "reader": "It says which sentences answer a question.",
    "nli": "It says whether a passage supports a sentence.",
    "classifier": "It sorts texts into the classes that it was taught.",
    "language-model": "It continues texts. It was not taught to answer.",
    "translator": "It translates between the languages of its pairs.",
    "composer": "It completes mails while people type them.",
    "tokenizer": "It cuts texts into tokens for a model that is trained with it.",
    "answering": "It says how documents are answered from: thresholds, weights and examples.",
    "examples": "They stand in the prompt of the application that they were tried with.",
    "prompt": "It is a prompt for the application that it was tried with.",
    "router": "It chooses among the models that it was tried with.",
    "given": "Nothing was learned: a person wrote it.",
}


def text(
    version: Version,
    asked: Mapping[str, Any],
    data: Mapping[str, Any],
    samples: Sequence[Mapping[str, Any]] = (),
    *,
    licence: str = "",
    trained: str = "",
) -> str:
    """Markdown. ``licence`` is the base's; ``trained`` tells how long it took."""
    made = version.made
    parts = [f"# {version.label}\n", _USES.get(version.makes, ""), ""]
    if version.stale:
        parts += [f"{_STALE} {version.stale}", ""]
    when = time.strftime("%Y-%m-%d", time.gmtime(version.created_at))
    parts += [_origin(version, data, when) + trained, ""]
    if made.entry.get("license"):
        parts += [f"Licence: {_line(str(made.entry['license']))}", ""]
    parts += ["## How good it is", "", *_figures(version, told=bool(data.get("told")))]
    parts += ["## What it was made of", "", *_data(version, data), "## How it was made", ""]
    options = json.dumps(asked.get("options", {}), ensure_ascii=False, sort_keys=True)
    parts += [f"- Seed: {asked.get('seed', 0)}", f"- Options: `{options}`"]
    base = version.base or "none: from nothing"
    parts += [f"- Base: {base}" + (f" (licence: {licence})" if licence else ""), ""]
    if samples:
        parts += [_WRITES, "", *_samples(samples)]
    if made.notes:
        parts += ["## Notes", "", *(f"- {_line(note)}" for note in made.notes), ""]
    return "\n".join(parts).rstrip() + "\n"


def redacted(text: str, stale: str) -> str:
    """A card without samples, which repeat rows; ``stale`` says why."""
    kept, inside = [], False
    for line in text.splitlines():
        if line.startswith("## "):
            inside = line == _WRITES
        if not inside:
            kept.append(line)
    if not any(line.startswith(_STALE) for line in kept):
        kept[1:1] = ["", f"{_STALE} {stale}"]
    return "\n".join(kept).rstrip() + "\n"


def _origin(version: Version, data: Mapping[str, Any], when: str) -> str:
    if data.get("source") != ADOPTED:
        return f"Made on {when} by the recipe `{version.recipe}` in the job `{version.job_id}`."
    how = "." if version.recipe == ELSEWHERE else f" by the recipe `{version.recipe}`."
    return f"Trained elsewhere{how} Adopted on {when} from `{_line(str(data.get('from', '')))}` as `{version.job_id}`."


def _figures(version: Version, *, told: bool) -> list[str]:
    made = version.made
    if not made.figures:
        return ["Nothing was measured: there were no rows for it.", ""]
    rows = ["| Figure | Before | After | 95 % interval | Rows |", "|---|---|---|---|---|"]
    for name, value in made.figures.items():
        before = f"{made.before[name]:.4g}" if name in made.before else ""
        low, high = made.intervals.get(name, (None, None))
        interval = f"{low:.4g} to {high:.4g}" if low is not None and high is not None else ""
        rows.append(f"| {_line(name)} | {before} | {value:.4g} | {interval} | {made.counted.get(name, '')} |")
    measured = "Measured on the side `test` of the data, on which nothing was chosen."
    return [*rows, "", "As it was told when it was adopted; nothing was measured here." if told else measured, ""]


def _data(version: Version, data: Mapping[str, Any]) -> list[str]:
    rows = []
    if version.export:
        rows.append(f"- Export of the lake: `{version.export}`")
    for side, told in data.get("sides", {}).items():
        rows.append(f"- {side}: {told['rows']} rows, sha256 `{told['sha256']}`")
    if data.get("split"):
        rows.append(f"- Division: {_line(str(data['split']))}")
    if not rows:
        rows.append("- Nothing is known of its data: no erasure finds it.")
    rows += [f"- {title}: {_line(str(data[name]))}" for name, title in _TOLD.items() if data.get(name)]
    consent = data.get("consent")
    if isinstance(consent, dict):
        override = consent.get("override")
        told = f"without it, for the reason: {_line(str(override))}" if override else "every row has it"
        rows.append(f"- Consent: {told}")
    return [*rows, ""]


_TOLD = {"name": "Title", "kind": "Kind", "licence": "Licence of the data"}


def _samples(samples: Sequence[Mapping[str, Any]]) -> list[str]:
    """Of each prompt the first and the last text."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for each in samples:
        found.setdefault(str(each["prompt"]), []).append(each)
    told: list[str] = []
    for prompt, texts in list(found.items())[:_MOST_SAMPLES]:
        told += [f"**{_line(prompt)}**", ""]
        for name, each in (("Before", texts[0]), ("After", texts[-1])):
            told += [f"- {name} (step {each['step']}): {_line(str(each['text']))}"]
        told.append("")
    return told


def _line(text: str) -> str:
    """On one line, without what Markdown reads."""
    flat = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
    return flat[:_MOST_TEXT] + ("…" if len(flat) > _MOST_TEXT else "")
