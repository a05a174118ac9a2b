"""Scores of judges over labelled sets, kept as lines of JSON, so that a long run is made in pieces.

    MAINSPRING_DATA=... python benchmarks/_judging_runs.py KEEP [--minutes 5] JUDGE=SET[:MOST] ... [--chat MODEL]

A judge is one of the package, with ``@MODEL`` where it asks a chat model.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _judged_sets as sets
from _library import data
from mainspring.core.settings import Settings, load
from mainspring.core.types import Context
from mainspring.features.judges.definitions.shipped import shipped
from mainspring.features.judges.figures.published import PublishedJudgement
from mainspring.features.judges.judging.wording import words
from mainspring.features.judges.service import Judges
from mainspring.system import System

CROSS_ENCODER = "ms-marco-minilm-l12-v2-int8"


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of one item: ``values`` of its answers (none: the judge says nothing), ``details`` of the judge."""

    id: str
    values: tuple[float, ...]
    details: Mapping[str, float]
    contradicts: bool
    tokens: int
    seconds: float


def file_of(keep: Path, judge: str, name: str) -> Path:
    """Where the scores of a judge over a set are kept."""
    return keep / f"{judge.replace('@', '-at-')}.{name}.jsonl"


def kept(keep: Path, judge: str, name: str) -> dict[str, Scored]:
    """Those of earlier runs, by item."""
    path = file_of(keep, judge, name)
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return {row["id"]: Scored(**{**row, "values": tuple(row["values"])}) for row in rows}


def settings_for(chat: str) -> Settings:
    """The configuration with one chat model, or with none, and the cross-encoder."""
    settings = load().settings
    models = settings.models.model_copy(update={"chat": (chat,) if chat else (), "answers": CROSS_ENCODER})
    return settings.model_copy(update={"models": models})


async def score(judges: Judges, context: Context, judge: str, name: str, most: int, keep: Path, until: float) -> None:
    """Score what is not scored yet of the first ``most`` items of a set."""
    base, _, model = judge.partition("@")
    definition = shipped()[base].model_copy(update={"model": model})
    made = await judges.made(base, context, definition)
    done = kept(keep, judge, name)
    left = [each for each in sets.drawn(name, data("").resolve())[:most] if each.id not in done]
    with file_of(keep, judge, name).open("a") as out:
        for each in left:
            if time.monotonic() > until:
                break
            given = await judges.judge(made, each.item, context)
            found = given.judgement
            row: dict[str, Any] = {"id": each.id, "values": [] if found is None else found.values}
            row |= {"details": {} if found is None else dict(found.details)}
            row |= {"contradicts": found is not None and found.contradicts}
            row |= {"tokens": given.usage.total_tokens, "seconds": given.seconds}
            out.write(json.dumps(row) + "\n")
            out.flush()
    print(f"{judge} {name}: {len(kept(keep, judge, name))} of {most}", flush=True)


async def score_all(runs: Sequence[str], chat: str, keep: Path, minutes: float) -> None:
    """Score ``runs`` (JUDGE=SET:MOST) for some minutes, in a home that is thrown away."""
    keep.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as home:
        settings = settings_for(chat).model_copy(update={"home": Path(home)})
        async with System.open(settings) as system:
            judges, context = system.services[Judges], Context(system.local)
            for each in runs:
                judge, _, rest = each.partition("=")
                name, _, most = rest.partition(":")
                await score(judges, context, judge, name, int(most or sys.maxsize), keep, until)


def seen(keep: Path, judge: str, name: str, data: Path) -> list[PublishedJudgement]:
    """The kept scores of a judge over a set, as figures are made of them. A judge that says nothing is left out."""
    rows = kept(keep, judge, name)
    return [
        PublishedJudgement(
            number=place,
            task="label",
            score=rows[each.id].values[0],
            label=each.label,
            words=tuple(max(1, words(answer)) for answer in each.item.answers),
            contradicts=rows[each.id].contradicts,
            tokens=rows[each.id].tokens,
            seconds=rows[each.id].seconds,
        )
        for place, each in enumerate(sets.drawn(name, data))
        if each.id in rows and rows[each.id].values
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Scores of judges over labelled sets")
    parser.add_argument("keep", type=Path)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--chat", default="")
    given = parser.parse_args()
    asyncio.run(score_all(given.runs, given.chat, given.keep, given.minutes))
