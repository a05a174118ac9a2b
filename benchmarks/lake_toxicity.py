"""The lake's step about toxicity with its detector: what it drops of public texts, and its cost a row.

    MAINSPRING_DATA=... python benchmarks/lake_toxicity.py [--keep FILE] [--trial]

With ``--keep`` what is done is read from the file and written to it, so that the run can be stopped in between.

Each text is the question of one row and the answer of another, and goes through the step as in a build. No text was
used for the fit. Surge's comments are another kind of text than the fit's; the tweets and the moderation set are the
other halves of sets that it was fitted on. Paragraphs of an encyclopaedia and word problems are false alarms. The
threshold 0.8 was chosen for answers by looking at Surge's comments, the fitted one by none of these texts. The cost is
CPU time of all steps over the same made-up interactions with and without the detector, in turn.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import pyarrow as pa

import _lake_events as traffic
from _detectors import Sets, even, some
from _report import RESULTS, Figure, data_sets, report
from mainspring.core.settings import load
from mainspring.engines.catalogue.pull import Puller
from mainspring.evaluation.interactions import Interaction
from mainspring.features.lake.files.interaction_rows import batch_of, row
from mainspring.features.lake.steps import toxicity
from mainspring.features.lake.steps.options import BuildSettings
from mainspring.features.lake.steps.pipeline import cleaned
from mainspring.statistics.sampling import wilson

MOST = 250
ROWS = 200
ROUNDS = 3
THRESHOLDS = {"fitted threshold": None, "toxicity_above 0.8": 0.8}
_LETTERS = ("S", "H", "V", "HR", "SH", "S3", "H2", "V2")


def public(sets: Sets, most: int) -> Mapping[str, tuple[bool, Sequence[str]]]:
    """By name whether the texts are toxic, and the texts, of which nothing was fitted."""
    tweets = [(text, bad) for text, bad in sets.davidson if not even(text)]
    held = [each for each in sets.moderation if not even(each["prompt"])]
    unsafe = [each["prompt"] for each in held if any(each.get(name) == 1 for name in _LETTERS)]
    safe = [each["prompt"] for each in held if not any(each.get(name) == 1 for name in _LETTERS)]
    found = {
        "comments (Surge), toxic": (True, [text for text, bad in sets.surge if bad]),
        "comments (Surge), other": (False, [text for text, bad in sets.surge if not bad]),
        "tweets (Davidson, other half), offensive": (True, [text for text, bad in tweets if bad]),
        "tweets (Davidson, other half), other": (False, [text for text, bad in tweets if not bad]),
        "moderation set, other half, harmful": (True, unsafe),
        "moderation set, other half, harmless": (False, safe),
        "encyclopaedia": (False, [text for text in sets.paragraphs if not even(text)]),
        "word problems (GSM8K)": (False, sets.gsm8k),
    }
    return {name: (bad, some(texts, most)) for name, (bad, texts) in found.items()}


def dropped(texts: Sequence[str], side: str, options: BuildSettings) -> int:
    """How many rows with these questions or answers the step drops."""
    columns = {name: [""] * len(texts) for name in ("question", "answer", "edited")} | {side: list(texts)}
    batch = pa.RecordBatch.from_pydict({**columns, "guards": pa.array([[]] * len(texts), pa.list_(pa.string()))})
    return sum(map(bool, toxicity.toxic(batch, options)[1]))


def cost(options: BuildSettings) -> dict[str, Figure]:
    """CPU a row of all steps, with and without the detector; the model is loaded before."""
    draw, rows = random.Random(5), []
    for number in range(ROWS):
        question, answer = traffic._texts(draw, 100 + number)
        made = Interaction(
            tenant="default",
            answer_id=f"ans_{number}",
            trace_id=f"trace_{number}",
            at=1_790_000_000.0 + number,
            event_ids=(f"ans_{number}",),
            messages=({"role": "user", "content": question},),
            answer=answer,
            subject="user",
            model="small",
            application="desk",
            status="completed",
            finish="stop",
            consent=True,
        )
        rows.append(row(made, (), (), 1))
    batch = batch_of(rows)
    spent: dict[str, list[float]] = {"without": [], "with": []}
    for _ in range(ROUNDS):
        for name, chosen in (("without", BuildSettings()), ("with", options)):
            began = time.process_time()
            left = cleaned(batch, chosen)
            spent[name].append((time.process_time() - began) / ROWS)
            assert left.column("step").to_pylist().count("") > ROWS // 2
    more = [1e3 * (one - other) for one, other in zip(spent["with"], spent["without"], strict=True)]
    times = [one / other for one, other in zip(spent["with"], spent["without"], strict=True)]
    against = f"{ROWS} made-up interactions with eight sentences each, {ROUNDS} rounds"
    return {
        "CPU a row that the detector adds": Figure(
            round(median(more), 2), "ms", "lower", against=f"{against}, {min(more):.2f}-{max(more):.2f}"
        ),
        "CPU of all row steps with the detector against without": Figure(
            round(median(times), 1), "x", "lower", against=f"{against}, {min(times):.1f}-{max(times):.1f}"
        ),
    }


def main() -> None:
    """Measure and report."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--keep", type=Path, help="file of what is done")
    asked.add_argument("--trial", action="store_true", help="report no result")
    given = asked.parse_args()
    sets = Sets(data_sets())
    model = Puller(load().settings).local("all-minilm-l6-v2")
    done = json.loads(given.keep.read_text("utf-8")) if given.keep and given.keep.exists() else {}
    figures = cost(BuildSettings(toxicity="detector").with_detector_model(model))
    for told, above in THRESHOLDS.items():
        options = BuildSettings(toxicity="detector", toxicity_above=above).with_detector_model(model)
        for name, (bad, texts) in public(sets, MOST).items():
            for side in ("question", "answer"):
                key, n = f"{told}: {name}, as the {side}", len(texts)
                if key not in done:
                    done[key] = dropped(texts, side, options)
                    print(key, done[key], n, flush=True)
                    if given.keep:
                        given.keep.write_text(json.dumps(done), encoding="utf-8")
                found = done[key]
                spread = wilson(found, n)
                figures[f"{'dropped' if bad else 'false alarms'}, {key}"] = Figure(
                    round(found / n, 4),
                    "share",
                    "higher" if bad else "lower",
                    against=f"{found} of {n} texts, [{spread.low:.3f}, {spread.high:.3f}]",
                )
    report("lake_toxicity", figures, results=Path(tempfile.mkdtemp()) if given.trial else RESULTS)


if __name__ == "__main__":
    main()
