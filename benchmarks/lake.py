"""The lake over made-up traffic: cost, memory and growth of sync and build; personal data found.

    python benchmarks/lake.py                                  # 250k, 500k and 1 M events; a quarter of an hour
    python benchmarks/lake.py --events 20000 --trial
    python benchmarks/lake.py --keep FOLDER --seconds 300      # in pieces: run it until it reports
    python benchmarks/lake.py --ner en_core_web_sm             # a spaCy pipeline reads 1 % of the rows

Each size is a home of its own. ``mainspring lake build`` brings events in and takes them through all steps; here the
first half runs as ``mainspring lake sync`` before, so that the benchmark can be stopped between them. Memory
is that of the process and its children together, read twice a second. The sizes tell whether the cost grows linearly.
`lake_peers.py` has other ways beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import _lake_events as traffic
from _report import RESULTS, Figure, report
from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.features.lake.service import Lake
from mainspring.features.lake.steps import named

PLANTED = 1000
NER_SHARE = 0.01
READ = "name in a row that spaCy reads"


def run(command: list[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """CPU seconds, the greatest memory (MB) of the process with its children, and what was printed."""
    before = os.times()
    process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True)
    most = 0.0
    while process.poll() is None:
        most = max(most, _memory_mb(process.pid))
        time.sleep(0.5)
    assert process.stdout is not None
    said = process.stdout.read()
    after = os.times()
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}: {said[-500:]}")
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return {"cpu_s": spent, "memory_mb": most, "said": said}


def _memory_mb(pid: int) -> float:
    total = 0.0
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) / 1024
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return total
    # Threads start children, too.
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children += task.read_text(encoding="ascii").split()
        except OSError:
            continue
    return total + sum(_memory_mb(int(each)) for each in set(children))


def size(folder: Path, events: int, left: float, ner: str = "") -> dict[str, Any] | None:
    """One size, from where it stands; None: the time is up."""
    began, home, done = time.monotonic(), folder / f"home-{events}", folder / f"{events}.json"
    if done.exists():
        found: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
        return found
    plan = folder / f"{events}-made.json"
    while not plan.exists():
        parts = sorted(folder.glob(f"{events}-part-*.json"))
        if len(parts) * 250_000 >= events:
            made = [json.loads(part.read_text(encoding="utf-8")) for part in parts]
            planted = {
                kind: {k: v for each in made for k, v in each["planted"][kind].items()} for kind in traffic.PERSONAL
            }
            told = {"events": sum(each["events"] for each in made), "planted": planted}
            plan.write_text(json.dumps(told), encoding="utf-8")
            break
        number, count = len(parts), min(250_000, events - len(parts) * 250_000)
        share = max(1, PLANTED * count // events)
        part = traffic.make(home, count, seed=number + 1, planted=share, begin=number * 1_000_000)
        told = {"events": part.events, "planted": part.planted}
        (folder / f"{events}-part-{number}.json").write_text(json.dumps(told), encoding="utf-8")
        if time.monotonic() - began > left:
            return None
    if time.monotonic() - began > left:
        return None
    environment = {"MAINSPRING_HOME": str(home)}
    if ner:
        environment |= {"MAINSPRING_LAKE__BUILD__NER": ner, "MAINSPRING_LAKE__BUILD__NER_SHARE": str(NER_SHARE)}
    synced = folder / f"{events}-synced.json"
    if not synced.exists():
        told = run([sys.executable, "-m", "mainspring", "lake", "sync", "--json"], environment)
        synced.write_text(json.dumps(told), encoding="utf-8")
        if time.monotonic() - began > left:
            return None
    first = json.loads(synced.read_text(encoding="utf-8"))
    ran = run([sys.executable, "-m", "mainspring", "lake", "build", "--json"], environment)
    ran = {
        "cpu_s": first["cpu_s"] + ran["cpu_s"],
        "memory_mb": max(first["memory_mb"], ran["memory_mb"]),
        "said": ran["said"],
    }
    built = json.loads(ran.pop("said"))["data"]
    made = json.loads(plan.read_text(encoding="utf-8"))
    found = asyncio.run(_found(home, made["planted"], built, ner))
    result = {**ran, "events": made["events"], "build": built, "found": found}
    done.write_text(json.dumps(result), encoding="utf-8")
    return result


async def _found(
    home: Path, planted: Mapping[str, Mapping[str, str]], built: Mapping[str, Any], ner: str
) -> dict[str, Any]:
    """Of the planted personal data in ready rows: how many are gone, by kind; and rows with a placeholder that had
    nothing planted. Names of rows that a pipeline reads are a kind of their own."""
    wanted = {answer: (kind, piece) for kind, each in planted.items() for answer, piece in each.items()}
    settings = Settings.model_validate({"home": home})
    hidden, present = dict.fromkeys((*planted, READ), 0), dict.fromkeys((*planted, READ), 0)
    alarms: dict[str, int] = {}
    clean = read = 0
    async with stores.open(settings) as opened:
        lake = Lake(settings, opened)
        for file in await lake.manifest.files("default", "ready", built["id"]):
            with lake.storage.open(file.path) as parquet:
                for batch in parquet.iter_batches(8192, columns=["answer_id", "messages", "redacted"]):
                    for row in batch.to_pylist():
                        if row["answer_id"] in wanted:
                            kind, piece = wanted[row["answer_id"]]
                            if kind == "name" and ner and named.sampled(row["answer_id"], NER_SHARE):
                                kind = READ
                            present[kind] += 1
                            hidden[kind] += piece not in row["messages"]
                            continue
                        clean += 1
                        read += bool(ner) and named.sampled(row["answer_id"], NER_SHARE)
                        for name, _ in row["redacted"]:
                            alarms[name] = alarms.get(name, 0) + 1
    return {"present": present, "hidden": hidden, "alarms": alarms, "clean": clean, "read": read}


def main() -> None:
    """Run what is left, and report when all of it is done."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--events", type=int, nargs="*", default=[250_000, 500_000, 1_000_000])
    asked.add_argument("--keep", type=Path)
    asked.add_argument("--seconds", type=float, default=3600.0)
    asked.add_argument("--ner", default="", help="a spaCy pipeline that reads a share of the rows")
    asked.add_argument("--trial", action="store_true", help="report no result")
    given = asked.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    found: dict[int, dict[str, Any]] = {}
    for events in given.events:
        one = size(folder, events, given.seconds - (time.monotonic() - began), given.ner)
        if one is None or (events != given.events[-1] and time.monotonic() - began > given.seconds):
            print("The time is up: run it again to go on.")
            return
        found[events] = one
        print(events, {name: one[name] for name in ("cpu_s", "memory_mb")}, flush=True)
    report("lake", _figures(found, given.ner), results=Path(tempfile.mkdtemp()) if given.trial else RESULTS)


def _figures(found: Mapping[int, Mapping[str, Any]], ner: str) -> dict[str, Figure]:
    last = found[max(found)]
    each = {events: one["cpu_s"] / one["events"] * 1e6 for events, one in found.items()}
    growth = max(each.values()) / min(each.values())
    made = {
        "events": Figure(
            last["events"], "events", "higher", 1_000_000 if len(found) > 1 else None, against="the size asked for"
        ),
        "most memory, with children": Figure(
            round(last["memory_mb"]), "MB", "lower", 2048, 1024, f"{last['events']:,} events"
        ),
        "CPU an event, sync and all steps": Figure(round(each[max(each)]), "us", "lower"),
        "dearest against cheapest event over the sizes": Figure(
            round(growth, 3), "x", "lower", 1.3, 1.1, f"sizes {', '.join(map(str, sorted(found)))}: linear is 1"
        ),
    }
    for events, one in sorted(found.items()) if len(found) > 1 else ():
        against = f"a home of {one['events']:,} events"
        made[f"most memory, with children, size {events}"] = Figure(
            round(one["memory_mb"]), "MB", "lower", 2048, 1024, against
        )
        made[f"CPU an event, sync and all steps, size {events}"] = Figure(
            round(each[events]), "us", "lower", against=against
        )
    for kind, count in last["found"]["present"].items():
        if count:
            hidden = last["found"]["hidden"][kind]
            made[f"planted {kind} that is hidden"] = Figure(
                round(hidden / count, 4), "share", "higher", against=f"n = {count}"
            )
    if ner:
        against = f"{NER_SHARE:.0%} of the rows of {last['events']:,} events, by {ner}; none has planted data"
        made["rows that spaCy read"] = Figure(last["found"]["read"], "rows", "higher", against=against)
    alarms = sum(last["found"]["alarms"].values())
    made["false alarms for a thousand rows without personal data"] = Figure(
        round(1000 * alarms / max(1, last["found"]["clean"]), 3),
        "rows",
        "lower",
        against=f"n = {last['found']['clean']}; by kind: {last['found']['alarms'] or 'none'}",
    )
    return made


if __name__ == "__main__":
    main()
