"""Which turns of a conversation tell a fact about their speaker: the rules of the memory, and a model under a grammar.

    MAINSPRING_DATA=... python benchmarks/memory_extraction.py [--model NAME] [--turns 60] [--keep FILE] [--seconds 240]

The truth is LoCoMo's list of observations about each speaker, which a large model wrote and people checked; each names
its turn (``conversations/locomo_observations``, as REALTALK's repository has them). A turn counts as found if anything
is taken from it. Nothing was chosen on these turns. Rules read all of them; the model reads a draw, half with an
observation, and answers with a JSON object of at most three facts. ``--model ""`` leaves it out. Intervals are
Wilson's. Writes ``benchmarks/results/memory_extraction.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from _report import Figure, data_sets, report, skip
from context_tiers import wilson
from mainspring.core.path import collect
from mainspring.core.settings import Settings, load
from mainspring.core.types import ChatRequest, Context, Grammar, Message, Sampling
from mainspring.features.memory.extract import facts_of
from mainspring.system import System

SCHEMA = {
    "type": "object",
    "properties": {"facts": {"type": "array", "items": {"type": "string", "maxLength": 160}, "maxItems": 3}},
    "required": ["facts"],
    "additionalProperties": False,
}
ASKED = (
    "Take from the user's message what it says about the user that will matter in later conversations: facts, plans, "
    'tastes, and what happened to the user. Greetings, questions and praise are none. Answer with JSON: {"facts": []} '
    "if there is nothing."
)
EXAMPLES = (
    ("I moved to Lisbon last month, it's lovely here!", '{"facts": ["The user moved to Lisbon last month."]}'),
    ("Wow, that sounds great! How did it go?", '{"facts": []}'),
)


@dataclass(frozen=True, slots=True)
class Observed:
    """A turn, and whether it tells a fact about its speaker."""

    name: str
    text: str
    tells: bool


def observed(folder: Path) -> Iterator[Observed]:
    files = sorted((folder / "conversations/locomo_observations").glob("*.json"))
    if not files:
        skip("there are no conversations/locomo_observations in MAINSPRING_DATA (docs/reference/benchmarks-data.md)")
    for file in files:
        found = json.loads(file.read_text(encoding="utf-8"))
        told = {
            (speaker, place)
            for session in found["observation"].values()
            for speaker, several in session.items()
            for _, where in several
            for place in re.findall(r"D\d+:\d+", str(where))
        }
        for key, turns in found["conversation"].items():
            if re.fullmatch(r"session_\d+", key):
                for each in turns:
                    tells = (each["speaker"], each["dia_id"]) in told
                    yield Observed(f"{file.stem} {each['dia_id']}", each["text"], tells)


def figures_of(name: str, turns: Sequence[Observed], taken: Sequence[bool]) -> dict[str, Figure]:
    """Precision and recall over turns."""
    right = [each.tells for each, found in zip(turns, taken, strict=True) if found]
    found = [had for each, had in zip(turns, taken, strict=True) if each.tells]
    others = [had for each, had in zip(turns, taken, strict=True) if not each.tells]
    return {
        f"{name}: of turns with a fact, found": Figure(float(np.mean(found)), "share", "higher", against=wilson(found)),
        f"{name}: of turns without one, taken": Figure(
            float(np.mean(others)), "share", "lower", against=wilson(others)
        ),
        f"{name}: of turns taken, right": Figure(float(np.mean(right)), "share", "higher", against=wilson(right)),
    }


async def by_model(turns: Sequence[Observed], options: Any) -> dict[str, bool] | None:
    kept: dict[str, bool] = {}
    if options.keep is not None and options.keep.exists():
        kept = json.loads(options.keep.read_text(encoding="utf-8"))
    settings: Settings = load().settings
    settings = settings.model_copy(update={"models": settings.models.model_copy(update={"chat": (options.model,)})})
    began = time.monotonic()
    shown = [each for said, told in EXAMPLES for each in (Message("user", said), Message("assistant", told))]
    async with System.open(settings) as system:
        responder = system.rooms.path.chat[options.model]
        for each in turns:
            if each.name in kept:
                continue
            if time.monotonic() - began > options.seconds:
                return None
            sampling = Sampling(max_tokens=160, temperature=0, grammar=Grammar("json_schema", json.dumps(SCHEMA)))
            request = ChatRequest(
                options.model, (Message("system", ASKED), *shown, Message("user", each.text)), sampling
            )
            answer = await collect(await responder.respond(request, Context(system.local)))
            try:
                kept[each.name] = bool(json.loads(answer.text)["facts"])
            except ValueError:
                kept[each.name] = False
            if options.keep is not None:
                options.keep.write_text(json.dumps(kept), encoding="utf-8")
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="qwen2.5-coder-1.5b-instruct")
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--keep", type=Path, help="file of the answers so far")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after about so many")
    options = parser.parse_args()
    turns = list(observed(data_sets()))
    figures = figures_of("rules, all turns", turns, [bool(facts_of(each.text)) for each in turns])
    if options.model:
        random = np.random.default_rng(3)
        drawn: list[Observed] = []
        for tells in (True, False):
            possible = [each for each in turns if each.tells is tells]
            drawn += [possible[int(place)] for place in random.permutation(len(possible))[: options.turns // 2]]
        found = asyncio.run(by_model(drawn, options))
        if found is None:
            print("time is up: the same command goes on")
            return
        figures |= figures_of(f"{options.model}, a draw", drawn, [found[each.name] for each in drawn])
        figures |= figures_of("rules, the same draw", drawn, [bool(facts_of(each.text)) for each in drawn])
    report("memory_extraction", figures)


if __name__ == "__main__":
    main()
