"""Tool choice on the Berkeley function-calling leaderboard: small models alone, and with a chooser before them.

    MAINSPRING_DATA=... python benchmarks/tool_choice.py [--keep FILE] [--model NAME] [--method native]
                                                         [--part multiple] [--limit 100] [--minutes 5] [--report]

``native`` gives a model the tools in its own prompt and reads its calls; ``choice`` lets the chooser of agents go
before it, and ``select`` only lets it choose, with no model. ``--keep`` keeps each answer as a line of
JSON and takes those from there that it has; with ``--minutes`` a run ends after that time, so that a long one can be
done in pieces. ``--report`` asks nothing and reports what is kept. Nothing was fitted or chosen on these questions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _bfcl as bfcl
from _report import data_sets
from _tool_sets import Bare
from mainspring import engines
from mainspring.agents.choice.base import Turn
from mainspring.agents.choice.chooser import ToolChooser
from mainspring.agents.choice.reading import read
from mainspring.core.path import collect
from mainspring.core.settings import load
from mainspring.core.types import ChatRequest, Context, Message, Principal, Responder, Sampling
from mainspring.engines.base import Embedder

WRITER, SMALL = "qwen2.5-coder-1.5b-instruct", "smollm2-135m-instruct"
AT_ONCE = 6
TOKENS = {"parallel": 400, "parallel_multiple": 400}
"""Of an answer; 160 in the other parts."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question for one method, with what came: the calls and the text, and seconds of this process' CPU."""

    part: str
    id: str
    method: str
    model: str
    calls: tuple[tuple[str, Any], ...]
    text: str
    wall_s: float

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.part, self.id, self.method, self.model)


Ask = Callable[[bfcl.Question, int], Awaitable[tuple[list[tuple[str, Any]], str]]]


def context() -> Context:
    return Context(Principal("default", "benchmark"))


def native(responder: Responder, model: str) -> Ask:
    """The model with the tools in its own prompt."""

    async def ask(question: bfcl.Question, tokens: int) -> tuple[list[tuple[str, Any]], str]:
        sampling = Sampling(max_tokens=tokens, temperature=0.0)
        request = ChatRequest(model, question.messages, sampling, question.tools)
        answer = await collect(await responder.respond(request, context()))
        calls = answer.choices[0].tool_calls if answer.choices else []
        return [(call.name, _parsed(call.arguments)) for call in calls], answer.text

    return ask


def chosen(responder: Responder | None, model: str, embedder: Embedder) -> Ask:
    """The chooser of agents; without a responder it writes no arguments."""
    chooser = ToolChooser(embedder)

    async def ask(question: bfcl.Question, tokens: int) -> tuple[list[tuple[str, Any]], str]:  # noqa: ARG001
        turn = Turn(question.messages, [Bare(tool) for tool in question.tools], (), model)
        if responder is None:
            tools = [read(tool) for tool in turn.tools]
            scores = await chooser.scorer.probabilities(question.messages[-1].content, tools)
            best = max(range(len(tools)), key=scores.__getitem__)
            return [(question.tools[best].name, {})] if scores[best] >= chooser.threshold else [], ""
        choice = await chooser.choose(turn, _Model(responder))
        return [(call.name, dict(call.arguments)) for call in choice.calls], choice.say

    return ask


class _Model:
    """Steps of no run."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder

    async def ask(self, request: ChatRequest) -> Message:
        answer = await collect(await self._responder.respond(request, context()))
        return Message("assistant", answer.text, tool_calls=tuple(answer.choices[0].tool_calls))

    async def value(self, name: str, asked: Any, find: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ARG002
        return await find()


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return None


def kept(path: Path | None) -> dict[tuple[str, str, str, str], Asked]:
    """What was asked before."""
    if path is None or not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    found = [Asked(**{**row, "calls": tuple((name, each) for name, each in row["calls"])}) for row in rows]
    return {each.key: each for each in found}


async def run(arguments: argparse.Namespace) -> None:
    """Ask what is not kept, and keep it."""
    ends = time.monotonic() + 60 * arguments.minutes
    done = kept(arguments.keep)
    settings = load().settings
    served = () if arguments.method == "select" else (arguments.model,)
    models = settings.models.model_copy(update={"chat": served, "embedding": arguments.embedding})
    async with engines.open(settings.model_copy(update={"models": models})) as opened:
        responder = opened.chat[arguments.model].responder if served else None
        if arguments.method == "native" and responder is not None:
            ask = native(responder, arguments.model)
        else:
            ask = chosen(responder, arguments.model, opened.embedder)
        for part in arguments.part:
            asked = bfcl.questions(data_sets() / "agents/bfcl_v4", part, arguments.limit)
            todo = [each for each in asked if (part, each.id, arguments.method, arguments.model) not in done]
            await asyncio.gather(*(_worker(ask, part, todo, ends, arguments) for _ in range(AT_ONCE)))
            print(f"{part}: {len(todo)} left", flush=True)


async def _worker(ask: Ask, part: str, todo: list[bfcl.Question], ends: float, arguments: argparse.Namespace) -> None:
    while todo and time.monotonic() < ends:
        question = todo.pop(0)
        began = time.perf_counter()
        calls, text = await ask(question, TOKENS.get(part, 160))
        wall = round(time.perf_counter() - began, 3)
        row = [part, question.id, arguments.method, arguments.model, calls, text, wall]
        line = json.dumps(dict(zip(Asked.__slots__, row, strict=True)))
        if arguments.keep is not None:
            with arguments.keep.open("a", encoding="utf-8") as file:
                file.write(line + "\n")


def tell(arguments: argparse.Namespace) -> None:
    """How many of what is kept are right."""
    counts: dict[tuple[str, str, str], list[bfcl.Verdict]] = {}
    known = {
        part: {each.id: each for each in bfcl.questions(data_sets() / "agents/bfcl_v4", part)} for part in bfcl.PARTS
    }
    for each in kept(arguments.keep).values():
        verdict = bfcl.judge(known[each.part][each.id], each.calls)
        counts.setdefault((each.part, each.method, each.model), []).append(verdict)
    for (part, method, model), verdicts in sorted(counts.items()):
        n = len(verdicts)
        tools, exact = sum(each.tools for each in verdicts), sum(each.exact for each in verdicts)
        print(f"{part:18} {method:10} {model:30} n {n:4} tools {tools / n:.3f} exact {exact / n:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--model", default=WRITER)
    parser.add_argument("--method", default="native", choices=("native", "choice", "select"))
    parser.add_argument("--embedding", default=load().settings.models.embedding)
    parser.add_argument("--part", nargs="+", default=list(bfcl.PARTS[:4]))
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    if not arguments.report:
        asyncio.run(run(arguments))
    tell(arguments)


if __name__ == "__main__":
    main()
