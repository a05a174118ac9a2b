"""Lost in the middle: how often a model finds an answer, by the position of the paragraph that has it.

    MAINSPRING_DATA=... python benchmarks/context_positions.py [--model NAME] [--questions 24] [--keep FILE]

A question of SQuAD, its paragraph, and seven paragraphs of other articles stand in one prompt. The paragraph is first,
in the middle, or last; the question comes at the end, or ("twice") at the start and at the end, as
``mainspring.agents.context`` repeats it after long results. The same questions are asked each way, at temperature 0.
An answer counts if it contains a gold answer as whole words. Intervals are Wilson's; a difference is of pairs. Writes
``benchmarks/results/context_positions.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from _report import Figure, data_sets, earlier, report
from context_tiers import contains, wilson
from mainspring.core.path import collect
from mainspring.core.settings import Settings, load
from mainspring.core.types import ChatRequest, Context, Message, Sampling
from mainspring.system import System

OTHERS, WORDS = 7, 32
PLACES: Mapping[str, tuple[float, bool]] = {
    "first": (0.0, False),
    "a quarter down": (0.25, False),
    "in the middle": (0.5, False),
    "three quarters down": (0.75, False),
    "last": (1.0, False),
    "in the middle, question twice": (0.5, True),
}
INSTRUCTION = "Answer the question with a few words from the passages."


def drawn(folder: Path, count: int) -> list[dict[str, Any]]:
    """Questions with their paragraph, their answers, and paragraphs of other articles."""
    random = np.random.default_rng(5)
    articles = json.loads((folder / "qa/squad/dev-v2.0.json").read_text(encoding="utf-8"))["data"]
    possible = [
        (number, paragraph["context"], each)
        for number, article in enumerate(articles)
        for paragraph in article["paragraphs"]
        for each in paragraph["qas"]
        if each["answers"] and 300 < len(paragraph["context"]) < 900
    ]
    texts = {number: [each["context"] for each in article["paragraphs"]] for number, article in enumerate(articles)}
    found = []
    for place in random.permutation(len(possible))[:count]:
        number, text, asked = possible[int(place)]
        golds = {each["text"] for each in asked["answers"]}
        others = [
            each
            for other, several in texts.items()
            if other != number
            for each in several
            if 300 < len(each) < 900 and not any(contains(each, gold) for gold in golds)
        ]
        chosen = [others[int(index)] for index in random.permutation(len(others))[:OTHERS]]
        found.append({"question": asked["question"], "golds": sorted(golds), "text": text, "others": chosen})
    return found


def messages_of(found: Mapping[str, Any], place: str) -> tuple[Message, ...]:
    depth, twice = PLACES[place]
    passages = list(found["others"])
    passages.insert(round(depth * len(passages)), found["text"])
    asked = f"Question: {found['question']}"
    parts = [*([asked] if twice else []), *(f"Passage: {each}" for each in passages), asked]
    return Message("system", INSTRUCTION), Message("user", "\n\n".join(parts))


async def run(options: Any) -> dict[str, dict[str, Any]] | None:
    kept: dict[str, dict[str, Any]] = {}
    if options.keep is not None and options.keep.exists():
        kept = json.loads(options.keep.read_text(encoding="utf-8"))
    settings: Settings = load().settings
    settings = settings.model_copy(update={"models": settings.models.model_copy(update={"chat": (options.model,)})})
    began = time.monotonic()
    async with System.open(settings) as system:
        responder = system.rooms.path.chat[options.model]
        for found in drawn(data_sets(), options.questions):
            for place in options.places or PLACES:
                name = f"{found['question']} {place}"
                if name in kept:
                    continue
                if time.monotonic() - began > options.seconds:
                    return None if not options.partly else whole(kept, options.places or list(PLACES))
                request = ChatRequest(
                    options.model, messages_of(found, place), Sampling(max_tokens=WORDS, temperature=0)
                )
                answer = await collect(await responder.respond(request, Context(system.local)))
                right = any(contains(answer.text, gold) for gold in found["golds"])
                kept[name] = {"place": place, "right": right, "tokens": answer.usage.prompt_tokens}
                if options.keep is not None:
                    options.keep.write_text(json.dumps(kept), encoding="utf-8")
    return kept


def whole(kept: dict[str, dict[str, Any]], places: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The answers to questions that were asked in each place."""
    asked = Counter(name.removesuffix(f" {each['place']}") for name, each in kept.items() if each["place"] in places)
    return {name: each for name, each in kept.items() if asked[name.removesuffix(f" {each['place']}")] == len(places)}


def figures_of(kept: Mapping[str, Mapping[str, Any]], model: str) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    if not kept:
        return figures
    by_place = {
        place: {name.removesuffix(f" {place}"): each["right"] for name, each in kept.items() if each["place"] == place}
        for place in PLACES
    }
    middle = by_place["in the middle"]
    for place, found in by_place.items():
        if not found:
            continue
        rights = list(found.values())
        figures[f"{model}: {place}"] = Figure(float(np.mean(rights)), "share", "higher", against=wilson(rights))
        if found is not middle and middle:
            both = [name for name in found if name in middle]
            won = sum(found[name] and not middle[name] for name in both)
            lost = sum(middle[name] and not found[name] for name in both)
            figures[f"{model}: {place}, against the middle"] = against(len(both), won, lost)
    tokens = float(np.mean([each["tokens"] for each in kept.values()]))
    figures[f"{model}: prompt"] = Figure(tokens, "tokens", "lower", against="mean")
    return figures


def against(pairs: int, won: int, lost: int) -> Figure:
    """A difference of pairs, with its 95 % interval."""
    n = max(1, pairs)
    value = (won - lost) / n
    around = 1.96 * float(np.sqrt(max(0.0, won + lost - (won - lost) ** 2 / n))) / n
    told = f"{pairs} pairs: {won} only there, {lost} only in the middle, {value - around:.3f} to {value + around:.3f}"
    return Figure(value, "", "higher", against=told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=["qwen2.5-coder-1.5b-instruct", "smollm2-135m-instruct"])
    parser.add_argument("--questions", type=int, default=24)
    parser.add_argument("--places", nargs="*", choices=list(PLACES))
    parser.add_argument("--keep", type=Path, help="folder of the answers so far")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after about so many a model")
    parser.add_argument("--partly", action="store_true", help="report the whole questions when the time is up")
    options = parser.parse_args()
    figures = earlier("context_positions", lambda name: name.partition(":")[0] not in options.model)
    for model in options.model:
        keep: Sequence[Path] = [] if options.keep is None else [options.keep / f"{model}.json"]
        each = argparse.Namespace(**{**vars(options), "model": model, "keep": keep[0] if keep else None})
        if each.keep is not None:
            each.keep.parent.mkdir(parents=True, exist_ok=True)
        kept = asyncio.run(run(each))
        if kept is None:
            print(f"{model}: time is up: the same command goes on")
            return
        figures |= figures_of(kept, model)
    report("context_positions", figures)


if __name__ == "__main__":
    main()
