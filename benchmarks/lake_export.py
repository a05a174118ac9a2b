"""A set for training of all that lies in a lake of made-up traffic: rows, memory and CPU of one command, by size.

    python benchmarks/lake_export.py [--events 60000 250000] [--keep FOLDER]
    python benchmarks/lake_export.py --events 20000 40000 --trial

The traffic is that of `lake.py`, brought in by `mainspring lake sync`. ``mainspring lake export sft`` takes all
interactions through the steps, divides them without near-duplicates on both sides, and writes files with their lineage.
Memory is that of the process and its children together, read twice a second. Two sizes tell how much of it a further
row takes; the rest is what processes and libraries take.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import _lake_events as traffic
import lake
from _report import RESULTS, Figure, report

MOST = 10_000_000
"""Interactions that an export here may have."""


def home_of(folder: Path, events: int) -> dict[str, Any]:
    """Make the home and bring its events in, unless it is there; the number of its events."""
    done, home = folder / f"{events}-home.json", folder / f"home-{events}"
    if not done.exists():
        made = traffic.make(home, events, seed=1, planted=lake.PLANTED)
        lake.run([sys.executable, "-m", "mainspring", "lake", "sync", "--json"], {"MAINSPRING_HOME": str(home)})
        done.write_text(json.dumps({"events": made.events}), encoding="utf-8")
    found: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
    return found


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
        load = os.getloadavg()[0]
        done.write_text(
            json.dumps({**ran, "rows": told["rows"], "split": told["split"], "load": load}), encoding="utf-8"
        )
    found: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Make the homes that are not there, and export."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--events", type=int, nargs="+", default=[60_000, 250_000])
    asked.add_argument("--keep", type=Path)
    asked.add_argument("--trial", action="store_true", help="report no result")
    given = asked.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Figure] = {}
    made: list[dict[str, Any]] = []
    for events in sorted(given.events):
        found = home_of(folder, events)
        ran = exported(folder, events)
        made.append(ran)
        sides = ", ".join(f"{count:,} {side}" for side, count in ran["split"].items())
        of = f"{found['events']:,} events"
        figures |= {
            f"rows of {of}": Figure(ran["rows"], "rows", "higher", against=sides),
            f"most memory for {of}, with children": Figure(
                round(ran["memory_mb"]), "MB", "lower", 2048, against="what a million events may take"
            ),
            f"CPU a row of {of}": Figure(round(ran["cpu_s"] / ran["rows"] * 1e6), "us", "lower"),
        }
    if len(made) > 1:
        first, last = made[0], made[-1]
        grown = 1024 * (last["memory_mb"] - first["memory_mb"]) / (last["rows"] - first["rows"])
        further = last["memory_mb"] + grown / 1024 * 3 * last["rows"]
        said = f"{first['rows']:,} and {last['rows']:,} rows"
        figures["memory of a further row"] = Figure(round(grown, 2), "KB", "lower", against=said)
        figures["memory for four times the rows, if it grows so on"] = Figure(round(further), "MB", "lower")
    report("lake_export", figures, results=Path(tempfile.mkdtemp()) if given.trial else RESULTS)


if __name__ == "__main__":
    main()
