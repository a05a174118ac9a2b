"""The worth of each tier of a context: answers about long conversations with the tier on and off, and its tokens.

    MAINSPRING_DATA=... python benchmarks/context_tiers.py [--model NAME ...] [--questions 24] [--keep FOLDER]
        [--seconds 240 [--partly]]

Questions of LoCoMo with one place of evidence, drawn evenly from the ten conversations, are asked of a model that runs
here, under the same instruction each time. What it sees besides is made by ``mainspring.agents.context`` within 1,024
tokens: nothing, the latest turns alone, notes and the latest turns, these with turns recalled by words, what the memory
recalls (the ten best turns of the ranker with embeddings), and all together. An answer counts if it contains the gold
answer as whole words; F1 is over words, as in SQuAD. Nothing was chosen on these questions. "Tokens" are those of the
prompt, in the model's own count; the cost follows from them.

"Gold shown" asks no model: it is the share of ``--shown`` questions whose answer stands in the context at all, the most
that any model could say from it, over questions whose answer stands word for word in their evidence. With
``--model`` and no name that is all. Writes ``benchmarks/results/context_tiers.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from _long_talks import LongQuestion, LongTalk, long_talks
from _report import Figure, data_sets, earlier, report
from context_compaction import asked, plain
from mainspring.agents.context.assemble import assemble
from mainspring.agents.context.ranker import Ranker, Statement
from mainspring.agents.context.tiers import ContextBudget, Material
from mainspring.core.path import collect
from mainspring.core.settings import Settings, load
from mainspring.core.types import ChatRequest, Context, Message, Sampling
from mainspring.engines import builtin
from mainspring.engines.base import Embedder
from mainspring.serving.memory.recollection import Remembered
from mainspring.serving.memory.tokens import estimated
from mainspring.system import System
from memory_recall import embedded

BUDGET, BEST, WORDS = 1024, 10, 40
INSTRUCTION = (
    "You answer questions about two friends from what they said in their chats. Answer with a few words from the chats."
)
TIERS = ("nothing", "latest turns", "+ notes", "+ recalled by words", "memory alone", "all together")


async def context_of(
    tier: str, talk: LongTalk, question: LongQuestion, remembered: Sequence[Remembered]
) -> list[Message]:
    """What the model is asked with the tier."""
    first = talk.turns[0].speaker
    said = [
        Message("user" if each.speaker == first else "assistant", f"({day}) {each.speaker}: {each.text}")
        for each, day in zip(talk.turns, talk.days, strict=True)
    ]
    asked = Message("user", question.text)
    kept = {
        "nothing": Material(INSTRUCTION, (asked,)),
        "memory alone": Material(INSTRUCTION, (asked,), tuple(remembered), secret="benchmark"),
        "all together": Material(INSTRUCTION, (*said, asked), tuple(remembered), secret="benchmark"),
    }
    material = kept.get(tier, Material(INSTRUCTION, (*said, asked)))
    notes = 0.2 if tier in ("+ notes", "+ recalled by words", "all together") else 0.0
    recalled = 0.3 if tier in ("+ recalled by words", "all together") else 0.0
    budget = ContextBudget(BUDGET, memory=0.5, notes=notes, recalled=recalled)
    return list((await assemble(material, budget, estimated)).messages)


async def memory_of(embedder: Embedder, talk: LongTalk, questions: Sequence[LongQuestion]) -> list[list[Remembered]]:
    """What the memory recalls for each question."""
    vectors = await embedded(embedder, [f"{each.speaker}: {each.text}" for each in talk.turns])
    asked = await embedded(embedder, [each.text for each in questions], "query")
    past = [
        Statement(each.text, str(each.session), each.speaker, vector)
        for each, vector in zip(talk.turns, vectors, strict=True)
    ]
    ranker, found = Ranker(), []
    for question, vector in zip(questions, asked, strict=True):
        order = np.argsort(-ranker.scores(question.text, vector, past), kind="stable")[:BEST]
        turns = [talk.turns[int(place)] for place in order]
        found.append([Remembered(each.id, f"{each.speaker}: {each.text}", each.at) for each in turns])
    return found


def words_of(text: str) -> list[str]:
    return [each for each in re.findall(r"\w+", text.lower()) if each not in ("a", "an", "the")]


def contains(answer: str, gold: str) -> bool:
    return f" {' '.join(words_of(gold))} " in f" {' '.join(words_of(answer))} "


def f1(answer: str, gold: str) -> float:
    ours, theirs = Counter(words_of(answer)), Counter(words_of(gold))
    both = sum((ours & theirs).values())
    return 2 * both / (sum(ours.values()) + sum(theirs.values())) if both else 0.0


def drawn(talks: Sequence[LongTalk], count: int) -> dict[str, list[LongQuestion]]:
    """Questions with one place of evidence, evenly from the conversations."""
    random = np.random.default_rng(11)
    found = {}
    for index, talk in enumerate(talks):
        possible = [each for each in talk.questions if each.category == 4 and each.evidence]
        share = count // len(talks) + (index < count % len(talks))
        found[talk.name] = [possible[int(place)] for place in random.permutation(len(possible))[:share]]
    return found


async def run(options: Any) -> dict[str, dict[str, Any]] | None:
    kept: dict[str, dict[str, Any]] = {}
    if options.keep is not None and options.keep.exists():
        kept = json.loads(options.keep.read_text(encoding="utf-8"))
    talks = long_talks(data_sets(), "locomo")
    chosen = drawn(talks, options.questions)
    settings: Settings = load().settings
    settings = settings.model_copy(update={"models": settings.models.model_copy(update={"chat": (options.model,)})})
    began = time.monotonic()
    async with System.open(settings) as system:
        responder = system.rooms.path.chat[options.model]
        for talk in talks:
            todo = [each for each in chosen[talk.name] if f"{talk.name} {each.text} {TIERS[-1]}" not in kept]
            if not todo:
                continue
            for question, remembered in zip(todo, await memory_of(system.engines.embedder, talk, todo), strict=True):
                if time.monotonic() - began > options.seconds:
                    return kept if options.partly else None
                for tier in TIERS:
                    messages = await context_of(tier, talk, question, remembered)
                    request = ChatRequest(options.model, tuple(messages), Sampling(max_tokens=WORDS, temperature=0))
                    answer = await collect(await responder.respond(request, Context(system.local)))
                    kept[f"{talk.name} {question.text} {tier}"] = {
                        "tier": tier,
                        "contained": contains(answer.text, question.answer),
                        "f1": f1(answer.text, question.answer),
                        "tokens": answer.usage.prompt_tokens,
                    }
                if options.keep is not None:
                    options.keep.write_text(json.dumps(kept), encoding="utf-8")
                print(f"{talk.name}: {len(kept)} answers", flush=True)
    return kept


def recalled_of(folder: Path, talk: LongTalk, questions: Sequence[LongQuestion]) -> list[list[Remembered]]:
    """What ``memory_recall.py --keep`` found in the conversation."""
    places = json.loads((folder / f"{talk.name}.json").read_text(encoding="utf-8"))["found"]["memory"]
    found = dict(zip((each.text for each in talk.questions if each.evidence), places, strict=True))
    turns = [[talk.turns[place] for place in found[each.text]] for each in questions]
    return [[Remembered(each.id, f"{each.speaker}: {each.text}", each.at) for each in several] for several in turns]


async def shown(count: int, recalled: Path | None) -> dict[str, dict[str, Any]]:
    """Whether the gold answer stands in each context, and its estimated tokens."""
    kept: dict[str, dict[str, Any]] = {}
    embedder = None if recalled is not None else await builtin.embedder(load().settings)
    random = np.random.default_rng(13)
    talks = long_talks(data_sets(), "locomo")
    for talk in talks:
        possible = asked(talk)
        chosen = [possible[int(place)] for place in random.permutation(len(possible))[: count // len(talks)]]
        if recalled is not None:
            memory = recalled_of(recalled, talk, chosen)
        else:
            assert embedder is not None
            memory = await memory_of(embedder, talk, chosen)
        for question, remembered in zip(chosen, memory, strict=True):
            for tier in TIERS:
                messages = await context_of(tier, talk, question, remembered)
                said = " ".join(each.content for each in messages)
                kept[f"{talk.name} {question.text} {tier}"] = {
                    "tier": tier,
                    "contained": plain(question.answer) in plain(said.replace(question.text, " ")),
                    "tokens": sum(await estimated(messages)),
                }
        print(f"{talk.name}: {len(chosen)} questions", flush=True)
    return kept


def wilson(values: Sequence[bool]) -> str:
    count, mean, z = len(values), float(np.mean(values)), 1.96
    middle, spread = mean + z * z / (2 * count), z * (mean * (1 - mean) / count + (z / (2 * count)) ** 2) ** 0.5
    low, high = ((middle + sign * spread) / (1 + z * z / count) for sign in (-1, 1))
    return f"{count} questions, {max(0.0, low):.3f} to {min(1.0, high):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="*", default=["qwen2.5-coder-1.5b-instruct", "smollm2-135m-instruct"])
    parser.add_argument("--questions", type=int, default=24)
    parser.add_argument("--keep", type=Path, help="folder of the answers so far")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after about so many")
    parser.add_argument("--partly", action="store_true", help="report what there is when the time is up")
    parser.add_argument("--shown", type=int, default=200, help="questions of which no model is asked; 0: none anew")
    parser.add_argument("--recalled", type=Path, help="what memory_recall.py --keep found there, to find it once")
    options = parser.parse_args()
    measured = (*options.model, *(("gold shown",) if options.shown else ()))
    figures = earlier("context_tiers", lambda name: not name.startswith(measured))
    if options.shown:
        figures |= figures_of(asyncio.run(shown(options.shown, options.recalled)), "")
    for model in options.model:
        keep = None if options.keep is None else options.keep / f"{model}.json"
        if keep is not None:
            keep.parent.mkdir(parents=True, exist_ok=True)
        kept = asyncio.run(run(argparse.Namespace(**{**vars(options), "model": model, "keep": keep})))
        if kept is None:
            print(f"{model}: time is up: the same command goes on")
            return
        figures |= figures_of(kept, model)
    report("context_tiers", figures)


def figures_of(kept: Mapping[str, Mapping[str, Any]], model: str) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    said = f"{model}, gold contained" if model else "gold shown"
    for tier in TIERS:
        rows = [each for each in kept.values() if each["tier"] == tier]
        told = f"{model or 'no model'}, {wilson([each['contained'] for each in rows])}"
        found = float(np.mean([each["contained"] for each in rows]))
        figures[f"{said}: {tier}"] = Figure(found, "share", "higher", against=told)
        if model:
            mean = float(np.mean([each["f1"] for each in rows]))
            figures[f"{model}, F1: {tier}"] = Figure(mean, "share", "higher", against=told)
        tokens = float(np.mean([each["tokens"] for each in rows]))
        counted = f"mean, {model}" if model else "mean, estimated"
        figures[f"{said}, prompt: {tier}"] = Figure(tokens, "tokens", "lower", against=counted)
    return figures


if __name__ == "__main__":
    main()
