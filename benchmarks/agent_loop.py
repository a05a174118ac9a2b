"""What a step of an agent costs beside its model and its tool: our loop, pydantic-ai, LangGraph and google-adk.

    python benchmarks/agent_loop.py [--rounds 15] [--runs 40] [--dry]

All run the same agent on the same script: ten turns that each call one tool, then an answer. Nothing waits, so CPU
seconds of the process are what the framework spends. The sides take turns, one round each, so that a drift of the
machine favours none; a figure is the median of the rounds' ratios. In memory our loop is held against the quickest of
the others. Durable, every step is in SQLite before the next begins: ours in the keeper of runs, LangGraph's in its own
saver with ``durability="sync"``, which promises the same. Its default, which writes behind the run and may lose steps,
is reported beside it.

Each framework has an environment of its own, which is made once below ``~/.cache/mainspring/benchmarks``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _report import Figure, report, skip
from _stats import Spread, ratios

SIDES = Path(__file__).parent / "_agent_frameworks"
CACHE = Path(os.environ.get("BENCHMARKS_CACHE") or Path.home() / ".cache" / "mainspring" / "benchmarks")
STEPS = 10
OURS, OURS_DURABLE = "ours", "ours_durable"
LANGGRAPH = ("langgraph==1.2.24", "langgraph-checkpoint-sqlite==3.1.2")
PEERS: Mapping[str, Sequence[str]] = {
    "with_pydantic_ai": ("pydantic-ai-slim==2.68.0",),
    "with_langgraph": LANGGRAPH,
    "with_adk": ("google-adk==2.13.0",),
}
BEHIND = "with_langgraph_sqlite_behind"
SAVERS: Mapping[str, Sequence[str]] = {
    "with_langgraph_sqlite": LANGGRAPH,
    BEHIND: LANGGRAPH,
}


@dataclass(frozen=True, slots=True)
class Side:
    """A framework that waits for orders."""

    name: str
    version: str
    process: subprocess.Popen[str]

    def cpu_s(self, runs: int) -> float:
        """CPU seconds of ``runs`` runs."""
        return float(_asked(self.process, str(runs))["cpu_s"])


def environment(requirements: Sequence[str]) -> str:
    """The interpreter of an environment with these packages."""
    folder = CACHE / "agents" / "-".join(each.replace("==", "-") for each in requirements)
    python, stamp = folder / "bin" / "python", folder / "installed"
    if not stamp.exists():
        uv = [sys.executable, "-m", "uv", "--quiet"]
        commands = (
            [*uv, "venv", "--clear", "--python", sys.executable, str(folder)],
            [*uv, "pip", "install", "--python", str(python), *requirements],
        )
        for command in commands:
            if (made := subprocess.run(command, capture_output=True, text=True, check=False)).returncode:
                skip(f"{requirements[0]} cannot be installed: {made.stderr.strip()[-200:]}")
        stamp.touch()
    return str(python)


@contextmanager
def opened(name: str, python: str) -> Iterator[Side]:
    command = [python, str(SIDES / "side.py"), name]
    quiet = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, **quiet) as process:  # type: ignore[call-overload]
        try:
            yield Side(name, _read(process)["ready"], process)
        finally:
            process.stdin.close()
            process.wait(10)


def _asked(process: subprocess.Popen[str], line: str) -> dict[str, Any]:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return _read(process)


def _read(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    # Some frameworks print what they like.
    for line in process.stdout:
        if line.startswith('{"'):
            found: dict[str, Any] = json.loads(line)
            return found
    raise RuntimeError("a side has ended early")


def measured(sides: list[Side], rounds: int, runs: int) -> dict[str, list[float]]:
    """Microseconds of CPU a step, for each side and round."""
    found: dict[str, list[float]] = {each.name: [] for each in sides}
    for each in sides:
        # A first round fills caches.
        each.cpu_s(runs)
    for number in range(rounds):
        for each in sides[number % len(sides) :] + sides[: number % len(sides)]:
            found[each.name].append(each.cpu_s(runs) / runs / STEPS * 1e6)
    return found


def figures(
    found: Mapping[str, list[float]], versions: Mapping[str, str], ours: str, floor: float, kind: str
) -> dict[str, Figure]:
    """Each side's CPU of a step, and ours over each other's. What counts is the quickest of those that promise the
    same."""
    rounds = len(found[ours])
    made = {}
    for name, values in found.items():
        spread = Spread.of(values)
        text = f"{versions[name]}; {rounds} rounds, {spread.text(0)}"
        made[f"{kind}: CPU of a step, {label(name)}"] = Figure(spread.median, "us", "lower", against=text)
    alike = [name for name in found if name not in (ours, BEHIND)]
    quickest = min(alike, key=lambda name: Spread.of(found[name]).median)
    for name, values in found.items():
        if name == ours:
            continue
        spread = ratios(found[ours], values)
        text = f"{versions[name]}; {rounds} rounds, {spread.text(3)}"
        counts = floor if name == quickest else None
        made[f"{kind}: a step of ours over {label(name)}'s"] = Figure(
            spread.median, "ratio", "lower", floor=counts, against=text
        )
    return made


def label(name: str) -> str:
    words = {
        OURS: "ours",
        OURS_DURABLE: "ours",
        "with_pydantic_ai": "pydantic-ai",
        "with_langgraph": "LangGraph",
        "with_adk": "google-adk",
        "with_langgraph_sqlite": "LangGraph's SQLite saver",
        BEHIND: "LangGraph's SQLite saver, writing behind",
    }
    return words[name]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--runs", type=int, default=40, help="a round, of ten steps each")
    parser.add_argument("--dry", action="store_true", help="write no result")
    options = parser.parse_args()
    made: dict[str, Figure] = {}
    for ours, peers, floor, kind in ((OURS, PEERS, 0.1, "in memory"), (OURS_DURABLE, SAVERS, 0.5, "durable")):
        with ExitStack() as stack:
            sides = [stack.enter_context(opened(ours, sys.executable))]
            sides += [stack.enter_context(opened(name, environment(needs))) for name, needs in peers.items()]
            found = measured(sides, options.rounds, max(1, options.runs // (1 if ours == OURS else 4)))
            made |= figures(found, {each.name: each.version for each in sides}, ours, floor, kind)
    if options.dry:
        for name, each in made.items():
            print(f"{name}: {each.value:.3f} {each.unit} ({each.against}) {each.verdict}")
        return
    report("agent_loop", made)


if __name__ == "__main__":
    main()
