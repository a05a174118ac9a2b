"""Completions of the code assistant against the raw model, in holes of real functions.

    python benchmarks/code_complete.py FOLDER... --model NAME --answers FILE [--holes 8] [--minutes 5] [--seed 1]

The folders are checkouts of repositories (see ``code_context.py``), which are no part of this one. For each hole the
raw model fills in the middle with the same bound of tokens and no other file; the assistant has the workspace, ends
and checks. Both are asked in turn, greedily; answers are kept in FILE, so that a run goes on where an earlier one
ended. A completion parses if the file does with it: Python's own compiler says so for Python, tree-sitter for the rest.
What was not shown does not count as parsing, and its share is told. ``similar`` is the similarity of edits (Indel) to
what stood there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz

from _holes import Hole, holes, sent
from _report import Figure, report
from mainspring.core.path import collect
from mainspring.core.settings import load
from mainspring.core.types import CompletionRequest, Context, Sampling
from mainspring.features.code.feature import Code
from mainspring.features.code.syntax import trees
from mainspring.system import System

TOKENS = 96
Answers = dict[tuple[str, str], str]


def name_of(hole: Hole) -> str:
    return f"{hole.repository}/{hole.place.path}:{len(hole.place.before)}:{hole.kind}"


def parses(hole: Hole, text: str) -> bool:
    whole = hole.place.before + text + hole.place.after
    return trees.compiles(whole) if hole.place.suffix == "py" else trees.faults(whole, hole.place.suffix) == 0


async def ask(args: argparse.Namespace, wanted: Sequence[Hole], known: Answers) -> None:
    until = time.monotonic() + 60 * args.minutes
    settings = load().settings
    models = settings.models.model_copy(update={"chat": (args.model,), "larger": ""})
    with tempfile.TemporaryDirectory() as home:
        settings = settings.model_copy(update={"home": Path(home), "models": models})
        async with System.open(settings) as system:
            workspaces = system.services[Code].workspaces
            for root in args.folders:
                made = await workspaces.create(system.local, root.name)
                await workspaces.put(system.local, made.id, sent(root))
            for hole in wanted:
                for side in ("raw", "assistant"):
                    if (name_of(hole), side) in known or time.monotonic() > until:
                        continue
                    text = await _one(system, args.model, hole, side)
                    known[name_of(hole), side] = text
                    with args.answers.open("a", encoding="utf-8") as file:
                        file.write(json.dumps([name_of(hole), side, text]) + "\n")
                    print(".", end="", flush=True)
    print()


async def _one(system: System, model: str, hole: Hole, side: str) -> str:
    place = hole.place
    if side == "raw":
        before, after = place.before[-5_000:], place.after[:1_600]
        asked = CompletionRequest(model, before, Sampling(TOKENS, 0.0), suffix=after, source=True)
    else:
        options = {"path": place.path, "workspace": hole.repository, "model": model}
        sampling = Sampling(TOKENS, 0.0)
        asked = CompletionRequest("code", place.before, sampling, suffix=place.after, options=options, source=True)
    return (await collect(await system.respond(asked, Context(system.local)))).text


def figures(found: Sequence[Hole], known: Answers) -> dict[str, Figure]:
    told: dict[str, Figure] = {}
    for kind in ("body", "line"):
        pairs: list[tuple[Hole, dict[str, str]]] = []
        for hole in found:
            texts = {side: known.get((name_of(hole), side)) for side in ("raw", "assistant")}
            if hole.kind == kind and None not in texts.values():
                pairs.append((hole, {side: text or "" for side, text in texts.items()}))
        for side in ("raw", "assistant"):
            rows = [(hole, texts[side]) for hole, texts in pairs]
            if not rows:
                continue
            shown = [(hole, text) for hole, text in rows if text.strip()]
            n = f"n={len(rows)}"
            told |= {
                f"{kind}, {side}: parses": _share([parses(*each) for each in shown], f"{len(shown)} that were shown"),
                f"{kind}, {side}: shown": _share([bool(text.strip()) for _, text in rows], n),
                f"{kind}, {side}: as it was": _share([text.strip() == hole.truth.strip() for hole, text in rows], n),
                f"{kind}, {side}: similar": Figure(_similar(rows), "ratio", "higher", against=n),
            }
    return told


def _similar(rows: Sequence[tuple[Hole, str]]) -> float:
    found = [fuzz.ratio(text.strip(), hole.truth.strip()) / 100 for hole, text in rows]
    return round(statistics.mean(found), 3)


def _share(values: Sequence[bool], against: str) -> Figure:
    return Figure(round(statistics.mean(values), 3) if values else 0.0, "share", "higher", against=against)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--model", required=True)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--holes", type=int, default=8, help="of each kind, in each repository")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    each = [holes(root, sent(root), ("py", "js"), args.holes, args.seed) for root in args.folders]
    # In turn from each repository and kind, so that a part is a fair one.
    found = [one for several in zip(*(_mixed(part) for part in each), strict=False) for one in several]
    kept = args.answers.read_text(encoding="utf-8") if args.answers.exists() else ""
    lines: list[Any] = [json.loads(line) for line in kept.splitlines()]
    known: Answers = {(name, side): text for name, side, text in lines}
    if args.minutes:
        asyncio.run(ask(args, found, known))
    report("code_complete", figures(found, known))


def _mixed(found: Sequence[Hole]) -> list[Hole]:
    bodies = [each for each in found if each.kind == "body"]
    lines = [each for each in found if each.kind == "line"]
    return [one for pair in zip(bodies, lines, strict=False) for one in pair]


if __name__ == "__main__":
    main()
