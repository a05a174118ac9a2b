"""Refusal as a risk-coverage curve: the built-in evidence, and one that is fitted on the development half of SQuAD.

    MAINSPRING_DATA=... python benchmarks/refusal.py [--keep FILE] [--limit N]

SQuAD 2.0 without every fifth article: 500 answerable questions, 500 adversarially unanswerable ones about the same
paragraphs, and 200 about the articles that were left out, a half. Everything is fitted on the development half and
reported on the other. ``--keep`` keeps what the searches told (as JSON), and takes it from there when it exists;
``--limit`` asks at most so many questions a half, evenly spaced.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from _library import data
from _report import Figure, report
from mainspring import engines
from mainspring.core.settings import Settings, load
from mainspring.features.evaluate.ablate import workbench
from mainspring.features.evaluate.fit import evidence as fitting
from mainspring.features.evaluate.fit.evidence import Calibrated, EvidenceRow
from mainspring.features.evaluate.fit.refusal import Refusal
from mainspring.features.evaluate.sets import public
from mainspring.features.evaluate.sets.collections import Split

HALVES: tuple[Split, Split] = ("development", "reported")
FOUNDATION = "the foundation's best sentence cosine: .55 to .67"


async def asked(limit: int) -> list[list[EvidenceRow]]:
    """What the searches tell about the questions of each half."""
    judged = public.squad_refusal(data("."))
    settings: Settings = load().settings
    rag = settings.rag.model_copy(update={"refuse_below": 0.0, "mode": "extractive", "calibration": None})
    models = settings.models.model_copy(update={"chat": ()})
    with tempfile.TemporaryDirectory() as home:
        apart = settings.model_copy(update={"home": Path(home), "rag": rag, "models": models})
        async with engines.open(apart) as opened, workbench.open(apart, opened) as bench:
            await bench.fill(judged.documents)
            return [await fitting.gather(bench, judged.part(half, limit)) for half in HALVES]


def kept(path: Path | None, limit: int) -> list[list[EvidenceRow]]:
    """The rows, from ``path`` where it is there."""
    if path is not None and path.exists():
        return [[EvidenceRow(**row) for row in rows] for rows in json.loads(path.read_text(encoding="utf-8"))]
    rows = asyncio.run(asked(limit))
    if path is not None:
        path.write_text(json.dumps([[asdict(row) for row in half] for half in rows]), encoding="utf-8")
    return rows


def figures(name: str, found: Refusal, sizes: str) -> dict[str, Figure]:
    near, away = found.auroc["near_miss"], found.auroc["off_topic"]
    curve = found.curve
    bound = f"perfect order {curve.best:.3f}, no information {curve.chance:.3f}"
    made = {
        f"{name}: AUROC answerable / near miss": Figure(
            near.value, "", "higher", 0.67, 0.75, f"{near.text()}; {FOUNDATION}; {sizes}"
        ),
        f"{name}: AUROC answerable / off topic": Figure(away.value, "", "higher", 0.95, 0.98, away.text()),
        f"{name}: area under risk and coverage": Figure(curve.aurc, "", "lower", against=bound),
    }
    for coverage in (0.25, 0.5, 0.75):
        made[f"{name}: wrong of {coverage:.0%} answered"] = Figure(
            curve.at_coverage(coverage).risk, "", "lower", against=f"{curve.chance:.3f} when all are answered"
        )
    for kind, share in found.refused.items():
        made[f"{name}: {kind} refused"] = Figure(share, "", "lower" if kind == "answerable" else "higher")
    return made


def main(path: Path | None, limit: int) -> None:
    development, reported = kept(path, limit)
    found: Calibrated = fitting.calibrate(
        "squad-refusal", development, reported, refuse_below=load().settings.rag.refuse_below
    )
    print(fitting.plot({"built in": found.built_in.curve, "fitted": found.fitted.curve}))
    print({name: round(weight, 3) for name, weight in found.calibration.weights.items()})
    sizes = f"{len(reported)} questions"
    report("refusal", figures("built in", found.built_in, sizes) | figures("fitted", found.fitted, sizes))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="what the searches told, kept and read again")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="questions a half at most; 0: all")
    arguments = parser.parse_args()
    main(arguments.keep, arguments.limit)
