"""Which part of an answer is worth what: embedder, reranker, sentences shown, check and writer, one changed at a time.

    MAINSPRING_DATA=... python benchmarks/answer_ablation.py [FOLDER] --keep KEPT [--arms late,none] [--squad 200]

Every arm answers the same questions through the whole system: those of FOLDER (docs/guides/evaluation.md; left out
without one) and of SQuAD's development half. It uses no data that is reported elsewhere: it is for choosing. An arm is
the defaults with the settings that it names. The measurements stay in KEPT, so that the benchmark can run in pieces.
Shares have Wilson's intervals; p is that of the paired randomisation test on "answer contained" against the defaults,
corrected by Holm over the arms of one set.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from _library import data
from _report import Figure, report
from mainspring.core.errors import ModelNotPulled
from mainspring.core.settings import Settings
from mainspring.core.settings import load as load_settings
from mainspring.features.evaluate import answers as scoring
from mainspring.features.evaluate.answers import wilson
from mainspring.features.evaluate.commands.answers import asked
from mainspring.features.evaluate.sets.collections import JudgedCollection
from mainspring.features.evaluate.sets.loading import load
from mainspring.statistics.significance import compare
from mainspring.system import open_rooms
from mainspring.terminal.pulling import without_chat

BASE = "defaults"
ARMS: Mapping[str, Mapping[str, Any]] = {
    BASE: {},
    "verbatim": {"rag.mode": "extractive"},
    "written": {"rag.mode": "generative"},
    "reranker none": {"models.reranker": "", "rag.mode": "extractive"},
    "reranker late": {"models.reranker": "late", "rag.mode": "extractive"},
    "reranker cross-encoder": {"models.reranker": "ms-marco-minilm-l12-v2-int8", "rag.mode": "extractive"},
    "sentences by none": {"models.answers": "", "rag.mode": "extractive"},
    "sentences by cross-encoder": {"models.answers": "ms-marco-minilm-l12-v2-int8", "rag.mode": "extractive"},
    "embedder MiniLM": {"models.embedding": "all-minilm-l6-v2", "rag.mode": "extractive"},
    "embedder bge": {"models.embedding": "bge-small-en-v1.5-int8", "rag.mode": "extractive"},
    "one sentence": {"rag.max_sentences": 1, "rag.mode": "extractive"},
    "five sentences": {"rag.max_sentences": 5, "rag.max_words": 150, "rag.mode": "extractive"},
    "no check": {"rag.refuse_below": 0.0, "rag.mode": "extractive"},
    "eight passages": {"rag.top_k": 8, "rag.mode": "extractive"},
}
"""Settings by section and key. Arms after the third are of verbatim answers."""
COLUMNS = ("right source cited first", "answerable refused", "near miss refused", "off topic refused")

Kept = dict[str, Any]


def changed(settings: Settings, arm: Mapping[str, Any]) -> Settings:
    """``settings`` with what ``arm`` names, validated. Raises what settings raise for values that they refuse."""
    facts = settings.model_dump()
    for name, value in arm.items():
        section, _, key = name.partition(".")
        facts[section][key] = value
    return Settings.model_validate(facts)


def measure(judged: JudgedCollection, label: str, keep: Path) -> Kept | None:
    """The answers of one arm, or what an earlier run left; None where a model that it needs is not there."""
    path = keep / f"{judged.name}-{label.replace(' ', '-')}.json"
    if path.exists():
        kept: Kept = json.loads(path.read_text(encoding="utf-8"))
        return kept
    settings = without_chat(changed(load_settings().settings, ARMS[label]))
    # Arms with the same embedder and chunks search the same index.
    home = keep / f"home-{judged.name}-{settings.models.embedding}-{settings.rag.chunk_tokens}"
    home.mkdir(parents=True, exist_ok=True)
    try:
        found = asyncio.run(asked(open_rooms, settings, judged, home))
    except ModelNotPulled as error:
        print(f"{label} left out: {error}", flush=True)
        return None
    kept = scoring.as_json(judged.name, found, {"arm": label})
    path.write_text(json.dumps(kept), encoding="utf-8")
    return kept


def figures(name: str, arms: Mapping[str, Kept]) -> dict[str, Figure]:
    """The arms of one set of questions as figures; the defaults must be among them."""
    asked_of = {
        label: {each["id"]: float(each["contained"]) for each in kept["answers"] if each["kind"] == "answerable"}
        for label, kept in arms.items()
    }
    compared = compare(asked_of, BASE) if len(asked_of) > 1 else {}
    found: dict[str, Figure] = {}
    for label, kept in arms.items():
        held = wilson(round(sum(asked_of[label].values())), len(asked_of[label]))
        said = [f"[{held.low:.3f}, {held.high:.3f}]"]
        if label in compared:
            one = compared[label]
            said.append(f"{one.difference.value:+.3f}, p = {one.corrected:.3f}, {one.won}/{one.lost} won/lost")
        said += [f"{column} {kept['shares'][column]['value']:.3f}" for column in COLUMNS if column in kept["shares"]]
        said += [f"{key} {value['median']:.0f}" for key, value in kept["spreads"].items()]
        found[f"{name}: {label}"] = Figure(held.value, "contained", "higher", against="; ".join(said))
    return found


def main(arguments: argparse.Namespace) -> None:
    arguments.keep.mkdir(parents=True, exist_ok=True)
    sets = [load("squad", data("")).part("development", arguments.squad)] if arguments.squad else []
    if arguments.folder is not None:
        sets.insert(0, load(str(arguments.folder)).part("development"))
    measured: dict[str, Figure] = {}
    for judged in sets:
        arms: dict[str, Kept] = {}
        for label in [BASE, *(each for each in arguments.arms or ARMS if each != BASE)]:
            kept = measure(judged, label, arguments.keep)
            if kept is not None:
                arms[label] = kept
                print(f"{judged.name}, {label}: {kept['shares']['answer contained']['value']:.3f}", flush=True)
        measured |= figures("documents" if arguments.folder and judged is sets[0] else judged.name, arms)
    report("answer_ablation", measured)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Parts of an answer, one changed at a time")
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--keep", type=Path, default=Path("/tmp/answer-ablation"), help="folder of what was measured")
    parser.add_argument("--arms", type=lambda text: text.split(","), help="labels, with commas between")
    parser.add_argument("--squad", type=int, default=200, help="questions of SQuAD, evenly spaced (0: none)")
    main(parser.parse_args())
