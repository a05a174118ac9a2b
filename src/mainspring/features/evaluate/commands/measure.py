"""``mainspring eval``: measures retrieval and refusal, and lists the data sets for it."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mainspring.core.settings import Settings, load
from mainspring.features.evaluate.commands import answers, benchmark, gate, logs, online, perplexity, texts
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.features.evaluate.ablate.ablation import Ablation
    from mainspring.features.evaluate.ablate.arms import Arm
    from mainspring.features.evaluate.fit.evidence import EvidenceRow
    from mainspring.features.evaluate.fit.refusal import Refusal
    from mainspring.features.evaluate.sets.collections import JudgedCollection

app = typer.Typer(
    help="Measure retrieval, refusal and answers on judged collections, and texts against references.",
    epilog="Layouts, measures and what they are worth: docs/guides/evaluation.md. Needs the extra `eval`.",
    no_args_is_help=True,
)
Split = Literal["development", "reported", "all"]
_HALVES: tuple[Split, Split] = ("development", "reported")
Source = Annotated[str, typer.Argument(metavar="COLLECTION", help="A name of `eval collections`, or a folder")]
Data = Annotated[Path | None, typer.Option("--data", help="Folder of the data sets", show_default="$MAINSPRING_DATA")]
Half = Annotated[Split, typer.Option("--split", help="Queries to use; inspect and tune on development only")]
Limit = Annotated[int, typer.Option("--limit", min=0, help="Maximum number of queries, evenly spaced (0: all)")]
Out = Annotated[Path | None, typer.Option("--out", help="Also write the results, as JSON or (.md) as Markdown")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]


app.command("answers")(answers.answers)
app.command("texts")(texts.texts)
app.command("online")(online.online)
app.command("perplexity")(perplexity.perplexity)
app.command("benchmark")(benchmark.benchmark)
app.command("benchmarks")(benchmark.benchmarks)
app.command("gate")(gate.gate)
app.command("import-log")(logs.import_log)


@app.command("collections")
def collections(as_json: AsJson = False) -> None:
    """List the judged collections with built-in names."""
    from mainspring.features.evaluate.sets.loading import named

    rows = [(name, about) for name, (about, _) in named().items()]
    if as_json:
        show.as_json([{"name": name, "about": about} for name, about in rows])
        return
    show.table(("NAME", "ABOUT"), rows)


@app.command("rag")
def rag(
    context: typer.Context,
    collection: Source,
    chunkers: Annotated[
        str, typer.Option(help="Chunkers, such as `structure,fixed,small:chunk_tokens=64`")
    ] = "default",
    retrievers: Annotated[str, typer.Option(help="Of bm25, dense, hybrid, or `rrf:fusion=rrf`")] = "default",
    expansions: Annotated[str, typer.Option(help="Techniques, such as `none,spelling+acronyms,hyde`")] = "none",
    rerankers: Annotated[str, typer.Option(help="Rerankers, such as `off,late,ms-marco-minilm-l6-v2`")] = "default",
    k: Annotated[int, typer.Option("--k", min=1, max=1000, help="Cut of the metrics")] = 10,
    metrics: Annotated[
        str, typer.Option(help="Metrics, the deciding one first", show_default="ndcg@k and others")
    ] = "",
    baseline: Annotated[str, typer.Option(help="Arm to compare with", show_default="the first")] = "",
    split: Half = "development",
    limit: Limit = 0,
    chat: Annotated[bool, typer.Option("--chat", help="Load the chat models (for techniques that write)")] = False,
    one_at_a_time: Annotated[
        bool,
        typer.Option(
            "--one-at-a-time", help="Vary one axis at a time from the first values instead of all combinations"
        ),
    ] = False,
    keep: Annotated[Path | None, typer.Option(help="Folder for vectors, so that no run embeds a passage twice")] = None,
    data: Data = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Compare combinations of chunker, retriever, expansion and reranker on one collection.

    For each it shows metrics with 95 % intervals, a paired significance test against the baseline (corrected for the
    number of arms), tokens and milliseconds per query, and the size of its index.
    """
    from mainspring.features.evaluate.ablate import report
    from mainspring.statistics import ranking as measures

    measures.library()
    settings = _settings(context, chat=chat)
    judged = _judged(context, collection, data, split, limit)
    axes = {"chunkers": chunkers, "retrievers": retrievers, "expansions": expansions, "rerankers": rerankers}
    grid = _grid(settings, axes, one_at_a_time)
    found = asyncio.run(_ablate(settings, judged, grid, k, _words(metrics), baseline, split, keep))
    _write(out, report.as_json(found), report.markdown(found))
    if as_json:
        show.as_json(report.as_json(found))
    else:
        _table(found)


@app.command("refusal")
def refusal(
    context: typer.Context,
    collection: Source = "squad-refusal",
    split: Half = "development",
    limit: Limit = 0,
    data: Data = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Measure how well the evidence separates answerable questions from others: AUROC, and risk against coverage.

    Answers are extractive: no chat model is loaded.
    """
    from mainspring.features.evaluate.fit.refusal import as_json as facts

    settings = _settings(context, chat=False)
    judged = _judged(context, collection, data, split, limit)
    found = asyncio.run(_refuse(settings, judged))
    _write(out, facts(found), "```\n" + _refusal_text(found) + "```\n")
    if as_json:
        show.as_json(facts(found))
    else:
        print(_refusal_text(found), end="")


def _grid(settings: Settings, axes: Mapping[str, str], one_at_a_time: bool) -> list[Arm]:
    from mainspring.features.evaluate.ablate import arms

    words = {name: _words(text) for name, text in axes.items()}
    return arms.grid(**words, one_at_a_time=one_at_a_time, base=settings.rag)


@app.command("calibrate")
def calibrate(
    context: typer.Context,
    collection: Source,
    out: Annotated[Path, typer.Option("--out", help="The file to write")] = Path("calibration.json"),
    refused: Annotated[
        float, typer.Option(min=0, max=0.99, help="Maximum share of answerable questions that are refused")
    ] = 0.05,
    risk: Annotated[
        float | None, typer.Option(min=0, max=1, help="Maximum share of wrong answers, instead of --refused")
    ] = None,
    limit: Limit = 0,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Fit the evidence and its threshold on a collection's development half, and evaluate them on the other half.

    The file goes into the setting `rag.calibration`. Labels are the questions' kinds: answerable, near_miss, off_topic.
    """
    from mainspring.features.evaluate.fit import evidence as fitting

    settings = _settings(context, chat=False)
    halves = [_judged(context, collection, data, split, limit) for split in _HALVES]
    rows, names = asyncio.run(_asked(settings, halves))
    found = fitting.calibrate(
        halves[0].name,
        rows[0],
        rows[1],
        refused=refused,
        risk=risk,
        refuse_below=settings.rag.refuse_below,
        embedder=names[0],
        reranker=names[1],
    )
    found.calibration.save(out)
    if as_json:
        show.as_json(fitting.facts(found))
        return
    print(f"fitted on {found.fitted_on} questions\n\nbuilt-in evidence, {_refusal_text(found.built_in)}")
    print(f"fitted evidence, {_refusal_text(found.fitted)}")
    print(fitting.plot({"built in": found.built_in.curve, "fitted": found.fitted.curve}))
    print(f"\nrag.calibration: {out}")


async def _asked(
    settings: Settings, halves: Sequence[JudgedCollection]
) -> tuple[list[list[EvidenceRow]], tuple[str, str]]:
    """The rows of each half, and the names of embedder and reranker."""
    from mainspring import engines
    from mainspring.features.evaluate.ablate import workbench
    from mainspring.features.evaluate.ablate.ablation import apart
    from mainspring.features.evaluate.fit import evidence as fitting

    changed = {"refuse_below": 0.0, "mode": "extractive", "calibration": None}
    rag = settings.rag.model_copy(update=changed)
    with tempfile.TemporaryDirectory(prefix="mainspring-eval-") as home:
        async with (
            engines.open(settings) as opened,
            workbench.open(apart(settings, Path(home), rag), opened) as bench,
        ):
            with show.progress() as progress:
                progress("index", 0, 1)
                await bench.fill(halves[0].documents)
                progress("index", 1, 1)
                rows = [
                    await fitting.gather(bench, half, lambda done, total: progress("ask", done, total))
                    for half in halves
                ]
            return rows, (opened.embedder.name, opened.reranker.name if opened.reranker else "")


async def _ablate(
    settings: Settings,
    judged: JudgedCollection,
    grid: Sequence[Arm],
    k: int,
    metrics: tuple[str, ...],
    baseline: str,
    split: Split,
    keep: Path | None,
) -> Ablation:
    from mainspring import engines
    from mainspring.features.evaluate.ablate import ablation
    from mainspring.features.evaluate.ablate.vector_cache import KeptEmbedder

    _pull_rerankers(settings, grid)
    async with engines.open(settings) as opened:
        if keep is not None:
            opened = replace(opened, embedder=KeptEmbedder(opened.embedder, keep))
        with show.progress() as progress:
            return await ablation.ablate(
                judged,
                grid,
                settings,
                opened,
                k=k,
                metrics=metrics,
                baseline=baseline,
                split=split,
                progress=progress,
            )


async def _refuse(settings: Settings, judged: JudgedCollection) -> Refusal:
    from mainspring import engines
    from mainspring.features.evaluate.ablate import workbench
    from mainspring.features.evaluate.ablate.ablation import apart
    from mainspring.features.evaluate.fit import refusal

    rag = settings.rag.model_copy(update={"refuse_below": 0.0, "mode": "extractive"})
    with tempfile.TemporaryDirectory(prefix="mainspring-eval-") as home:
        async with (
            engines.open(settings) as opened,
            workbench.open(apart(settings, Path(home), rag), opened) as bench,
        ):
            with show.progress() as progress:
                progress("index", 0, 1)
                await bench.fill(judged.documents)
                progress("index", 1, 1)
                return await refusal.measure(
                    bench, judged, settings.rag.refuse_below, lambda done, total: progress("ask", done, total)
                )


def _pull_rerankers(settings: Settings, grid: Sequence[Arm]) -> None:
    from mainspring.terminal.pulling import pull_missing

    for name in dict.fromkeys(arm.reranker for arm in grid if arm.reranker):
        models = settings.models.model_copy(update={"chat": (), "reranker": name})
        pull_missing(settings.model_copy(update={"models": models}))


def _settings(context: typer.Context, *, chat: bool) -> Settings:
    from mainspring.statistics.significance import stats_library
    from mainspring.terminal.pulling import pull_missing

    # This comes before anything is pulled or indexed: a missing package must be reported at once.
    stats_library()
    settings = load(context.obj).settings
    if not chat:
        kept = tuple(name for name in settings.models.chat if name == settings.models.listwise)
        settings = settings.model_copy(update={"models": settings.models.model_copy(update={"chat": kept})})
    pull_missing(settings)
    return settings


def _judged(context: typer.Context, name: str, data: Path | None, split: Split, limit: int) -> JudgedCollection:
    from mainspring.features.evaluate.sets.loading import load as load_collection

    known = load(context.obj).environment.get("MAINSPRING_DATA")
    return load_collection(name, data or (Path(known) if known else None)).part(split, limit)


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _write(out: Path | None, facts: object, markdown: str) -> None:
    if out is not None:
        text = markdown if out.suffix == ".md" else json.dumps(facts, indent=2, default=str) + "\n"
        out.write_text(text, encoding="utf-8")


def _table(found: Ablation) -> None:
    from rich.console import Console
    from rich.table import Table

    from mainspring.features.evaluate.ablate import report

    table = Table(title=report.header(found), title_justify="left", caption_justify="left")
    if len(found.arms) > 1:
        table.caption = f"* p < {report.ALPHA} after Holm's correction over the arms (paired randomisation test)"
    for number, name in enumerate(report.columns(found)):
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in report.rows(found):
        table.add_row(*row)
    # A pipe has no width to fit into.
    Console(width=None if sys.stdout.isatty() else 240).print(table)


def _refusal_text(found: Refusal) -> str:
    curve = found.curve
    lines = [
        f"{found.collection}: {len(found.outcomes)} questions",
        f"AURC {curve.aurc:.3f} (perfect order {curve.best:.3f}, no information {curve.chance:.3f})",
        *(f"AUROC answerable / {kind}: {estimate.text()}" for kind, estimate in found.auroc.items()),
        f"refused below {found.threshold:g}: "
        + ", ".join(f"{kind} {share:.1%}" for kind, share in found.refused.items()),
        "coverage  risk   threshold",
    ]
    points = (curve.at_coverage(step / 10) for step in range(1, 11))
    lines += [f"{point.coverage:8.0%}  {point.risk:.3f}  {point.threshold:.3f}" for point in points]
    return "\n".join(lines) + "\n"
