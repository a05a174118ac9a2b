"""Kinds of judges that look for what a source does not say, side by side: AUROC against people's labels, and cost.

    MAINSPRING_DATA=... python benchmarks/hallucination.py [--keep FOLDER [--report]] [--minutes 5]
    MAINSPRING_DATA=... python benchmarks/hallucination.py --keep FOLDER --only "SelfCheck, 135M" "chat model, 135M"

By wording alone, by embeddings and shared words (the triad), by the cross-encoder, by a chat model of 1.5B and of 135M,
and by agreement with further answers of the same model (SelfCheck, for sets with a question). Labels are QAGS',
SummEdits' (short parts), USR's, those of ARES, and QA-Feedback's. Labels above a half count as supported. ``pooled`` is
the mean of the AUROCs of the sets with the interval of that mean: scores of different sets are on different scales.
Seconds are of this run and only comparable within it; tokens are what models read and wrote. ``--only`` measures some
kinds, and keeps the rows of the others as they were. A support check that was trained is in `support_check.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import tempfile
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean, median

import numpy as np

import _judged_sets as sets
import _judging_runs as runs
from _library import data
from _report import Figure, earlier, report, skip
from mainspring.features.judges.figures.published import area

LARGE, SMALL = "qwen2.5-coder-1.5b-instruct", "smollm2-135m-instruct"
KINDS = {
    "wording": "copied",
    "embeddings": "support",
    "cross-encoder": "entailed",
    "chat model, 1.5B": f"faithfulness@{LARGE}",
    "chat model, 135M": f"faithfulness@{SMALL}",
    "SelfCheck, 135M": f"selfcheck@{SMALL}",
}
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("", tuple(f"copied={each}" for each in sets.POINTS)),
    ("", tuple(f"support={each}:400" for each in sets.POINTS)),
    ("", tuple(f"entailed={each}:200" for each in ("qags", "ares", "usr", "summedits"))),
    (LARGE, tuple(f"faithfulness@{LARGE}={each}:60" for each in ("ares", "usr", "qags", "summedits"))),
    (SMALL, tuple(f"faithfulness@{SMALL}={each}:100" for each in ("ares", "usr", "qags", "summedits"))),
    (SMALL, (f"selfcheck@{SMALL}=ares:60",)),
)
FEWEST = 20


def told(kind: str, judge: str, keep: Path) -> dict[str, Figure]:
    """AUROC on each set, the mean over the sets, tokens and seconds."""
    figures, found = {}, []
    for name in sets.POINTS:
        seen = runs.seen(keep, judge, name, data("").resolve())
        scores = np.array([each.score for each in seen], np.float64)
        labels = np.array([each.label for each in seen], np.float64)
        each = area(scores[labels > 0.5], scores[labels < 0.5]) if len(seen) >= FEWEST else None
        if each is None:
            continue
        found.append((each, seen))
        against = f"95 % [{each['low']:.2f}, {each['high']:.2f}], n {each['n']}; chance .5"
        figures[f"{kind}, {name}"] = Figure(each["value"], "AUROC", "higher", against=against)
    if not found:
        return {}
    value = fmean(each["value"] for each, _ in found)
    half = math.sqrt(sum(((each["high"] - each["low"]) / 2) ** 2 for each, _ in found)) / len(found)
    everything = [each for _, seen in found for each in seen]
    tokens, seconds = fmean(each.tokens for each in everything), median(each.seconds for each in everything)
    low, high = max(0.0, value - half), min(1.0, value + half)
    against = f"95 % [{low:.2f}, {high:.2f}]; {len(found)} sets, n {len(everything)}; "
    against += f"{tokens:.0f} tokens and {seconds:.3g} s an answer"
    return {f"{kind}, pooled": Figure(value, "AUROC", "higher", against=against)} | figures


async def main(arguments: argparse.Namespace) -> None:
    if not sets.drawn("qags", data("").resolve()):
        skip("there are no files of people's labels")
    kinds = {kind: judge for kind, judge in KINDS.items() if kind in arguments.only}
    for chat, wanted in () if arguments.report else GROUPS:
        mine = [each for each in wanted if each.partition("=")[0] in kinds.values()]
        if mine:
            await runs.score_all(mine, chat, arguments.keep, arguments.minutes)
    figures = earlier("hallucination", lambda name: len(kinds) < len(KINDS) and not of(name, kinds))
    for kind, judge in kinds.items():
        figures |= told(kind, judge, arguments.keep)
    report("hallucination", figures)


def of(name: str, kinds: Iterable[str]) -> bool:
    """Whether a row is of one of these kinds."""
    return name.rpartition(", ")[0] in kinds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What a source does not say, found in several ways")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--report", action="store_true", help="of the scores that are kept, and judge nothing")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--only", nargs="*", choices=list(KINDS), default=list(KINDS), help="kinds that are measured")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        given.keep = given.keep or Path(folder)
        asyncio.run(main(given))
