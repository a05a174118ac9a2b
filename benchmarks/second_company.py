"""Questions to documents that are not the sample handbook's: sources, gold strings, refusals, false statements, words.

    python benchmarks/second_company.py FOLDER [--mode extractive] [--home KEPT] [--out FOLDER] [--readings A B]

FOLDER holds `documents/` and `questions.jsonl` (docs/guides/evaluation.md): documents of any kind and at least thirty
questions that they answer, near misses and off-topic ones. Whoever tunes on a folder reports on another. Only questions
of the split `reported` make a result that is kept; others are printed. `--out` writes every answer for reading; what
two readers said of them (files by the rubric of `benchmarks/_readings.py`) is reported with their
agreement.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import _readings as readings
from _asked import Goals, answered, figures, write
from _report import Figure, report, skip, table
from mainspring.features.evaluate.answers import wilson
from mainspring.features.evaluate.sets.loading import load

GOALS: Goals = {
    "right source cited first": (0.85, 0.95),
    "answer contained": (0.80, 0.90),
    "answerable refused": (0.05, 0.0),
    "near miss refused": (0.0, 0.60),
    "off topic refused": (1.0, 1.0),
    "false: unsupported number or opposite": (0.05, 0.0),
}


def read(paths: Sequence[Path]) -> dict[str, Figure]:
    """What readers said of the answers."""
    said = [readings.read(path) for path in paths]
    found: dict[str, Figure] = {}
    for number, each in enumerate(said, 1):
        false = wilson(sum(reading.false for reading in each.values()), len(each))
        found[f"readable, reader {number}"] = Figure(
            readings.mean(each), "of 2", "higher", 1.6, 1.8, f"{len(each)} answers"
        )
        found[f"false statements, reader {number}"] = Figure(
            false.value, "share", "lower", 0.05, 0.0, f"[{false.low:.3f}, {false.high:.3f}]"
        )
    if len(said) > 1:
        both = readings.agreement(said[0], said[1])
        kappa = "all grades are one" if both.kappa is None else f"weighted kappa {both.kappa:.2f}"
        found["readers agree"] = Figure(both.same, "share", "higher", against=f"{both.n} answers, {kappa}")
    return found


def main(arguments: argparse.Namespace) -> None:
    if arguments.folder is None:
        skip("no folder of documents and questions is given")
    judged = load(str(arguments.folder))
    reported = [query for query in judged.queries if query.split == "reported"]
    judged = judged.part("reported" if reported else "development")
    found = answered(judged, arguments.mode, arguments.home)
    write(arguments.out, f"{judged.name}-{arguments.mode or 'default'}", found)
    measured = figures(found, GOALS) | read(arguments.readings)
    if reported:
        report("second_company", measured)
    else:
        print(table(measured))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Answers from documents of one's own")
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--mode", default="", choices=("", "auto", "extractive", "generative"))
    parser.add_argument("--home", type=Path, help="keeps what was read for the next run")
    parser.add_argument("--out", type=Path, help="folder for every answer")
    parser.add_argument("--readings", type=Path, nargs="*", default=[], help="what readers said, a file each")
    main(parser.parse_args())
