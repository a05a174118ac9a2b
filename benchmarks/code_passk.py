"""HumanEval and MBPP: how many problems the code assistant solves, each solution run within a sandbox.

    python benchmarks/code_passk.py HUMANEVAL.jsonl|MBPP.jsonl --solutions FILE [--first 40] [--minutes 5]
        [--samples 1] [--model NAME] [--raw] [--seed 0]

The files are those of github.com/openai/human-eval (``data/HumanEval.jsonl.gz``, MIT) and github.com/google-research
(``mbpp/mbpp.jsonl``, CC BY 4.0, problems 11 to 510); they are no part of this repository. Solutions are appended to
FILE as they come, and a run goes on where an earlier one ended: it asks for what is missing until its minutes are over,
then all solutions in the file are judged. The problems are drawn by the seed, so that a part of them is a fair sample.

pass@k is the unbiased estimate of Chen et al. (2021); the interval is Wilson's over the problems for one sample, a
bootstrap over problems otherwise. ``--raw``: the model alone, without the assistant.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import re
import secrets
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _report import Figure, report
from mainspring.agents.sandbox.base import SandboxLimits
from mainspring.agents.sandbox.bubblewrap import BubblewrapSandbox
from mainspring.core.path import collect
from mainspring.core.settings import load
from mainspring.core.types import CompletionRequest, Context, Sampling
from mainspring.system import System

TOKENS = 400
AT_ONCE = 4
STOPS = ("\nassert", '\n"""', "\nprint(", "\nif __name__", "\n# Test", "\n```")


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem: the text that is continued, and the program that fails unless ``SOLUTION`` solves it."""

    name: str
    prompt: str
    test: str

    def program(self, solution: str, mark: str) -> str:
        """Prints ``mark`` once all tests have passed: a solution that ends the program early does not know it."""
        return f"{self.test.replace('SOLUTION', solution)}\nprint({mark!r})\n"


def problems(path: Path) -> list[Problem]:
    """The problems of a file of either set."""
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if "canonical_solution" in found[0]:
        return [
            Problem(
                each["task_id"],
                each["prompt"],
                f"{each['prompt'].replace('SOLUTION', '')}SOLUTION\n\n{each['test']}\n\ncheck({each['entry_point']})\n",
            )
            for each in found
        ]
    return [_mbpp(each) for each in found if 11 <= each["task_id"] <= 510]


def _mbpp(each: Mapping[str, Any]) -> Problem:
    tests = "\n".join(each["test_list"])
    prompt = f'"""\n{each["text"]}\n\n{tests}\n"""\n'
    called = re.search(r"assert\W+(?:\w+\()*?(\w+)\(", each["test_list"][0])
    signature = re.search(rf"def {called[1]}\b[^\n]*", each["code"]) if called else None
    # The signature is given, as in HumanEval: what is measured is the body.
    head = f"{signature[0].rstrip()}\n" if signature and signature[0].rstrip().endswith(":") else ""
    setup = each.get("test_setup_code") or ""
    return Problem(f"mbpp/{each['task_id']}", prompt + head, f"{setup}\n{head}SOLUTION\n\n{tests}\n")


async def write(args: argparse.Namespace, wanted: Sequence[tuple[Problem, int]], until: float) -> None:
    """Ask for solutions, some at a time, and append each to the file."""
    with tempfile.TemporaryDirectory() as home:
        settings = load().settings
        if args.model:
            models = settings.models.model_copy(update={"chat": (args.model,), "larger": ""})
            settings = settings.model_copy(update={"models": models})
        settings = settings.model_copy(update={"home": Path(home), "models": settings.models})
        async with System.open(settings) as system:
            waiting = list(reversed(wanted))

            async def worker() -> None:
                while waiting and time.monotonic() < until:
                    problem, sample = waiting.pop()
                    sampling = Sampling(TOKENS, args.temperature, seed=args.seed + sample)
                    name = args.model or next(iter(system.engines.chat))
                    if args.raw:
                        asked = CompletionRequest(name, problem.prompt, Sampling(TOKENS, args.temperature, stop=STOPS))
                    else:
                        options = {"language": "python", "model": name}
                        asked = CompletionRequest("code", problem.prompt, sampling, options=options)
                    answer = await collect(await system.respond(asked, Context(system.local)))
                    line = {"name": problem.name, "sample": sample, "text": answer.text}
                    with args.solutions.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(line) + "\n")
                    print(".", end="", flush=True)

            await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    print()


async def judge(solved: Sequence[tuple[Problem, str]]) -> list[bool]:
    """Whether each solution passes its tests, within a sandbox."""
    sandbox, limits, mark = BubblewrapSandbox(2), SandboxLimits(seconds=10), secrets.token_hex(16)
    try:
        results = await asyncio.gather(
            *(sandbox.run(problem.program(text, mark), limits=limits) for problem, text in solved)
        )
    finally:
        await sandbox.aclose()
    return [not each.error and each.stdout.rstrip().endswith(mark) for each in results]


def pass_at(k: int, right: Sequence[int], drawn: int) -> float:
    """The chance that one of ``k`` of ``drawn`` solutions is right, over problems."""
    return statistics.mean(1 - math.comb(drawn - each, k) / math.comb(drawn, k) for each in right)


def wilson(right: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share."""
    p, n = right / of, of
    middle, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n)


def bootstrap(right: Sequence[int], drawn: int, k: int) -> tuple[float, float]:
    """The 95 % interval of pass@k over problems."""
    chance = random.Random(0)
    found = sorted(pass_at(k, chance.choices(right, k=len(right)), drawn) for _ in range(1_000))
    return found[25], found[974]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("--solutions", type=Path, required=True)
    parser.add_argument("--first", type=int, default=40, help="problems that are drawn")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--model", default="")
    parser.add_argument("--raw", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    drawn = problems(args.set)
    random.Random(args.seed).shuffle(drawn)
    drawn = drawn[: args.first]
    lines = args.solutions.read_text(encoding="utf-8").splitlines() if args.solutions.exists() else []
    known = {(each["name"], each["sample"]) for each in map(json.loads, lines)}
    wanted = [(each, n) for each in drawn for n in range(args.samples) if (each.name, n) not in known]
    if wanted and args.minutes:
        asyncio.run(write(args, wanted, time.monotonic() + 60 * args.minutes))
    texts = {(each["name"], each["sample"]): each["text"] for each in _lines(args.solutions)}
    whole = [each for each in drawn if all((each.name, n) in texts for n in range(args.samples))]
    if not whole:
        parser.error("no problem has all of its solutions yet")
    passed = asyncio.run(judge([(each, texts[each.name, n]) for each in whole for n in range(args.samples)]))
    right = [sum(passed[i * args.samples : (i + 1) * args.samples]) for i in range(len(whole))]
    figures = {}
    for k in sorted({1, args.samples}):
        low, high = wilson(sum(right), len(right)) if args.samples == 1 else bootstrap(right, args.samples, k)
        against = f"n={len(whole)} of {args.set.stem}, 95 % {low:.2f}-{high:.2f}, temperature {args.temperature}"
        figures[f"pass@{k}"] = Figure(round(pass_at(k, right, args.samples), 4), "share", "higher", against=against)
    report(f"code_passk_{args.set.stem.lower()}{'_raw' if args.raw else ''}", figures)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


if __name__ == "__main__":
    main()
