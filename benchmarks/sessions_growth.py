"""How conversations grow: tokens of a prompt, its reuse of the one before, cost of its first token, and recall of
planted facts, by turn and strategy.

    .venv/bin/python benchmarks/sessions_growth.py                    # 20 reported facts, 3 conversations of 200 turns
    .venv/bin/python benchmarks/sessions_growth.py --development      # the facts that weights were looked at with

Real tokenizer, embedder and stores; turns are settled as if they had been answered. A fact counts as recalled where the
prompt that asks for it holds its answer: whether a model then uses it is the model's. With ``--prefill`` the default
chat model reads each strategy's prompts at the first and the last mark, two of neighbouring turns each: the second
finds most of the first in the engine's prefix cache.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from _dialogues import DEVELOPMENT, REPORTED, Fact, planted, public, written
from _report import Figure, report
from mainspring.core.path import collect, replay
from mainspring.core.settings import Settings
from mainspring.core.types import ChatRequest, Context, Finish, Head, Message, Request, Response, Sampling
from mainspring.serving.memory.keeper import Keeper, KeptConversation
from mainspring.serving.memory.layer import Session, stored_name
from mainspring.serving.memory.strategies import STRATEGIES
from mainspring.stores.sessions.turns import SessionTurn
from mainspring.system import LOCAL, System

MODEL = "smollm2-135m-instruct"
MARKS = (25, 50, 100, 150, 200)
EARLY = 20


class Capture:
    """Keeps the messages that a model would get."""

    def __init__(self) -> None:
        self.messages: tuple[Message, ...] = ()

    async def respond(self, request: Request, context: Context) -> Response:  # noqa: ARG002
        assert isinstance(request, ChatRequest)
        self.messages = request.messages
        return Response(Head(request.model), replay([Finish("stop")]))

    def fingerprint(self, request: Request, context: Context) -> str | None:  # noqa: ARG002
        return None


@dataclass
class Seen:
    """What one strategy did in all conversations. Lists by mark, or one entry a turn."""

    tokens: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    recalled: dict[int, list[bool]] = field(default_factory=lambda: defaultdict(list))
    first: list[bool] = field(default_factory=list)
    early: list[list[int]] = field(default_factory=list)
    shared: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    ttft: dict[int, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))


class Conversation:
    """One conversation under one strategy."""

    def __init__(self, system: System, keeper: Keeper, strategy: str, name: str, seen: Seen) -> None:
        self.system, self.keeper, self.strategy, self.name, self.seen = system, keeper, strategy, name, seen
        self.capture = Capture()
        self.layer = Session(
            self.capture, system.stores.sessions, system.settings.sessions, registry=system.registry, keeper=keeper
        )
        settings = system.settings.sessions
        chosen = STRATEGIES[strategy]  # type: ignore[index]
        shares = chosen.shares(settings.max_tokens, settings.summary_tokens, settings.recalled_tokens)
        stored = stored_name(LOCAL, name)
        self.kept = KeptConversation(LOCAL.tenant, stored, MODEL, chosen, shares, Context(LOCAL))
        self.before: tuple[Message, ...] = ()
        self.early: list[int] = []
        seen.early.append(self.early)

    def request(self, text: str, **fields: object) -> ChatRequest:
        options = {"session": {"strategy": self.strategy}, "cache": False}
        return ChatRequest(
            MODEL,
            (Message("user", text),),
            Sampling(max_tokens=16),
            session_id=self.name,
            store=False,
            options=options,
            **fields,  # type: ignore[arg-type]
        )

    async def prompt(self, text: str) -> tuple[Message, ...]:
        await collect(await self.layer.respond(self.request(text), Context(LOCAL)))
        return self.capture.messages

    async def turn(self, number: int, asked: str, answered: str) -> None:
        started = time.process_time()
        shown = await self.prompt(asked)
        self.seen.cpu_ms.append((time.process_time() - started) * 1e3)
        if number <= EARLY:
            self.early.append(sum(await self.keeper.tokens.counter(MODEL)(shown)))
        if number > 40:
            self.seen.shared.append(_shared(self.before, shown))
        self.before = shown
        said = Message("user", asked), Message("assistant", answered)
        turn = SessionTurn(LOCAL.tenant, self.kept.session_id, said, f"{self.name}-{number}", float(number))
        await self.system.stores.events.settle([], [turn])
        if self.kept.strategy.summarises:
            self.keeper.after(self.kept)
            await self.keeper.idle()

    async def mark(self, number: int, told: Sequence[Fact]) -> None:
        count = self.keeper.tokens.counter(MODEL)
        for index, fact in enumerate(told):
            shown = await self.prompt(fact.asked)
            found = fact.answer in "\n".join(each.content for each in shown)
            self.seen.recalled[number].append(found)
            if index == 0:
                self.seen.first.append(found)
                self.seen.tokens[number].append(sum(await count(shown)))

    async def prefill(self, number: int, texts: Sequence[str]) -> None:
        for text in texts:
            cpu, started = _children_cpu(), time.perf_counter()
            request = self.request(text)
            answer = await self.system.respond(request, Context(LOCAL))
            async with answer:
                async for _ in answer:
                    break
                wall = time.perf_counter() - started
            self.seen.ttft[number].append((wall, _children_cpu() - cpu))


def _shared(before: Sequence[Message], after: Sequence[Message]) -> float:
    """The share of ``after`` that is the beginning of ``before``, by characters of whole messages."""
    same = 0
    for old, new in zip(before, after, strict=False):
        if old != new:
            break
        same += len(new.content)
    return same / max(1, sum(len(each.content) for each in after))


def _children_cpu() -> float:
    """CPU seconds of this process's living children."""
    mine, total = os.getpid(), 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == mine:
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


async def run(options: argparse.Namespace) -> dict[str, Seen]:
    facts = DEVELOPMENT if options.development else REPORTED
    found: dict[str, Seen] = {name: Seen() for name in STRATEGIES}
    with tempfile.TemporaryDirectory() as home:
        sessions = {"max_tokens": options.tokens, "summariser": options.summariser}
        settings = Settings.model_validate({"home": home, "sessions": sessions})
        async with System.open(settings) as system:
            keeper = _keeper(system)
            for seed in range(options.conversations):
                draw = random.Random(seed)
                places = [0, *sorted(draw.sample(range(1, options.turns - 5), len(facts) - 1))]
                ordered = draw.sample(facts, len(facts))
                talk = planted(_talk(options, seed), ordered, places)
                for name, seen in found.items():
                    each = Conversation(system, keeper, name, f"{name}-{seed}", seen)
                    for number, (asked, answered) in enumerate(talk, 1):
                        await each.turn(number, asked, answered)
                        if number in MARKS:
                            await each.mark(number, ordered[: sum(place < number for place in places)])
                            if options.prefill and seed == 0 and number in (MARKS[0], MARKS[-1]):
                                await each.prefill(number, [f"Go on, {number}.", f"And more, {number}?"])
                    print(f"{name}, conversation {seed}: {sum(seen.recalled[MARKS[-1]])} recalled so far", flush=True)
    return found


def _keeper(system: System) -> Keeper:
    """The system's own keeper, from within its ring."""
    responder: object = system.responder
    while not isinstance(responder, Session):
        responder = responder.inner  # type: ignore[attr-defined]
    assert responder._keeper is not None
    return responder._keeper


def _talk(options: argparse.Namespace, seed: int) -> list[tuple[str, str]]:
    folder = Path(os.environ.get("MAINSPRING_DATA", "")) / "dialogues"
    try:
        return public(folder, options.turns, seed)
    except FileNotFoundError:
        return written(options.turns, seed)


def figures(found: dict[str, Seen], source: str) -> dict[str, Figure]:
    made: dict[str, Figure] = {}
    end = MARKS[-1]
    for name, seen in found.items():
        told = seen.recalled[end]
        made[f"{name}: facts in the prompt, turn {end}"] = Figure(
            statistics.fmean(told), "share", "higher", against=f"{len(told)} questions in {source}"
        )
        made[f"{name}: the fact of turn 1, all marks"] = Figure(statistics.fmean(seen.first), "share", "higher")
        made[f"{name}: prompts of twenty turns, over that of one"] = Figure(
            statistics.median(sum(each) / each[0] for each in seen.early),
            "x",
            "lower",
            against="tokens; without instructions, which would stand before every turn",
        )
        for mark in (MARKS[0], end):
            made[f"{name}: prompt, turn {mark}"] = Figure(statistics.fmean(seen.tokens[mark]), "tokens", "lower")
        made[f"{name}: most tokens of a prompt"] = Figure(
            max(max(each) for each in seen.tokens.values()), "tokens", "lower"
        )
        made[f"{name}: prompt that is the beginning of the one before"] = Figure(
            statistics.fmean(seen.shared), "share", "higher", against="turns 41 to 200"
        )
        made[f"{name}: composing a prompt, median"] = Figure(statistics.median(seen.cpu_ms), "ms CPU", "lower")
        for mark, (first, second) in seen.ttft.items():
            label = f"{name}: engine to the first token, turn {mark}"
            made[label] = Figure(first[1], "s CPU", "lower", against=f"{first[0]:.2f} s of the clock")
            made[f"{label}, the next one"] = Figure(
                second[1], "s CPU", "lower", against=f"{second[0]:.2f} s of the clock, prefix cache"
            )
    return made


def table(found: dict[str, Seen]) -> str:
    lines = [f"{'recalled by turn':<24}" + "".join(f"{mark:>8}" for mark in MARKS)]
    for name, seen in found.items():
        lines.append(f"{name:<24}" + "".join(f"{statistics.fmean(seen.recalled[mark]):>8.2f}" for mark in MARKS))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--development", action="store_true", help="with the facts for looking at; no result is kept")
    parser.add_argument("--conversations", type=int, default=3)
    parser.add_argument("--turns", type=int, default=MARKS[-1])
    parser.add_argument("--tokens", type=int, default=2048, help="history in a prompt")
    parser.add_argument("--summariser", default="extractive")
    parser.add_argument("--prefill", action="store_true", help="let the chat model read the prompts")
    options = parser.parse_args()
    found = asyncio.run(run(options))
    print(table(found))
    public_ones = (Path(os.environ.get("MAINSPRING_DATA", "")) / "dialogues").is_dir()
    source = "Taskmaster-4 dialogues" if public_ones else "written dialogues"
    made = figures(found, source)
    if options.development:
        for label, figure in made.items():
            print(f"{label:<60} {figure.value:.3f} {figure.unit}")
    else:
        report("sessions_growth", made)


if __name__ == "__main__":
    main()
