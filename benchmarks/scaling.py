"""Accuracy against cost of inference-time scaling: chain of thought, self-consistency, best of several, a small tree.

    MAINSPRING_DATA=... python benchmarks/scaling.py [--model NAME] [--arithmetic 60] [--gsm8k 40] [--dev]

Two sets: GSM8K's test questions (drawn with a fixed seed), on which a model of 135 million parameters is all but lost,
and sums of one step that are made here with a fixed seed ("What is 17 + 25?"). Cost is tokens a question, prompt and
answer, as the usage of each answer tells; sampled ones have fixed seeds. ``--dev`` draws other questions of both sets:
prompts and temperatures were looked at there, and no report uses them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _library import data
from _report import Figure, report, table
from mainspring.core.path import collect
from mainspring.core.settings import ServingSettings, Settings
from mainspring.core.types import ChatRequest, Context, Message, Sampling
from mainspring.serving.scaling import extract
from mainspring.system import LOCAL, System

AT_ONCE = 4
PLANS: dict[str, tuple[Mapping[str, Any], Sampling]] = {
    "greedy, brief": (
        {"method": "chain_of_thought", "template": "brief"},
        Sampling(temperature=0.0),
    ),
    "greedy, steps": ({"method": "chain_of_thought"}, Sampling(temperature=0.0)),
    "one draw": ({"method": "self_consistency", "samples": 1}, Sampling(temperature=0.7, seed=1)),
    "self-consistency of 4": ({"method": "self_consistency", "samples": 4}, Sampling(temperature=0.7, seed=1)),
    "self-consistency of 8": ({"method": "self_consistency", "samples": 8}, Sampling(temperature=0.7, seed=1)),
    "self-consistency of 16": ({"method": "self_consistency", "samples": 16}, Sampling(temperature=0.7, seed=1)),
    "likeliest of 8": ({"method": "best_of", "samples": 8}, Sampling(temperature=0.7, seed=1)),
    "sums that hold, of 8": (
        {"method": "best_of", "samples": 8, "score": "arithmetic"},
        Sampling(temperature=0.7, seed=1),
    ),
    "tree 2 x 2 x 3": (
        {"method": "tree", "width": 2, "branches": 2, "depth": 3, "score": "arithmetic"},
        Sampling(temperature=0.7, seed=1),
    ),
}


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    answer: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Share of right answers, and prompt and completion tokens a question."""

    right: float
    prompt: float
    completion: float


def gsm8k(count: int, seed: int) -> list[Question]:
    lines = (data("qa/gsm8k") / "test.jsonl").read_text(encoding="utf-8").splitlines()
    drawn = random.Random(seed).sample([json.loads(line) for line in lines], count)
    return [Question(each["question"], extract.answer(each["answer"], "number") or "") for each in drawn]


def arithmetic(count: int, seed: int) -> list[Question]:
    """Sums, differences and products of one step, small enough to be done in one's head."""
    source, made = random.Random(seed), []
    for number in range(count):
        a, b = source.randint(3, 60), source.randint(2, 30)
        match number % 3:
            case 0:
                made.append(Question(f"What is {a} + {b}?", str(a + b)))
            case 1:
                made.append(Question(f"What is {a + b} - {b}?", str(a)))
            case _:
                a, b = source.randint(2, 9), source.randint(2, 9)
                made.append(Question(f"What is {a} times {b}?", str(a * b)))
    return made


async def measure(
    system: System, model: str, questions: Sequence[Question], plan: Mapping[str, Any], sampling: Sampling, tokens: int
) -> Outcome:
    """Ask every question by ``plan``."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def ask(question: Question) -> tuple[bool, int, int]:
        wish = {"scaling": {"answer": "number", **plan}, "cache": False}
        limited = Sampling(max_tokens=tokens, temperature=sampling.temperature, seed=sampling.seed)
        request = ChatRequest(model, (Message("user", question.text),), limited, options=wish)
        async with turns:
            answer = await collect(await system.respond(request, Context(LOCAL)))
        return answer.text.strip() == question.answer, answer.usage.prompt_tokens, answer.usage.completion_tokens

    answers = await asyncio.gather(*map(ask, questions))
    size = len(answers)
    right, prompt, completion = (sum(each[place] for each in answers) / size for place in range(3))
    return Outcome(right, prompt, completion)


async def run(arguments: argparse.Namespace) -> dict[str, Figure]:
    seed = 7 if arguments.dev else 2024
    sets = {"sums": (arithmetic(arguments.arithmetic, seed), 48), "GSM8K": (gsm8k(arguments.gsm8k, seed), 160)}
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory(prefix="mainspring-") as home:
        serving = ServingSettings(requests_per_minute=10**6, tokens_per_minute=10**9)
        async with System.open(Settings(home=Path(home), serving=serving)) as system:
            for name, (questions, tokens) in sets.items():
                for label, (plan, sampling) in PLANS.items():
                    if not questions:
                        continue
                    outcome = await measure(system, arguments.model, questions, plan, sampling, tokens)
                    against = f"{len(questions)} questions, {arguments.model}"
                    figures[f"{name}, {label}: right"] = Figure(outcome.right, "share", "higher", against=against)
                    spent = outcome.prompt + outcome.completion
                    told = f"{outcome.prompt:.0f} prompt and {outcome.completion:.0f} completion tokens a question"
                    figures[f"{name}, {label}: tokens"] = Figure(spent, "tokens", "lower", against=told)
                    print(f"{name}, {label}: {outcome.right:.3f} right, {spent:.0f} tokens", flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--arithmetic", type=int, default=60)
    parser.add_argument("--gsm8k", type=int, default=40)
    parser.add_argument("--dev", action="store_true")
    arguments = parser.parse_args()
    figures = asyncio.run(run(arguments))
    if arguments.dev:
        print(table(figures))
    else:
        report("scaling", figures)


if __name__ == "__main__":
    main()
