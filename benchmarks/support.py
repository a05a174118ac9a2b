"""The support agent on tau2's retail domain: 114 errands of scripted customers, judged by the database at the end.

    MAINSPRING_DATA=... python benchmarks/support.py [--keep FILE] [--side loop ...] [--part development]
                                                     [--task ID ...] [--minutes 5] [--report] [--show]

``support`` is an agent of the loop with the plans of the support agent (``features/support/plans``) over the retail
tools, which are told its policy as data (``_retail_script``); it asks no model. ``loop`` is an agent with the same
tools and the policy as its instruction, on a model that runs here.
Each conversation is kept as a line of JSON in ``--keep``, and those that are there are not held again, so that a long
run can be done in pieces. Twenty tasks (``development``) may be looked at while an agent is made; the other 94
(``report``) are held once, at the end. As the benchmark counts, a task is done if the database is as after the golden
calls and the customer was told what must be told. Customers are scripted (``_scripted_user``): no model speaks for
them, so figures of others, whose customers are played by large models, are no comparison.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import _retail as retail
from _report import Figure, data_sets, report, skip
from _retail_rows import Data
from _retail_script import RetailShop
from _retail_shop import Shop
from _scripted_user import ScriptedUser
from mainspring import engines
from mainspring.agents.agent import Limits, LlmAgent
from mainspring.agents.choice.chooser import made_for
from mainspring.agents.loop.ports import FixedModels, Surroundings
from mainspring.agents.loop.runner import Runner
from mainspring.core.errors import MainspringError, ModelNotPulled
from mainspring.core.settings import load
from mainspring.core.types import ChatRequest, Context, Event, Message, Principal, Request, Response, Sampling, Usage
from mainspring.features.evaluate.answers import wilson
from mainspring.features.support.plans.manager import PlanManager

MODEL = "qwen2.5-coder-1.5b-instruct"
DEVELOPMENT = (
    "0",
    "1",
    "2",
    "3",
    "4",
    "6",
    "7",
    "8",
    "10",
    "11",
    "13",
    "14",
    "15",
    "16",
    "19",
    "20",
    "21",
    "22",
    "23",
    "24",
)
"""The first twenty of the tasks that the benchmark's authors give for training."""
TURNS, WALL_S = 14, 240.0


@dataclass(frozen=True, slots=True)
class Held:
    """A conversation and what came of it. ``seconds`` are those of each turn of the agent."""

    task: str
    side: str
    model: str
    said: tuple[tuple[str, str], ...]
    calls: tuple[tuple[str, Mapping[str, Any]], ...]
    database: bool
    told: bool
    person: bool
    seconds: tuple[float, ...]
    tokens: tuple[int, int]
    error: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.task, self.side, self.model)

    @property
    def done(self) -> bool:
        return self.database and self.told


@dataclass(slots=True)
class Spent:
    """What the calls of models of a conversation used."""

    prompt: int = 0
    completion: int = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Usage):
            self.prompt += event.prompt_tokens
            self.completion += event.completion_tokens


class Side(Protocol):
    """An agent in one conversation."""

    async def answer(self, messages: Sequence[Message], spent: Spent) -> str: ...


@dataclass(slots=True)
class LoopSide:
    """An agent of the loop with the tools of the shop."""

    runner: Runner
    model: str
    state: dict[str, Any] = field(default_factory=dict)

    async def answer(self, messages: Sequence[Message], spent: Spent) -> str:
        request = ChatRequest(self.model, tuple(messages), Sampling(max_tokens=300, temperature=0.0))
        context = Context(Principal("default", "benchmark"))
        outcome = await self.runner.run(request, context, state=self.state, emit=spent)
        return outcome.text


class NoModel:
    """Stands where no model is to be asked."""

    async def respond(self, request: Request, context: Context) -> Response:  # noqa: ARG002
        raise AssertionError("the plans ask no model")

    def fingerprint(self, request: Request, context: Context) -> str | None:  # noqa: ARG002
        return None


Make = Any
"""``Callable[[Shop], Side]``"""


@asynccontextmanager
async def sides(side: str, model: str, policy: str) -> AsyncIterator[Make]:
    """How to make an agent for a shop; its model is loaded meanwhile."""
    if side == "support":
        manager = PlanManager(RetailShop())
        models = Surroundings(FixedModels({model: NoModel()}))

        def planned(shop: Shop) -> Side:
            agent = LlmAgent(
                name="support",
                instruction=policy,
                tools=shop.tools(),
                chooser=manager,
                limits=Limits(steps=200, wall_s=90.0),
            )
            return LoopSide(Runner(agent, models), model)

        yield planned
        return
    settings = load().settings
    served = settings.models.model_copy(update={"chat": (model,)})
    async with engines.open(settings.model_copy(update={"models": served})) as opened:
        around = Surroundings(FixedModels({model: opened.chat[model].responder}), chooser=made_for(opened.embedder))

        def loop(shop: Shop) -> Side:
            agent = LlmAgent(
                name="retail",
                instruction=policy,
                tools=shop.tools(),
                reasoning="native" if side == "loop" else "choice",
                limits=Limits(steps=12, wall_s=90.0),
            )
            return LoopSide(Runner(agent, around), model)

        yield loop


async def converse(task: retail.Task, data: Data, make: Make, side: str, model: str) -> Held:
    """One conversation to its end."""
    shop = Shop(data)
    agent: Side = make(shop)
    user = ScriptedUser.of(task.reason, task.known, task.unknown, task.behaviour)
    messages = [Message("user", user.opening())]
    spent, seconds, error = Spent(), [], ""
    began = time.monotonic()
    for _ in range(TURNS):
        started = time.monotonic()
        try:
            said = await agent.answer(messages, spent)
        except MainspringError as failed:
            error = str(failed)
            break
        seconds.append(round(time.monotonic() - started, 2))
        messages.append(Message("assistant", said))
        answer = user.answer(said)
        if answer is None or time.monotonic() - began > WALL_S:
            break
        messages.append(Message("user", answer))
    got = retail.reached(task, data, shop, [each.content for each in messages if each.role == "assistant"])
    return Held(
        task.id,
        side,
        model,
        tuple((each.role, each.content) for each in messages),
        tuple(shop.calls),
        got.database,
        got.told,
        got.person,
        tuple(seconds),
        (spent.prompt, spent.completion),
        error,
    )


def kept(path: Path) -> dict[tuple[str, str, str], Held]:
    """The conversations held before."""
    if not path.exists():
        return {}
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        held = Held(**{name: _tuples(value) for name, value in json.loads(line).items()})
        found[held.key] = held
    return found


def _tuples(value: Any) -> Any:
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value


def wanted(tasks: Sequence[retail.Task], part: str, ids: Sequence[str]) -> list[retail.Task]:
    """The tasks of a part, or those with these ``ids``."""
    if ids:
        return [each for each in tasks if each.id in ids]
    if part == "all":
        return list(tasks)
    return [each for each in tasks if (each.id in DEVELOPMENT) == (part == "development")]


async def run(arguments: argparse.Namespace, side: str) -> None:
    """Hold the conversations that are not kept."""
    folder = data_sets() / "agents/tau2_bench/retail"
    data = retail.database(folder)
    before = kept(arguments.keep)
    tasks = wanted(retail.tasks(folder), arguments.part, arguments.task)
    todo = [each for each in tasks if (each.id, side, arguments.model) not in before]
    if not todo:
        return
    ends = time.monotonic() + 60 * arguments.minutes
    policy = (folder / "policy.md").read_text(encoding="utf-8")
    async with sides(side, arguments.model, policy) as make:
        while todo and time.monotonic() < ends:
            held = await converse(todo.pop(0), data, make, side, arguments.model)
            with arguments.keep.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(held)) + "\n")
            if arguments.show:
                show(held)
    print(f"{side}: {len(todo)} left", flush=True)


def show(held: Held) -> None:
    """Print a conversation."""
    print(f"\n=== {held.task} {held.side}: database {held.database}, told {held.told}, person {held.person}")
    for role, text in held.said:
        print(f"{role}: {text}")
    for name, arguments in held.calls:
        print(f"  {name} {json.dumps(arguments)}")
    print(f"  {held.seconds} s, {held.tokens} tokens {held.error}")


def figures(found: Sequence[Held], tasks: Mapping[str, retail.Task]) -> dict[str, Figure]:
    """Shares with n and a 95 % interval, of the tasks that were not looked at, of all, and by what they change."""
    made: dict[str, Figure] = {}
    for side, model in sorted({(each.side, each.model) for each in found}):
        mine = [each for each in found if (each.side, each.model) == (side, model)]
        label = f"{side} on {model}" if any(sum(each.tokens) for each in mine) else f"{side}, no model asked"
        unseen = [each for each in mine if each.task not in DEVELOPMENT]
        floor = 0.7 if side == "support" else None
        if unseen:
            made[f"{label}: done, not looked at"] = share([each.done for each in unseen], floor, "tasks")
        made[f"{label}: done, all"] = share([each.done for each in mine], None, "tasks")
        made[f"{label}: database reached"] = share([each.database for each in mine], None, "tasks")
        for kind in sorted({_kind(tasks[each.task]) for each in mine}):
            chosen = [each.done for each in mine if _kind(tasks[each.task]) == kind]
            made[f"{label}: done, {kind}"] = share(chosen, None, "tasks")
        made[f"{label}: calls of models that failed or took too long"] = Figure(
            sum(bool(each.error) for each in mine), "tasks", "lower", against=f"{len(mine)} tasks"
        )
        seconds = sorted(second for each in mine for second in each.seconds)
        if seconds:
            against = f"p95 {seconds[int(0.95 * (len(seconds) - 1))]:.1f} s; {len(seconds)} turns"
            made[f"{label}: turn, median"] = Figure(seconds[len(seconds) // 2], "s", "lower", against=against)
        tokens = sum(sum(each.tokens) for each in mine) / len(mine)
        made[f"{label}: tokens a task"] = Figure(round(tokens), "tokens", "lower", against=f"{len(mine)} tasks")
    return made


def _kind(task: retail.Task) -> str:
    kinds = {name.split("_")[0] for name in task.writes}
    return "nothing to change" if not kinds else next(iter(kinds)) if len(kinds) == 1 else "several kinds of changes"


def share(right: Sequence[bool], floor: float | None, what: str) -> Figure:
    """How many of them, with the interval."""
    found = wilson(sum(right), len(right))
    return Figure(found.value, "", "higher", floor, 0.85 if floor else None, f"{found.text()}; {len(right)} {what}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", type=Path, default=Path("support.jsonl"))
    parser.add_argument("--side", nargs="+", default=["support"], choices=("loop", "choice", "support"))
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--part", default="all", choices=("development", "report", "all"))
    parser.add_argument("--task", nargs="*", default=[])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--show", action="store_true")
    arguments = parser.parse_args()
    if not arguments.report:
        for side in arguments.side:
            try:
                asyncio.run(run(arguments, side))
            except ModelNotPulled as error:
                skip(str(error))
    tasks = {each.id: each for each in retail.tasks(data_sets() / "agents/tau2_bench/retail")}
    made = figures(list(kept(arguments.keep).values()), tasks)
    if arguments.report:
        report("support", made)
    else:
        for name, figure in made.items():
            print(f"{figure.value:.3f} {name} ({figure.against})")


if __name__ == "__main__":
    main()
