"""How often the loop promotes what is no better, and how surely it takes away what is worse.

    python benchmarks/improve_loops.py [--loops 1000] [--keep FOLDER] [--seconds S] [--dry]

Each simulated loop goes through the decisions of a campaign, which are those of the server: the comparison on 300 held-
out examples (``experiments``' report, then ``improve``'s ruling), the canary (units of half of the traffic each, looked
at 24 times by ``trials``' verdict, at most 6,000 an arm), and after a promotion 4,000 thumbs under the watch, against
1,000 before. Users' success is .80 with what is current. The gain on the examples and the gain with users are drawn
apart, since a scorer does not see what users want: in half of the loops the examples speak for the candidate by 10
points whatever users think.

With users a candidate is 0 (300 of 1,000 loops), -2 (150), -5 (250), +5 (150) or +10 points (150). Wrong is a loop that
ends promoted though the true gain is 0 or less. A planted regression is one of -5 points that users get: found is one
that was shown worse in the canary, or rolled back. Later: a candidate that was promoted rightly turns 10 points worse
afterwards; the watch has no control beside it. With ``--keep`` a run goes on where the one before it ended.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from _report import Figure, report, table
from mainspring.features.evaluate.answers import wilson
from mainspring.features.experiments.spec import Candidate, Spec, WantedScorer
from mainspring.features.experiments.work.report import Columns, summary
from mainspring.features.improve.policy.policy import After, Canary, Offline
from mainspring.features.improve.stages import offline, online
from mainspring.features.improve.stages.online import Counted
from mainspring.features.trials.analysis.reading import ArmUnits, Units
from mainspring.features.trials.analysis.verdicts import judge
from mainspring.features.trials.definitions import Trial
from mainspring.features.trials.ordered import online_verdict

BASE, EXAMPLES, MOST, LOOKS, BEFORE, WATCHED = 0.8, 300, 6_000, 24, 1_000, 4_000
EFFECTS = ((0.0, 300), (-0.02, 150), (-0.05, 250), (0.05, 150), (0.10, 150))
"""Gains with users, and in how many of a thousand loops."""
OFFLINE = Offline.model_validate({"dataset": "held-out", "gain": {"name": "f1", "effect": 0.02}})
CANARY = Canary.model_validate({"steps": [0.5], "step_s": 0, "units": MOST})
AFTER = After.model_validate({"seconds": 3600})
TRIAL = Trial.model_validate(
    {"route": "docs", "control": "current", "metric": {"source": "feedback", "effect": 0.05}, "alpha": CANARY.alpha}
)
SPEC = Spec((Candidate("current", "a"), Candidate("candidate", "b")), (WantedScorer("f1", {}, "gain"),))


def compared(draw: Any, gain: float) -> offline.Ruling:
    """The ruling on examples of which the candidate's scores are better by ``gain`` on average."""
    found = Columns(["gain"], 2)
    hard = draw.random(EXAMPLES)
    for place in range(EXAMPLES):
        for responder, mean in enumerate((0.6, 0.6 + gain)):
            # The same example is as hard for both: half of it is chance.
            right = 0.5 * hard[place] + 0.5 * draw.random() < mean
            found.add(
                SimpleNamespace(
                    place=place, responder=responder, cluster="", tags="{}", error="", cost_nanousd=0, tokens=0,
                    seconds=1.0, scores=json.dumps({"gain": float(right)}),
                )
            )  # fmt: skip
    return offline.rule(OFFLINE, summary(found, SPEC), 1)


def in_canary(draw: Any, gain: float) -> tuple[str, str, int]:
    """What becomes of it ("win" or "go"), why, and the units of each arm by then."""
    arms: dict[str, Any] = {}
    order = np.argsort(np.concatenate([np.arange(MOST), np.arange(MOST)]) + draw.random(2 * MOST), kind="stable")
    places = np.empty(2 * MOST, np.int64)
    places[order] = np.arange(2 * MOST)
    for number, (name, rate) in enumerate((("current", BASE), ("candidate", BASE + gain))):
        seen = (draw.random(MOST) < rate).astype(float)
        arms[name] = (np.sort(places[number * MOST : (number + 1) * MOST]), seen)
    for count in np.unique(np.geomspace(50, MOST, LOOKS).round().astype(int)).tolist():
        units = {
            name: ArmUnits(at[:count], at[:count].astype(float), (seen[:count],), (seen[:count],))
            for name, (at, seen) in arms.items()
        }
        weights = {"current": 0.5, "candidate": 0.5}
        verdict = judge(TRIAL, Units(units, 0, 0, dict.fromkeys(arms, count)), weights, {})
        call = online.canary(CANARY, online_verdict(verdict), 0, 0.0, 0.0, 1.0)
        if call.action in ("win", "go"):
            return call.action, call.reason, count
    raise AssertionError("the units are bounded")


def watched(draw: Any, gain: float, before: Counted) -> int:
    """The answers after which a promotion was rolled back; 0: it was not."""
    ups = np.cumsum(draw.random(WATCHED) < BASE + gain)
    for count in range(40, WATCHED + 1, 40):
        now = Counted(answers=count, ups=int(ups[count - 1]), downs=count - int(ups[count - 1]))
        if online.after(AFTER, before, now).action == "go":
            return count
    return 0


def loop(number: int, effect: float, blind: bool) -> dict[str, Any]:
    """One campaign. ``blind``: the examples speak for it whatever users think."""
    draw = np.random.default_rng(number)
    ruling = compared(draw, 0.10 if blind else effect)
    told: dict[str, Any] = {"effect": effect, "blind": blind, "offline": ruling.passes, "end": "refused", "units": 0}
    if not ruling.passes:
        return told
    action, reason, told["units"] = in_canary(draw, effect)
    told["shown"] = "shown better" in reason
    told["won"] = action == "win"
    return told


def after(told: dict[str, Any], number: int) -> None:
    """The watch over a loop that won: as it is, and with users who like it less and less."""
    draw = np.random.default_rng(10**6 + number)
    ups = int(draw.binomial(BEFORE, BASE))
    before = Counted(answers=BEFORE, ups=ups, downs=BEFORE - ups)
    told["watched"] = watched(draw, told["effect"], before)
    told["later"] = watched(draw, -0.10, before)
    told["end"] = "rolled back" if told["watched"] else "promoted"


def runs(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """All loops, those of before first."""
    kept = arguments.keep / f"loops-{arguments.loops}.jsonl" if arguments.keep else None
    found = []
    if kept is not None and kept.exists():
        found = [json.loads(line) for line in kept.read_text().splitlines()]
    effects = [effect for effect, share in EFFECTS for _ in range(share * arguments.loops // 1000)]
    began = time.monotonic()
    for number, effect in enumerate(effects):
        if number < len(found):
            continue
        if arguments.seconds and time.monotonic() - began > arguments.seconds:
            print(f"{number} of {len(effects)} loops; run again to go on")
            raise SystemExit(0)
        told = loop(number, effect, number % 2 == 0)
        found.append(told)
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            with kept.open("a") as file:
                file.write(json.dumps(told) + "\n")
    for number, told in enumerate(found):
        if told.get("won"):
            after(told, number)
    return found


def figures(found: list[dict[str, Any]]) -> dict[str, Figure]:
    """What is reported."""
    none = [each for each in found if each["effect"] <= 0]
    wrong = sum(each["end"] == "promoted" for each in none)
    through = [each for each in none if each["offline"]]
    tested = sum(each["end"] == "promoted" for each in through)
    # A refusal of what is worse is seen in the canary; who was refused on the examples reached no user.
    planted = [each for each in found if each["effect"] == -0.05 and each["offline"]]
    caught = sum(each["end"] != "promoted" for each in planted)
    shown = [each for each in planted if each.get("shown") and each["end"] != "promoted"]
    by_thousand = sum(each["units"] <= 1000 for each in shown)
    made = {
        "loops": Figure(len(found), "count", "higher", 1000, against="what was asked for"),
        "promoted wrongly, of loops without a true gain": Figure(
            wrong / len(none), "share", "lower", 0.05, against=_share(wrong, len(none))
        ),
        "promoted wrongly, of those that users got": Figure(
            tested / max(1, len(through)), "share", "lower", 0.05, against=_share(tested, len(through))
        ),
        "planted -5 points: taken away": Figure(
            caught / len(planted), "share", "higher", 0.9, against=_share(caught, len(planted))
        ),
        "planted -5 points: shown worse by the test": Figure(
            len(shown) / len(planted), "share", "higher", 0.9, against=_share(len(shown), len(planted))
        ),
        "planted -5 points: shown worse within 1,000 units an arm": Figure(
            by_thousand / len(planted), "share", "higher", against=_share(by_thousand, len(planted))
        ),
        "planted -5 points: units an arm until shown, median": Figure(
            float(np.median([each["units"] for each in shown])), "units", "lower",
            against=f"90 % by {np.quantile([each['units'] for each in shown], 0.9):,.0f}",
        ),
    }  # fmt: skip
    for effect in (0.05, 0.10):
        good = [each for each in found if each["effect"] == effect and each["offline"]]
        up = [each for each in good if each["end"] == "promoted"]
        made[f"+{effect * 100:.0f} points with users: promoted"] = Figure(
            len(up) / max(1, len(good)), "share", "higher",
            against=f"{_share(len(up), len(good))}, {_median(up)} units an arm (median)",
        )  # fmt: skip
    right = [each for each in found if each["effect"] > 0 and "watched" in each]
    false = sum(bool(each["watched"]) for each in right)
    later = [each["later"] for each in right if each["later"]]
    made["promoted rightly: rolled back all the same"] = Figure(
        false / len(right), "share", "lower", 0.05, against=_share(false, len(right))
    )
    made["turns 10 points worse after its promotion: rolled back"] = Figure(
        len(later) / len(right), "share", "higher", 0.9,
        against=f"{_share(len(later), len(right))}, after {np.median(later):,.0f} thumbs (median)",
    )  # fmt: skip
    return made


def _median(found: list[dict[str, Any]]) -> str:
    return f"{np.median([each['units'] for each in found]):,.0f}" if found else "no"


def _share(count: int, n: int) -> str:
    found = wilson(count, n)
    return f"{count} of {n:,} loops, [{found.low:.4f}, {found.high:.4f}]"


def main(arguments: argparse.Namespace) -> None:
    made = figures(runs(arguments))
    if arguments.dry:
        print(table(made))
    else:
        report("improve_loops", made)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Errors of the loop's decisions over simulated campaigns")
    parser.add_argument("--loops", type=int, default=1000)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--dry", action="store_true", help="write no result")
    main(parser.parse_args())
