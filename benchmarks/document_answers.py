"""Answers of the whole system on public questions: SQuAD, its near misses, single cells of TAT-QA, the handbook.

    MAINSPRING_DATA=... python benchmarks/document_answers.py [--only tatqa] [--dev] [--limit N] [--out FOLDER]
        [--keep FOLDER] [--seconds S]

The questions that are reported share none with those of ``--dev``, on which parts and settings may be chosen. Those of
`squad-articles` are of articles that nothing was trained on (4, 8, 12 and 16); TAT-QA's halves are its published ones,
and each of its questions is asked of its own table, for it names no company. An answer counts when it contains a whole
gold string, in any notation. With ``--keep`` answers are kept in pieces, and a run goes on where the one before it
ended; one that takes longer than ``--seconds`` ends after its piece.
"""

from __future__ import annotations

import argparse
import pickle
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from _asked import Goals, answered, figures, write
from _library import data
from _report import Figure, report, table
from mainspring.features.evaluate.answers import ScoredAnswer, holds, wilson
from mainspring.features.evaluate.sets.collections import JudgedCollection
from mainspring.features.evaluate.sets.loading import load

SAMPLES = Path(__file__).parent.parent / "samples"
NAMES = ("squad", "squad-articles", "tatqa", "handbook")
GOALS: dict[str, Goals] = {
    "squad": {"answer contained": (0.88, 0.92), "answerable refused": (0.05, 0.02)},
    "squad-articles": {},
    "tatqa": {"answer contained, cell": (0.70, 0.85)},
    "handbook": {"answer contained": (0.93, 1.0), "answerable refused": (0.05, 0.0)},
}
PIECE = 25
"""Questions that are asked and kept at once."""
_BOLD = re.compile(r"\*\*(.+?)\*\*")
SHORT = 60
"""Words that a short answer has at most."""


def half(name: str, development: bool) -> JudgedCollection:
    """The questions of one half; the handbook's are all development."""
    judged = load(name, SAMPLES if name == "handbook" else data(""))
    return judged if name == "handbook" else judged.part("development" if development else "reported")


def short(found: Sequence[ScoredAnswer]) -> dict[str, Figure]:
    """Answers that hold the gold string in few words, and how many numbers have no source."""
    asked = [each for each in found if each.query.kind == "answerable"]
    bold = [(each, " ".join(_BOLD.findall(each.shown.text))) for each in asked if each.contained]
    marked = [holds(text, each.query) for each, text in bold if text]
    told = wilson(sum(marked), len(bold))
    held = wilson(sum(each.contained and each.words <= SHORT for each in asked), len(asked))
    loose = Counter(bool(each.unsupported) for each in found if not each.shown.refused)
    return {
        f"answer contained in at most {SHORT} words": Figure(
            held.value, "share", "higher", against=f"{len(asked)} questions, [{held.low:.3f}, {held.high:.3f}]"
        ),
        "gold answer in bold, of the answers that contain it": Figure(
            told.value,
            "share",
            "higher",
            against=f"{len(bold)} answers, [{told.low:.3f}, {told.high:.3f}]; "
            f"something else in bold {len(marked) - sum(marked)}",
        ),
        "answers with a number that has no source": Figure(
            loose[True], "answers", "lower", 0, 0, against=f"of {loose.total()}"
        ),
    }


def in_pieces(judged: JudgedCollection, arguments: argparse.Namespace, began: float) -> list[ScoredAnswer]:
    """The answers to ``judged``, those of earlier runs from ``--keep``; ends the run if its time is up."""
    home = arguments.home and arguments.home / judged.name
    if arguments.keep is None:
        return answered(judged, arguments.mode, home)
    half_ = "dev" if arguments.dev else "reported"
    found: list[ScoredAnswer] = []
    for start in range(0, len(judged.queries), PIECE):
        path = (
            arguments.keep
            / f"{judged.name}-{half_}-{arguments.mode or 'default'}-{arguments.limit}-{start}-{PIECE}.pickle"
        )
        if not path.exists():
            if arguments.seconds and time.monotonic() - began > arguments.seconds:
                raise SystemExit(f"{start} of {len(judged.queries)} questions of {judged.name} are kept: run it again")
            piece = replace(judged, queries=judged.queries[start : start + PIECE])
            arguments.keep.mkdir(parents=True, exist_ok=True)
            path.write_bytes(pickle.dumps(answered(piece, arguments.mode, home)))
        found += pickle.loads(path.read_bytes())
    return found


def main(arguments: argparse.Namespace) -> None:
    measured: dict[str, Figure] = {}
    began = time.monotonic()
    for name in [arguments.only] if arguments.only else NAMES:
        judged = half(name, arguments.dev)
        if arguments.limit:
            judged = judged.part("all", arguments.limit)
        found = in_pieces(judged, arguments, began)
        write(arguments.out, f"{name}-{'dev' if arguments.dev else 'reported'}-{arguments.mode or 'default'}", found)
        prefix = f"{name}: "
        measured |= figures(found, GOALS[name], prefix)
        measured |= {prefix + label: figure for label, figure in short(found).items()}
    if arguments.dev or arguments.only or arguments.limit:
        print(table(measured))
    else:
        report("document_answers", measured)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Answers on public questions")
    parser.add_argument("--only", choices=NAMES)
    parser.add_argument("--dev", action="store_true", help="the questions on which things are chosen")
    parser.add_argument("--mode", default="", choices=("", "auto", "extractive", "generative"))
    parser.add_argument("--limit", type=int, default=0, help="at most so many questions of each, evenly spaced")
    parser.add_argument("--home", type=Path, help="keeps what was read for the next run")
    parser.add_argument("--out", type=Path, help="folder for every answer")
    parser.add_argument("--keep", type=Path, help="folder of the answers of earlier runs")
    parser.add_argument("--seconds", type=float, default=0.0, help="end after the piece during which this has passed")
    main(parser.parse_args())
