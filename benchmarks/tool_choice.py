"""Tool choice on the Berkeley function-calling leaderboard: small models alone, and with the chooser of agents.

    MAINSPRING_DATA=... python benchmarks/tool_choice.py [--keep FILE] [--model NAME ...] [--method native ...]
                                                         [--part multiple ...] [--limit 40] [--minutes 5] [--report]

``native`` gives a model the tools in its own prompt and reads its calls; ``choice`` lets the chooser go before it, and
``select`` only lets it choose: where it would ask a model, the tool that it would offer first is its choice. ``cost``
chooses and asks in turns, one question at a time. ``--keep`` keeps each answer as a line of JSON and takes those from
there that it has; a method ends after ``--minutes``, so that a long run can be done in pieces. ``--report`` asks
nothing and reports what is kept. With ``--method`` the rows of other methods stay as they were. Nothing was fitted or
chosen on these questions.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import _bfcl as bfcl
from _report import Figure, data_sets, earlier, report, skip
from _stats import ratios
from _tool_sets import Bare
from mainspring import engines
from mainspring.agents.choice.base import Turn
from mainspring.agents.choice.chooser import ToolChooser
from mainspring.core.errors import ModelNotPulled
from mainspring.core.path import collect
from mainspring.core.settings import load
from mainspring.core.types import ChatRequest, Context, Message, Principal, Responder, Sampling
from mainspring.engines.base import Embedder
from mainspring.features.evaluate.answers import wilson

WRITER, SMALL = "qwen2.5-coder-1.5b-instruct", "smollm2-135m-instruct"
AT_ONCE = 6
COSTED = 12
NAMED = {"select": "chooser alone", "choice": "chooser with", "native": "tools in the prompt of", "cost": ""}
TOKENS = {"parallel": 400, "parallel_multiple": 400}
"""Of an answer; 160 in the other parts."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question for one method, with what came: the calls and the text."""

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
    """The chooser of agents; without a responder it ends where it would ask a model."""
    chooser = ToolChooser(embedder)

    async def ask(question: bfcl.Question, tokens: int) -> tuple[list[tuple[str, Any]], str]:  # noqa: ARG001
        turn = Turn(question.messages, [Bare(tool) for tool in question.tools], (), model)
        if responder is None:
            return await _selected(chooser, turn)
        choice = await chooser.choose(turn, _Model(responder))
        return [(call.name, dict(call.arguments)) for call in choice.calls], choice.say

    return ask


async def _selected(chooser: ToolChooser, turn: Turn) -> tuple[list[tuple[str, Any]], str]:
    """The tools that the chooser calls by itself, or the first one that it would offer to a model."""
    steps = _Offers()
    try:
        choice = await chooser.choose(turn, steps)
    except _OfferedError as error:
        return [(str(error), {})], ""
    return [(call.name, dict(call.arguments)) for call in choice.calls], choice.say


class _OfferedError(Exception):
    """Names the tool whose arguments a model was to write."""


class _Offers:
    """Steps of no run and of no model."""

    def __init__(self) -> None:
        self._best = ""

    async def ask(self, request: ChatRequest) -> Message:
        raise _OfferedError(request.tools[0].name if request.tools else self._best)

    async def value(self, name: str, asked: Any, find: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ARG002
        found = await find()
        self._best = max(found, key=found.__getitem__)
        return found


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


async def run(arguments: argparse.Namespace, method: str, model: str) -> None:
    """Ask what is not kept, and keep it."""
    ends = time.monotonic() + 60 * arguments.minutes
    settings = load().settings
    served = () if method == "select" else (model,)
    models = settings.models.model_copy(update={"chat": served})
    async with engines.open(settings.model_copy(update={"models": models})) as opened:
        responder = opened.chat[model].responder if served else None
        if method == "cost":
            assert responder is not None
            await _costs(chosen(None, model, opened.embedder), opened.embedder, responder, arguments, ends)
            return
        if method == "native" and responder is not None:
            ask = native(responder, model)
        else:
            ask = chosen(responder, model, opened.embedder)
        for part in arguments.part:
            asked = bfcl.questions(data_sets() / "agents/bfcl_v4", part, arguments.limit)
            todo = [each for each in asked if (part, each.id, method, model) not in kept(arguments.keep)]
            workers = 1 if method == "select" else AT_ONCE
            await asyncio.gather(
                *(_worker(ask, part, todo, ends, arguments.keep, method, model) for _ in range(workers))
            )
            print(f"{part}: {len(todo)} left", flush=True)


async def _worker(
    ask: Ask, part: str, todo: list[bfcl.Question], ends: float, keep: Path, method: str, model: str
) -> None:
    while todo and time.monotonic() < ends:
        question = todo.pop(0)
        began = time.perf_counter()
        calls, text = await ask(question, TOKENS.get(part, 160))
        _keep(keep, Asked(part, question.id, method, model, tuple(calls), text, round(time.perf_counter() - began, 4)))


def _keep(path: Path, asked: Asked) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(asked)) + "\n")


async def _costs(
    ask: Ask, embedder: Embedder, responder: Responder, arguments: argparse.Namespace, ends: float
) -> None:
    """The time of a choice with new and with known tools, and that of the model to its first token with these tools."""
    asked = bfcl.questions(data_sets() / "agents/bfcl_v4", "multiple", COSTED)
    await embedder.embed(["ready"], "query")
    for question in asked:
        if time.monotonic() > ends:
            return
        times = []
        for _ in range(2):
            began = time.perf_counter()
            await ask(question, 0)
            times.append(time.perf_counter() - began)
        request = ChatRequest("", question.messages, Sampling(max_tokens=1, temperature=0.0), question.tools)
        began = time.perf_counter()
        await collect(await responder.respond(request, context()))
        times.append(time.perf_counter() - began)
        row = tuple((name, value) for name, value in zip(("new", "known", "first token"), times, strict=True))
        _keep(arguments.keep, Asked("multiple", question.id, "cost", arguments.model[0], row, "", times[-1]))


def figures(found: Iterable[Asked]) -> dict[str, Figure]:
    """How many are right, of each part, method and model, with n and a 95 % interval; and what choosing costs."""
    folder = data_sets() / "agents/bfcl_v4"
    known = {part: {each.id: each for each in bfcl.questions(folder, part)} for part in bfcl.PARTS}
    verdicts: dict[tuple[str, str, str], list[bfcl.Verdict]] = {}
    invented: dict[str, list[bool]] = {}
    costs: list[dict[str, float]] = []
    for each in found:
        if each.method == "cost":
            costs.append(dict(each.calls))
        else:
            verdict = bfcl.judge(known[each.part][each.id], each.calls)
            verdicts.setdefault((each.part, each.method, each.model), []).append(verdict)
            if each.part == "irrelevance" and each.method == "native":
                invented.setdefault(each.model, []).append(not each.calls and '"arguments"' in each.text)
    made: dict[str, Figure] = {}
    for (part, method, model), told in sorted(verdicts.items()):
        label = f"{part}, {NAMED[method]}" + ("" if method == "select" else f" {model}")
        wanted = "rightly no call" if part == "irrelevance" else "right tools"
        floor = 0.8 if method != "native" and part in ("multiple", "irrelevance") and model != SMALL else None
        made[f"{label}: {wanted}"] = _share([each.tools for each in told], floor)
        if method != "select" and part != "irrelevance":
            made[f"{label}: arguments exact, too"] = _share([each.exact for each in told], None)
    for model, texts in sorted(invented.items()):
        label = f"irrelevance, {NAMED['native']} {model}: answers that call a tool which does not exist"
        made[label] = dataclasses.replace(_share(texts, None), better="lower")
    for name in ("new", "known"):
        if costs:
            spread = ratios([each[name] for each in costs], [each["first token"] for each in costs])
            against = f"{spread.text(3)} of the time to the first token; {len(costs)} questions, one at a time"
            made[f"choosing among {name} tools, of the model's first token"] = Figure(
                spread.median, "", "lower", against=against
            )
    return made


def _share(right: Sequence[bool], floor: float | None) -> Figure:
    found = wilson(sum(right), len(right))
    return Figure(found.value, "", "higher", floor, against=f"{found.text()}; {len(right)} questions")


def others(methods: Sequence[str]) -> dict[str, Figure]:
    """The reported rows of methods that are not measured now."""
    marks = [f", {NAMED[each]}" if NAMED[each] else "choosing among" for each in NAMED if each not in methods]
    return earlier("tool_choice", lambda name: any(mark in name for mark in marks))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--model", nargs="+", default=[WRITER, SMALL])
    parser.add_argument("--method", nargs="+", default=list(NAMED), choices=NAMED)
    parser.add_argument("--part", nargs="+", default=list(bfcl.PARTS[:4]))
    parser.add_argument("--limit", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        arguments.keep = arguments.keep or Path(folder) / "asked.jsonl"
        for method in () if arguments.report else arguments.method:
            for model in arguments.model if method != "select" else [""]:
                try:
                    asyncio.run(run(arguments, method, model))
                except ModelNotPulled as error:
                    skip(str(error))
        made = {**others(arguments.method), **figures(kept(arguments.keep).values())}
    report("tool_choice", made)


if __name__ == "__main__":
    main()
