"""``mainspring eval benchmark``: a public benchmark from a local file, through any responder."""

from __future__ import annotations

import asyncio
import hashlib
import math
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.command import opener
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.command import Opener
    from mainspring.core.settings import Settings
    from mainspring.features.evaluate.capabilities.answer_cache import AnswerCache
    from mainspring.features.evaluate.capabilities.benchmark import Benchmark, Item
    from mainspring.features.evaluate.capabilities.sheet import Outcome

REMOTE = "benchmark-target"


def benchmarks(as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False) -> None:
    """List the benchmarks with what they measure and where their files are to be had."""
    from mainspring.features.evaluate.capabilities.catalogue import BENCHMARKS

    if as_json:
        show.as_json(
            [
                {
                    "name": each.name,
                    "about": each.about,
                    "group": each.group,
                    "metrics": [metric.name for metric in each.metrics],
                    "ways": list(each.ways),
                    "cluster": each.cluster,
                    "extraction": each.extraction,
                    "source": each.source,
                    "licence": each.licence,
                }
                for each in BENCHMARKS.values()
            ]
        )
        return
    show.table(
        ("NAME", "GROUP", "ABOUT", "FILE", "LICENCE"),
        [(each.name, each.group, each.about, each.source, each.licence) for each in BENCHMARKS.values()],
    )


def benchmark(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="BENCHMARK", help="A name of `eval benchmarks`")],
    file: Annotated[Path, typer.Argument(help="Its file, in its public format; may be gzipped", exists=True)],
    responder: Annotated[str, typer.Option(help="A model, route, collection or agent; with --url, its model")],
    url: Annotated[str, typer.Option("--url", help="Ask an OpenAI-compatible endpoint")] = "",
    key: Annotated[str, typer.Option("--key", envvar="BENCHMARK_KEY", help="Its API key", show_default=False)] = "",
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="Maximum number of items, drawn by the seed (0: all)")
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="File of the run, which is continued", show_default="BENCHMARK.RESPONDER.jsonl"),
    ] = None,
    how: Annotated[
        str, typer.Option(help="The way of asking: one of the benchmark's", show_default="the best possible")
    ] = "",
    samples: Annotated[int, typer.Option(min=1, max=200, help="Number of answers to each item")] = 1,
    temperature: Annotated[float, typer.Option(min=0, max=2, help="0 is greedy")] = 0.0,
    tokens: Annotated[int, typer.Option(min=0, help="Maximum tokens of an answer (0: the benchmark's)")] = 0,
    at_once: Annotated[int, typer.Option("--at-once", min=1, max=64, help="Items asked at the same time")] = 4,
    seed: Annotated[int, typer.Option(help="Seed of the order of items, and of sampling")] = 0,
    minutes: Annotated[float, typer.Option(min=0, help="Stop asking after this many minutes (0: ask all)")] = 0.0,
    cache: Annotated[bool, typer.Option(help="Reuse answers of earlier runs")] = True,
    report: Annotated[Path | None, typer.Option(help="Also write the tables, as Markdown")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
) -> None:
    """Run a public benchmark from FILE, and report its metrics with 95 % intervals.

    The outcomes are in the file of the run, one a line. A run that was stopped goes on when it is started again; with a
    larger --limit it asks for more. After --minutes it waits for what it has asked, and reports the first items up to
    there: quick answers have no better chance to be among them. The exit status is 3 if some items could not be asked.
    """
    from mainspring.core.errors import InvalidRequest
    from mainspring.features.evaluate.capabilities import report as reports
    from mainspring.features.evaluate.capabilities.catalogue import benchmark as named
    from mainspring.statistics.significance import stats_library

    stats_library()
    wanted = named(name)
    job = Job(
        wanted, file, responder, url, limit, samples, temperature, tokens or wanted.tokens, seed, at_once, how, minutes
    )
    place = out or Path(f"{name}.{''.join(c if c.isalnum() or c in '.-_' else '-' for c in responder)}.jsonl")
    run, outcomes = _run(context, job, key, place, cached=cache)
    if not outcomes:
        raise InvalidRequest("nothing was answered in time", param="minutes", remedy="Give more --minutes")
    found = reports.figures(wanted, outcomes)
    text = reports.markdown(wanted, run, found)
    if report is not None:
        report.write_text(text, encoding="utf-8")
    if as_json:
        show.as_json(reports.as_json(run, found) | {"out": str(place)}, ok=not found.errors)
    else:
        print(show.printable(text), end="")
    if found.errors:
        raise typer.Exit(show.PARTLY)


@dataclass(frozen=True, slots=True)
class Job:
    """The arguments of a run."""

    benchmark: Benchmark
    file: Path
    responder: str
    url: str
    limit: int
    samples: int
    temperature: float
    tokens: int
    seed: int
    at_once: int
    how: str = ""
    minutes: float = 0.0

    @property
    def model(self) -> str:
        """The name under which the responder is served here."""
        return REMOTE if self.url else self.responder

    def run(self) -> dict[str, Any]:
        """What makes two runs the same."""
        return {
            "benchmark": self.benchmark.name,
            "version": self.benchmark.version,
            "file": _digest(self.file),
            "model": self.responder,
            "url": self.url,
            "samples": self.samples,
            "temperature": self.temperature,
            "tokens": self.tokens,
            "seed": self.seed,
        }


def _digest(path: Path) -> str:
    files = sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]
    found = hashlib.sha256()
    for each in files:
        found.update(each.name.encode() + each.read_bytes())
    return found.hexdigest()[:16]


def _run(
    context: typer.Context, job: Job, key: str, out: Path, *, cached: bool
) -> tuple[dict[str, Any], list[Outcome]]:
    from mainspring.core.settings import load
    from mainspring.features.evaluate.capabilities.answer_cache import AnswerCache
    from mainspring.features.evaluate.capabilities.run import drawn

    items = drawn(job.benchmark.read(job.file), job.limit, job.seed)
    loaded = load(context.obj).settings
    settings = _settings(loaded, job, key)
    with ExitStack() as stack:
        cache = AnswerCache(loaded.home / "benchmarks" / "answers.sqlite") if cached else None
        if cache is not None:
            stack.callback(cache.close)
        if settings.models.chatting == (job.model,):
            # A model needs nothing of a home, so the home's other users need not wait.
            home = stack.enter_context(tempfile.TemporaryDirectory(prefix="mainspring-benchmark-"))
            settings = settings.model_copy(update={"home": Path(home)})
        return asyncio.run(_asked(opener(context), settings, job, items, cache, out))


def _settings(settings: Settings, job: Job, key: str) -> Settings:
    """Settings that serve the responder; of the chat models only this one, if it is one. Its home is then temporary."""
    from mainspring.core.settings.endpoints import RemoteModel

    if job.url:
        remote = {**settings.models.remote, REMOTE: RemoteModel(url=job.url, model=job.responder, api_key=key)}
        settings = settings.model_copy(update={"models": settings.models.model_copy(update={"remote": remote})})
    told = job.how in ("", "prompt-logprobs") and "prompt-logprobs" in job.benchmark.ways
    return serving_alone(settings, job.model, prompt_logprobs=told)


def serving_alone(settings: Settings, model: str, *, prompt_logprobs: bool) -> Settings:
    """Settings that serve of the chat models only ``model``, if it is one, and pull it; else those that there are.
    ``prompt_logprobs``: it tells the log-probabilities of a prompt."""
    from mainspring.engines.catalogue.entries import Catalogue
    from mainspring.terminal.pulling import pull_missing

    models, engines = settings.models, settings.engines
    if model in models.remote:
        models = models.model_copy(update={"chat": (), "larger": ""})
    elif model in models.chat or model in Catalogue.load(settings):
        models = models.model_copy(update={"chat": (model,), "larger": ""})
    if prompt_logprobs:
        # What is in the prefix cache is not read again, and has no log-probabilities.
        engines = engines.model_copy(update={"prefix_cache": False})
    settings = settings.model_copy(update={"models": models, "engines": engines})
    pull_missing(settings)
    return settings


async def _asked(
    open_rooms: Opener, settings: Settings, job: Job, items: Sequence[Item], cache: AnswerCache | None, out: Path
) -> tuple[dict[str, Any], list[Outcome]]:
    from mainspring.features.evaluate.capabilities.asking import Target, way_of
    from mainspring.features.evaluate.capabilities.marking import Marker
    from mainspring.features.evaluate.capabilities.run import run as ran
    from mainspring.features.evaluate.capabilities.sheet import Sheet

    async with open_rooms(settings) as rooms:
        target = Target(rooms.responder, job.model, rooms.local, job.temperature, job.seed, job.tokens, cache)
        model = rooms.engines.chat.get(job.model)
        way = way_of(job.benchmark, items, model.engine.capabilities if model is not None else None, job.how)
        run = {**job.run(), "way": way}
        marker = Marker(rooms.engines.embedder)
        with Sheet.open(out, run) as sheet, show.progress() as progress:
            found = await ran(
                job.benchmark,
                items,
                target,
                sheet,
                way,
                marker=marker,
                samples=job.samples,
                at_once=job.at_once,
                until=time.monotonic() + 60 * job.minutes if job.minutes else math.inf,
                progress=lambda done, total: progress("Asking", done, total),
            )
        await marker.aclose()
        return run, found
