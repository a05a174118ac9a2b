"""``mainspring routes``: where the model ``auto`` sends a prompt, and fitting the classifier that helps to decide."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from mainspring.command import opener
from mainspring.core.settings import Settings, load
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.feature import Rooms
    from mainspring.features.evaluate.fit.routing import Question, Row
    from mainspring.serving.route.auto.classifier import Classifier, JudgedPrompt
    from mainspring.serving.route.auto.responder import Auto, AutoDecision

T = TypeVar("T")
app = typer.Typer(
    help="Show where the model `auto` sends a prompt; judge a small model and fit the classifier.",
    epilog="Policies and what they are worth: docs/guides/auto.md.",
    no_args_is_help=True,
)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Out = Annotated[Path, typer.Option("--out", help="The file to write")]


@app.command("explain")
def explain(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="A message of a user")],
    as_json: AsJson = False,
) -> None:
    """Show where `auto` would send a prompt, and the reason. No model is called."""

    async def work(rooms: Rooms) -> AutoDecision:
        from mainspring.core.types import ChatRequest, Context, Message

        request = ChatRequest("auto", (Message("user", prompt),))
        return await _router(rooms).decide(request, Context(rooms.local))

    found = asyncio.run(_with(context, work))
    facts = {name: getattr(found, name) for name in ("model", "by", "score", "cascade", "reason")}
    if as_json:
        show.as_json(facts)
        return
    print(found.header + ("; the answer is checked, and the large model answers again if it is weak" * found.cascade))


@app.command("judge")
def judge(
    context: typer.Context,
    questions: Annotated[Path, typer.Argument(help="JSON lines: prompt, answers, match (contains or number), source")],
    out: Out = Path("routes.jsonl"),
    max_tokens: Annotated[int, typer.Option(min=1, max=4096, help="Tokens of an answer")] = 256,
    as_json: AsJson = False,
) -> None:
    """Ask the small model every question, compare its answers with the references, and write rows for `routes
    train`."""
    from mainspring.features.evaluate.fit import routing

    asked = routing.read_questions(questions)

    async def work(rooms: Rooms) -> list[Row]:
        with show.progress() as progress:
            return await _judge(rooms, asked, max_tokens, lambda done: progress("ask", done, len(asked)))

    rows = asyncio.run(_with(context, work))
    routing.write_rows(out, rows)
    good = sum(row.good for row in rows)
    if as_json:
        show.as_json({"rows": len(rows), "good": good, "out": str(out)})
    else:
        print(f"{good} of {len(rows)} right; written to {out}")


@app.command("collect")
def collect(
    context: typer.Context,
    out: Out = Path("routes.jsonl"),
    tenant: Annotated[str, typer.Option(help="Tenant that owns the answers")] = "default",
    model: Annotated[str, typer.Option(help="Small model", show_default="that of serving.auto")] = "",
    all_feedback: Annotated[
        bool, typer.Option("--all-feedback", help="Include feedback without consent to learning")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write rows for `routes train` from people's feedback on the small model's answers."""
    from mainspring import stores
    from mainspring.features.evaluate.fit.recorded_routes import from_feedback
    from mainspring.features.evaluate.fit.routing import write_rows

    settings = load(context.obj).settings
    name = model or settings.serving.auto.small or next(iter((*settings.models.chat, *settings.models.remote)), "")

    async def work() -> list[Row]:
        async with stores.open(settings) as opened:
            return await from_feedback(opened.events, tenant, name, consented=not all_feedback)

    rows = asyncio.run(work())
    write_rows(out, rows)
    if as_json:
        show.as_json({"rows": len(rows), "good": sum(row.good for row in rows), "out": str(out)})
    else:
        print(f"{len(rows)} rated answers of {name}, {sum(row.good for row in rows)} good; written to {out}")


@app.command("train")
def train(
    context: typer.Context,
    rows: Annotated[list[Path], typer.Argument(help="Files of `routes judge` or `routes collect`")],
    out: Out = Path("router.json"),
    ridge: Annotated[float, typer.Option(min=0.001, help="Precision of the prior on each weight")] = 100.0,
    as_json: AsJson = False,
) -> None:
    """Fit the classifier on one half of the prompts, evaluate it on the other, and write it.

    The saved classifier is fitted on all of them. Name the file in the setting `serving.auto.classifier`.
    """
    from mainspring.features.evaluate.fit.routing import read_rows

    settings = load(context.obj).settings
    read = [row for path in rows for row in read_rows(path)]
    name = settings.serving.auto.small or next(iter((*settings.models.chat, *settings.models.remote)), "")
    found = asyncio.run(_fit(settings, read, name, ridge))
    found.save(out)
    if as_json:
        show.as_json({"out": str(out), **found.card})
        return
    for source, facts in found.card["held_out"].items():
        print(f"{source or 'all'}: {facts}")
    print(f"fitted on {len(read)} prompts\nserving.auto.classifier: {out}")


async def _fit(settings: Settings, rows: Sequence[Row], model: str, ridge: float) -> Classifier:
    from mainspring.engines import builtin
    from mainspring.serving.route.auto.classifier import JudgedPrompt, fit

    embedder = await builtin.embedder(settings)
    try:
        vectors = (await embedder.embed([row.prompt for row in rows], "query")).vectors
    finally:
        await embedder.close()
    judged = [JudgedPrompt(vector, row.prompt, row.good) for vector, row in zip(vectors, rows, strict=True)]
    held = [_held_out(row.prompt) for row in rows]
    half = fit([each for each, out in zip(judged, held, strict=True) if not out], embedder="", model="", ridge=ridge)
    sources = [row.source for row, out in zip(rows, held, strict=True) if out]
    card = {
        "prompts": len(rows),
        "good": sum(row.good for row in rows),
        "sources": sorted({row.source for row in rows}),
        "ridge": ridge,
        "held_out": _worth(half, [each for each, out in zip(judged, held, strict=True) if out], sources),
    }
    return fit(judged, embedder=embedder.name, model=model, ridge=ridge, card=card)


def _held_out(prompt: str) -> bool:
    """Half of the prompts, always the same ones: duplicates are never on both sides."""
    return hashlib.sha256(prompt.encode()).digest()[0] % 2 == 1


def _worth(half: Classifier, judged: Sequence[JudgedPrompt], sources: Sequence[str]) -> dict[str, Any]:
    from mainspring.features.evaluate.fit.routing import signal_quality

    found: dict[str, Any] = {}
    scored = [(half.chance(each.vector, each.text), each.good) for each in judged]
    for source in ("", *sorted(set(sources))):
        mine = [pair for pair, of in zip(scored, sources, strict=True) if source in ("", of)]
        quality = signal_quality(mine)
        interval = None if quality is None else [round(each, 3) for each in (quality.value, quality.low, quality.high)]
        found[source or "all"] = {
            "prompts": len(mine),
            "good": sum(good for _, good in mine),
            "auroc": interval,
        }
    return found


async def _judge(
    rooms: Rooms, asked: Sequence[Question], max_tokens: int, progress: Callable[[int], None]
) -> list[Row]:
    from mainspring.core.types import Context, Sampling
    from mainspring.features.evaluate.fit import routing

    auto = _router(rooms)
    small, signal = auto.models[auto.small].responder, auto.signal
    sampling, gate = Sampling(max_tokens=max_tokens, temperature=0), asyncio.Semaphore(8)
    done = 0

    async def one(question: Question) -> Row:
        nonlocal done
        async with gate:
            row = await routing.ask(small, auto.small, signal, question, Context(rooms.local), sampling)
        done += 1
        progress(done)
        return row

    return list(await asyncio.gather(*map(one, asked)))


def _router(rooms: Rooms) -> Auto:
    from mainspring.core.errors import UnknownModel
    from mainspring.serving.route.auto import NAME
    from mainspring.serving.route.auto.responder import Auto

    served = rooms.path.registry.fixed(NAME, rooms.local)
    if served is None or not isinstance(served.responder, Auto):
        raise UnknownModel("no chat model is configured, so the model auto does not exist", remedy="Set models.chat")
    return served.responder


async def _with(context: typer.Context, work: Callable[[Rooms], Awaitable[T]]) -> T:
    async with _opened(context) as rooms:
        return await work(rooms)


@asynccontextmanager
async def _opened(context: typer.Context) -> AsyncIterator[Rooms]:
    from mainspring.terminal.pulling import pull_missing

    settings = load(context.obj).settings
    pull_missing(settings)
    async with opener(context)(settings) as rooms:
        yield rooms
