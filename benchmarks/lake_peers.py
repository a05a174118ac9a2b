"""The lake's steps beside other ways over the same made-up interactions; names with and without a spaCy pipeline.

    python benchmarks/lake_peers.py [--ner en_core_web_sm] [--keep FOLDER]

The plain script reads the same interactions with DuckDB, drops with SQL, redacts with five patterns, removes
near-duplicates with datasketch and writes JSON lines: fewer steps, no manifest, no lineage. With Ray installed, the
same steps run over the same rows on a local Ray with one worker, and Ray Data runs the plain script's work as well,
where near-duplicates are of one batch alone. Their CPU is that of all processes of Ray once it has started. All ways
run twice in turn; figures are of the sums. Names are of `_lake_names.py`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import _lake_events as traffic
import _lake_names
import lake
from _report import Figure, report
from mainspring.statistics.sampling import wilson

_PLAIN = Path(__file__).with_name("_lake_plain.py")
EVENTS = 56_000
ROWS = 20_000
ROUNDS = 2
WAYS = {
    "plain": "plain DuckDB + datasketch",
    "ray": "the same steps on Ray Data",
    "plain-ray": "the plain work on Ray Data",
}


def rounds(folder: Path, ways: Sequence[str]) -> list[dict[str, Any]]:
    """Rows and CPU seconds by way, in each round; those of earlier calls where they are there."""
    home = folder / f"home-{EVENTS}"
    if not (folder / "synced").exists():
        traffic.make(home, EVENTS, planted=1000)
        lake.run([sys.executable, "-m", "mainspring", "lake", "sync", "--json"], {"MAINSPRING_HOME": str(home)})
        (folder / "synced").touch()
    pattern = str(home / "lake" / "clean" / "tenant=default" / "**" / "*.parquet")
    made = []
    for number in range(ROUNDS):
        found = {}
        for way in ways:
            done = folder / f"round-{number}-{way}.json"
            if not done.exists():
                where = [pattern, str(folder / "plain.jsonl"), str(ROWS)] if way == "plain" else [pattern, str(ROWS)]
                command = [sys.executable, str(_PLAIN), *([] if way == "plain" else [f"--{way}"]), *where]
                done.write_text(lake.run(command, {})["said"].splitlines()[-1], encoding="utf-8")
            found[way] = json.loads(done.read_text(encoding="utf-8"))
            print(number, way, found[way], flush=True)
        made.append(found)
    return made


def compared(found: Sequence[Mapping[str, Any]]) -> dict[str, Figure]:
    """Rows of a CPU second, and how many times those of each other way."""
    cpu = {way: sum(each[way]["cpu_s"] for each in found) for way in found[0]}
    rows = {way: sum(each[way]["rows"] for each in found) for way in found[0]}
    rate = {way: rows[way] / cpu[way] for way in cpu}
    of = f"the same {found[0]['ours']['rows']:,} interactions, {len(found)} rounds, CPU time"
    made = {"rows a CPU second": Figure(round(rate["ours"]), "rows/s", "higher", against=of)}
    for way, what in WAYS.items():
        if way not in rate:
            continue
        each = [(row["ours"]["rows"] / row["ours"]["cpu_s"]) / (row[way]["rows"] / row[way]["cpu_s"]) for row in found]
        said = f"{rate[way]:,.0f} rows; rounds {min(each):.2f} to {max(each):.2f}; {of}"
        made[f"rows a CPU second against {what}"] = Figure(
            round(rate["ours"] / rate[way], 2), "x", "higher", 1.0, 2.0 if way == "plain" else None, said
        )
    return made


def names(told: Mapping[str, Any], ner: str) -> dict[str, Figure]:
    """Names that are hidden, and texts with a false one, by way."""
    made, of = {}, told["count"]
    for way, count in told["hidden"].items():
        share = wilson(count, of)
        said = f"{count} of {of} made-up names in {len(_lake_names.FRAMES)} frames, [{share.low:.3f}, {share.high:.3f}]"
        made[f"names hidden by {way}"] = Figure(count / of, "share", "higher", against=said)
        false = told["alarms"][way]
        share = wilson(false, 3 * of)
        said = f"{false} of {3 * of} texts without names, [{share.low:.4f}, {share.high:.4f}]"
        made[f"texts with a false name by {way}"] = Figure(false / (3 * of), "share", "lower", against=said)
    made["CPU of spaCy for a row that it reads"] = Figure(round(told["cpu_ms"], 2), "ms", "lower", against=ner)
    return made


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--ner", default="", help="an installed spaCy pipeline")
    asked.add_argument("--keep", type=Path)
    given = asked.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    on_ray = ["ray", "plain-ray"] if importlib.util.find_spec("ray") else []
    figures = compared(rounds(folder, ["plain", "ours", *on_ray]))
    if given.ner:
        figures |= names(_lake_names.measured(given.ner), given.ner)
    report("lake_peers", figures)


if __name__ == "__main__":
    main()
