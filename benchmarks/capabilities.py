"""What the small models can do and what they should not do: the public benchmarks at hand, through the engine.

    MAINSPRING_DATA=... python benchmarks/capabilities.py --keep FOLDER [--seconds 540] [--only gsm8k,mbpp]
        [--models smollm2-135m-instruct,qwen2.5-coder-1.5b-instruct] [--table]

Each run goes on where the one before it ended, so that the whole can be measured in pieces: the seconds are shared
among the benchmarks of the first model named that has items left, and 0 only reports what FOLDER has. Items are drawn
by a seed, and what counts is the first items up to the first that was not asked, so that quick answers have no better
chance. Greedy, without examples in the prompt, guards off: it is the model that is measured, not what stands before it.

``--table`` prints the figures as the table of docs/guides/capabilities.md.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from _library import data
from _report import Figure, earlier, report, skip
from mainspring.core.settings import Settings, load
from mainspring.features.evaluate.capabilities import report as reports
from mainspring.features.evaluate.capabilities.answer_cache import AnswerCache
from mainspring.features.evaluate.capabilities.asking import Target, way_of
from mainspring.features.evaluate.capabilities.benchmark import Benchmark, Item, Metric
from mainspring.features.evaluate.capabilities.catalogue import benchmark as named
from mainspring.features.evaluate.capabilities.marking import Marker
from mainspring.features.evaluate.capabilities.run import drawn, run
from mainspring.features.evaluate.capabilities.sheet import Outcome, Sheet, read
from mainspring.features.evaluate.commands.benchmark import serving_alone
from mainspring.statistics.significance import Estimate
from mainspring.system import open_rooms

SMALL, LARGER = "smollm2-135m-instruct", "qwen2.5-coder-1.5b-instruct"
SEED, AT_ONCE = 0, 8
FILES: dict[str, tuple[str, ...]] = {
    "gsm8k": ("qa/gsm8k/test.jsonl",),
    "humaneval": ("qa/humaneval/HumanEval.jsonl.gz",),
    "mbpp": ("qa/mbpp/sanitized-mbpp.json",),
    "humaneval-infilling": ("qa/human_eval_infilling/HumanEval-SingleLineInfilling.jsonl.gz",),
    "bbq": ("bias/Age.jsonl", "bias/Religion.jsonl"),
    "crows-pairs": ("bias/crows_pairs_anonymized.csv",),
    "advbench": ("safety/advbench_harmful_behaviors.csv",),
    "xstest": ("safety/xstest_prompts.csv",),
    "openai-moderation": ("safety/openai_moderation_1680.jsonl.gz",),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One benchmark on one model; ``sheet`` holds its outcomes."""

    model: str
    benchmark: Benchmark
    items: Sequence[Item]
    sheet: Path

    @property
    def outcomes(self) -> list[Outcome]:
        """Those of the first items, up to the first without one."""
        if not self.sheet.exists():
            return []
        known = {each.id: each for each in read(self.sheet)[1]}
        return [known[item.id] for item in takewhile(lambda item: item.id in known, self.items)]

    @property
    def finished(self) -> bool:
        return len(self.outcomes) == len(self.items)


def parts(models: Sequence[str], names: Sequence[str], keep: Path) -> list[Part]:
    """All that is to be measured, models first."""
    folder = data("").resolve()
    sets = {
        name: drawn([item for file in FILES[name] for item in named(name).read(folder / file)], 0, SEED)
        for name in names
    }
    return [
        Part(model, named(name), sets[name], keep / f"{name}.{model}.jsonl")
        for model in models
        for name in names
        # Only a model that was trained for it fills in the middle.
        if not (name == "humaneval-infilling" and model == SMALL)
    ]


async def measure(settings: Settings, model: str, wanted: Sequence[Part], keep: Path, seconds: float) -> None:
    """Ask for about ``seconds``, which the parts share; what one leaves the next ones have."""
    end = time.monotonic() + seconds
    cache = AnswerCache(keep / "answers.sqlite")
    async with open_rooms(settings) as rooms:
        target = Target(rooms.responder, model, rooms.local, cache=cache)
        capabilities = rooms.engines.chat[model].engine.capabilities
        marker = Marker(rooms.engines.embedder)
        for number, part in enumerate(wanted):
            share = (end - time.monotonic()) / (len(wanted) - number)
            way = way_of(part.benchmark, part.items, capabilities)
            facts = {"benchmark": part.benchmark.name, "version": part.benchmark.version, "model": model, "way": way}
            with Sheet.open(part.sheet, facts) as sheet:
                before = len(part.outcomes)
                found = await run(
                    part.benchmark,
                    part.items,
                    target,
                    sheet,
                    way,
                    marker=marker,
                    at_once=AT_ONCE,
                    until=time.monotonic() + share,
                )
            print(f"{model}, {part.benchmark.name} by {way}: {before} -> {len(found)} of {len(part.items)}", flush=True)
        await marker.aclose()
    cache.close()


def alone(model: str, home: Path) -> Settings:
    """Settings that serve ``model`` alone and let every text through."""
    settings = serving_alone(load().settings, model, prompt_logprobs=True)
    guards = settings.guards.model_copy(
        update={"injection": "off", "harm": "off", "pii_input": "off", "pii_output": "off"}
    )
    return settings.model_copy(update={"home": home, "guards": guards})


def estimates(wanted: Sequence[Part]) -> Iterator[tuple[Part, str, Metric, Estimate, reports.Figures]]:
    """Each part's metrics that have a value, with the way of asking."""
    for part in wanted:
        if not part.outcomes:
            continue
        found = reports.figures(part.benchmark, part.outcomes)
        way = str(read(part.sheet)[0]["way"])
        for metric in part.benchmark.metrics:
            if metric.name in found.metrics:
                yield part, way, metric, found.metrics[metric.name], found


def figure(part: Part, metric: Metric, value: Estimate, found: reports.Figures) -> Figure:
    notes = [f"{value.n} questions of {len(part.items):,}", f"95 % [{value.low:.3f}, {value.high:.3f}]"]
    if metric.better == "middle":
        notes.append("half is ideal")
    if found.clusters < found.n:
        notes.append(f"in {found.clusters} groups that are alike")
    if found.unread:
        notes.append(f"{found.unread} unread answers count as wrong")
    if found.cut and metric is part.benchmark.metrics[0]:
        notes.append(f"{found.cut} cut")
    return Figure(value.value, "share", "lower" if metric.better == "lower" else "higher", against=", ".join(notes))


def table(wanted: Sequence[Part]) -> str:
    rows = ["| benchmark | model | asked by | metric | value | 95 % | n |", "|---|---|---|---|---|---|---|"]
    for part, way, metric, value, _ in estimates(wanted):
        ideal = {"lower": " (less is better)", "middle": " (half is ideal)"}.get(metric.better, "")
        rows.append(
            f"| {part.benchmark.name} | {part.model} | {way} | {metric.name}{ideal} | {value.value:.3f} | "
            f"{value.low:.3f} to {value.high:.3f} | {value.n:,} |"
        )
    return "\n".join(rows)


def main(arguments: argparse.Namespace) -> None:
    names = arguments.only.split(",") if arguments.only else list(FILES)
    arguments.keep.mkdir(parents=True, exist_ok=True)
    wanted = parts(arguments.models.split(","), names, arguments.keep)
    model = next((part.model for part in wanted if not part.finished), "")
    if arguments.seconds and model:
        with tempfile.TemporaryDirectory(prefix="mainspring-capabilities-") as home:
            left = [part for part in wanted if part.model == model and not part.finished]
            asyncio.run(measure(alone(model, Path(home)), model, left, arguments.keep, arguments.seconds))
    wanted = parts(arguments.models.split(","), names, arguments.keep)
    if arguments.table:
        print(table(wanted))
    asked = tuple(f"{part.model}, {part.benchmark.name} by " for part in wanted if part.outcomes)
    # What is not measured now stays as it was.
    figures = earlier("capabilities", lambda name: not name.startswith(asked)) | {
        f"{part.model}, {part.benchmark.name} by {way}: {metric.name}": figure(part, metric, value, found)
        for part, way, metric, value, found in estimates(wanted)
    }
    if not asked:
        skip("FOLDER has no outcomes yet; give --seconds")
    report("capabilities", figures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Public benchmarks at hand, on the small models")
    parser.add_argument("--keep", type=Path, required=True, help="folder of outcomes, which is gone on with")
    parser.add_argument("--seconds", type=float, default=540.0, help="time to ask for; 0 only reports")
    parser.add_argument("--only", default="", help=f"of {', '.join(FILES)}")
    parser.add_argument("--models", default=f"{SMALL},{LARGER}")
    parser.add_argument("--table", action="store_true", help="also print the table of the guide")
    main(parser.parse_args())
