"""A set for training of all that lies in a lake of made-up traffic: rows, memory and CPU of one command.

    python benchmarks/lake_export.py [--events 250000] [--keep FOLDER]

The home is that of ``lake.py``, whose folder ``--keep`` may be. ``mainspring lake export sft`` takes all interactions
through the steps, divides them without near-duplicates on both sides, and writes files with their lineage. Memory is
that of the process and its children together, read twice a second. An export is made in memory, bounded by
`lake.exports.interactions`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import lake
from _report import RESULTS, Figure, report

MOST = 10_000_000
"""Interactions that an export here may have."""


def exported(folder: Path, events: int) -> dict[str, Any]:
    """CPU seconds, memory (MB), and the rows of each side; those of an earlier run where there is one."""
    done = folder / f"{events}-export.json"
    if not done.exists():
        out = folder / f"sft-{events}"
        command = [
            sys.executable,
            "-m",
            "mainspring",
            "lake",
            "export",
            "sft",
            "--no-sync",
            "--out",
            str(out),
            "--json",
        ]
        environment = {"MAINSPRING_HOME": str(folder / f"home-{events}")}
        ran = lake.run(command, {**environment, "MAINSPRING_LAKE__EXPORTS__INTERACTIONS": str(MOST)})
        told = json.loads(ran.pop("said"))["data"]
        done.write_text(json.dumps({**ran, "rows": told["rows"], "split": told["split"]}), encoding="utf-8")
    found: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Make the home if it is not there, and export."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--events", type=int, default=250_000)
    asked.add_argument("--keep", type=Path)
    asked.add_argument("--trial", action="store_true", help="report no result")
    given = asked.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    home = lake.size(folder, given.events, float("inf"))
    assert home is not None
    made = exported(folder, given.events)
    sides = ", ".join(f"{count:,} {side}" for side, count in made["split"].items())
    events = f"{home['events']:,} events"
    figures = {
        "rows": Figure(made["rows"], "rows", "higher", against=f"of {events}: {sides}"),
        "most memory, with children": Figure(round(made["memory_mb"]), "MB", "lower", 2048, against=events),
        "memory a row": Figure(round(1024 * made["memory_mb"] / made["rows"], 1), "KB", "lower"),
        "CPU a row, all steps, split and files": Figure(round(made["cpu_s"] / made["rows"] * 1e6), "us", "lower"),
    }
    report("lake_export", figures, results=Path(tempfile.mkdtemp()) if given.trial else RESULTS)


if __name__ == "__main__":
    main()
