"""How often the loop promotes what is no better with the canary's default steps, and without a canary.

    python benchmarks/improve_steps.py [--loops 1000] [--keep FILE] [--dry]

The campaigns, the examples and the watch are those of ``improve_loops.py``; what users get differs:

- **steps**: a tenth of the traffic for the first 2,000 units, then half of it, as ``canary: {}`` has it. Half of the
  units of the first step come back after it, within their window, and rate again: four tenths of those that had what is
  current are answered by the candidate then, and go on to count to what is current.
- **without**: no canary, which is what a policy has that names none: what passes the examples is promoted, and watched.

Each is told by the gain with users, and of all loops without a true gain. A planted regression is one of -5 points that
users get: it is taken away if it does not end promoted, and shown if the test of the canary named it worse.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import improve_loops as loops
from _report import Figure, report, table
from mainspring.features.improve.policy.policy import Canary
from mainspring.features.improve.stages import online
from mainspring.features.improve.stages.online import Counted
from mainspring.features.trials.analysis.reading import ArmUnits, Units
from mainspring.features.trials.analysis.verdicts import judge
from mainspring.features.trials.ordered import online_verdict

FIRST, BACK, STEPS = 2_000, 0.5, (0.1, 0.5)
CANARY = Canary.model_validate({"step_s": 1, "units": loops.MOST})
UNITS = FIRST + 2 * loops.MOST


def in_steps(draw: Any, gain: float) -> tuple[str, str, int]:
    """What becomes of it ("win" or "go"), why, and the units of the smaller arm by then."""
    named, order = draw.random(UNITS), np.arange(UNITS)
    second = order >= FIRST
    candidate = named < np.where(second, STEPS[1], STEPS[0])
    liked = draw.random(UNITS) < loops.BASE + gain * candidate
    again = draw.random(UNITS) < loops.BASE + gain * (named < STEPS[1])
    back = ~second & (draw.random(UNITS) < BACK)
    least = loops.TRIAL.metric.bounds[0]
    assert least is not None
    for total in np.unique(np.geomspace(500, UNITS, loops.LOOKS).round().astype(int)).tolist():
        grown = total > FIRST
        rated = np.where(back & grown, (liked.astype(float) + again) / 2, liked)
        seen = (rated >= least).astype(float)[:total]
        arms, given = {}, {}
        for name, mine in (("current", ~candidate[:total]), ("candidate", candidate[:total])):
            at = order[:total][mine]
            arms[name] = ArmUnits(at, at.astype(float), (seen[mine],), (rated[:total][mine],))
            given[name] = int((mine & second[:total]).sum() if grown else mine.sum())
        share = STEPS[int(grown)]
        verdict = judge(loops.TRIAL, Units(arms, 0, 0, given), {"current": 1 - share, "candidate": share}, {})
        told = online_verdict(verdict)
        call = online.canary(CANARY, told, int(grown), 0.0, 0.0, 0.5)
        if call.action in ("win", "go"):
            return call.action, call.reason, min(told.units.values())
    return "go", "undecided", min(told.units.values())


def loop(number: int, effect: float, blind: bool) -> dict[str, Any]:
    """One campaign, with both."""
    ruling = loops.compared(np.random.default_rng(number), 0.10 if blind else effect)
    told: dict[str, Any] = {"effect": effect, "offline": ruling.passes, "steps": "refused", "without": "refused"}
    if not ruling.passes:
        return told
    draw = np.random.default_rng(2 * 10**6 + number)
    action, reason, told["units"] = in_steps(draw, effect)
    told["shown"] = "shown better" in reason
    ups = int(draw.binomial(loops.BEFORE, loops.BASE))
    before = Counted(answers=loops.BEFORE, ups=ups, downs=loops.BEFORE - ups)
    told["after"] = loops.watched(draw, effect, before)
    told["without"] = "rolled back" if told["after"] else "promoted"
    if action == "win":
        told["steps"] = told["without"]
    return told


def runs(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """All loops, those of before first."""
    found = []
    if arguments.keep is not None and arguments.keep.exists():
        found = [json.loads(line) for line in arguments.keep.read_text().splitlines()]
    effects = [effect for effect, share in loops.EFFECTS for _ in range(share * arguments.loops // 1000)]
    for number, effect in enumerate(effects):
        if number < len(found):
            continue
        found.append(loop(number, effect, number % 2 == 0))
        if arguments.keep is not None:
            with arguments.keep.open("a") as file:
                file.write(json.dumps(found[-1]) + "\n")
    return found


def figures(found: list[dict[str, Any]]) -> dict[str, Figure]:
    """What is reported."""
    made = {"loops": Figure(len(found), "count", "higher", 1000, against="what was asked for")}
    none = [each for each in found if each["effect"] <= 0]
    for name, said in (("steps", "default steps"), ("without", "without a canary")):
        floor = 0.05 if name == "steps" else None
        wrong = sum(each[name] == "promoted" for each in none)
        made[f"{said}: promoted wrongly, of loops without a true gain"] = Figure(
            wrong / len(none), "share", "lower", floor, against=loops._share(wrong, len(none))
        )
        for effect, _ in loops.EFFECTS:
            got = [each for each in found if each["effect"] == effect and each["offline"]]
            up = sum(each[name] == "promoted" for each in got)
            made[f"{said}: {effect * 100:+.0f} points with users, of those that users got: promoted"] = Figure(
                up / max(1, len(got)), "share", "higher" if effect > 0 else "lower", against=loops._share(up, len(got))
            )
    planted = [each for each in found if each["effect"] == -0.05 and each["offline"]]
    gone = sum(each["steps"] != "promoted" for each in planted)
    shown = [each["units"] for each in planted if each["shown"] and each["steps"] != "promoted"]
    made["default steps: planted -5 points: taken away"] = Figure(
        gone / len(planted), "share", "higher", 0.9, against=loops._share(gone, len(planted))
    )
    made["default steps: planted -5 points: shown worse by the test"] = Figure(
        len(shown) / len(planted), "share", "higher", against=loops._share(len(shown), len(planted))
    )
    made["default steps: units of the smaller arm until shown worse, median"] = Figure(
        float(np.median(shown)), "units", "lower", against=f"{len(shown)} loops"
    )
    won = [each["units"] for each in found if each["steps"] != "refused" and each["effect"] > 0]
    made["default steps: units of the smaller arm until shown better, median"] = Figure(
        float(np.median(won)), "units", "lower", against=f"{len(won)} loops"
    )
    return made


def main(arguments: argparse.Namespace) -> None:
    made = figures(runs(arguments))
    if arguments.dry:
        print(table(made))
    else:
        report("improve_steps", made)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Errors of the loop with the default steps, and without a canary")
    parser.add_argument("--loops", type=int, default=1000)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--dry", action="store_true", help="write no result")
    main(parser.parse_args())
