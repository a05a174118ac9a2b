"""``mainspring rag``: shows how documents are processed on their way into a collection, and maintains collections."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.cli.rag import graph, screening, store, transfer
from mainspring.cli.serve.up import existing
from mainspring.core.settings import Settings, load
from mainspring.terminal import show
from mainspring.terminal.pulling import pull_missing

if TYPE_CHECKING:
    from rich.console import Console

    from mainspring.rag.chunk.chunking import Chunk
    from mainspring.rag.parse.parsed import Parsed

app = typer.Typer(help="Show how documents are processed; screen, move and measure collections.", no_args_is_help=True)
app.command("recall")(store.recall)
app.command("reindex")(store.reindex)
app.command("quarantine")(screening.quarantine)
app.command("release")(screening.release)
app.command("scan")(screening.scan)
app.add_typer(graph.app, name="graph")
app.command("export")(transfer.export)
app.command("import")(transfer.import_)


@app.command("chunks")
def chunks(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A document of any kind that can be ingested")],
    strategy: Annotated[str | None, typer.Option(help="The chunker to use", show_default="rag.chunker")] = None,
    size: Annotated[
        int | None, typer.Option(min=32, help="Maximum tokens of a chunk", show_default="rag.chunk_tokens")
    ] = None,
    overlap: Annotated[
        int | None, typer.Option(min=0, help="Tokens shared by neighbouring chunks", show_default="rag.chunk_overlap")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
) -> None:
    """Show the chunks of a file: position, length, heading and text of each."""
    existing([path], "mainspring rag chunks FILE")
    settings = load(context.obj).settings
    settings = settings.model_copy(
        update={
            "models": settings.models.model_copy(update={"chat": ()}),
            "rag": settings.rag.model_copy(
                update={
                    name: value
                    for name, value in (("chunker", strategy), ("chunk_tokens", size), ("chunk_overlap", overlap))
                    if value is not None
                }
            ),
        }
    )
    pull_missing(settings)
    parsed, found = asyncio.run(_chunked(settings, path))
    rows = [_row(parsed, number, one) for number, one in enumerate(found, 1)]
    summary = _summary(found)
    if as_json:
        show.as_json({"document": path.name, "strategy": settings.rag.chunker, "chunks": rows, "summary": summary})
        return
    _show_chunks(rows, summary, settings.rag.chunker)


@app.command("parse")
def parse(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A document of any kind that can be ingested")],
    figures: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder for pictures of a PDF's figures")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
) -> None:
    """Show the result of parsing a file: its text with headings, pages and tables, the parser and its warnings."""
    existing([path], "mainspring rag parse FILE")
    parsed = asyncio.run(_parsed(load(context.obj).settings, path, images=figures is not None))
    written = _write_figures(parsed, figures, path.stem) if figures is not None else {}
    if as_json:
        import dataclasses

        found = dataclasses.asdict(parsed)
        for number, figure in enumerate(found["figures"]):
            figure["image"] = str(written[number]) if number in written else None
        show.as_json({"document": path.name, **found})
        return
    _show_parsed(parsed, path.name)
    for number, file in written.items():
        figure = parsed.figures[number]
        typer.echo(f"{file}  page {figure.page}  {figure.caption or figure.text or 'without a caption'}")


def _write_figures(parsed: Parsed, folder: Path, stem: str) -> dict[int, Path]:
    """The files of the figures that have a picture, by the figure's place among all. Raises ``SettingsError``."""
    from mainspring.core.errors import SettingsError

    written = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, figure in enumerate(parsed.figures):
            if figure.image:
                written[number] = folder / f"{stem}-figure-{number + 1}.png"
                written[number].write_bytes(figure.image)
    except OSError as error:
        raise SettingsError(f"--figures {folder} cannot be written: {error.strerror}", remedy="Name a folder") from None
    return written


async def _parsed(settings: Settings, path: Path, *, images: bool = False) -> Parsed:
    from mainspring.rag.parse.parser import Parser, layout_model

    parser = Parser(settings.rag, layout_model(settings))
    try:
        return await parser.parse(path, images=images)
    finally:
        await parser.close()


async def _chunked(settings: Settings, path: Path) -> tuple[Parsed, list[Chunk]]:
    from mainspring.engines import builtin
    from mainspring.rag.chunk.chunking import chunker
    from mainspring.rag.ingest.pipeline import title_of

    parsed = await _parsed(settings, path)
    embedder = await builtin.embedder(settings)
    try:
        cutter = chunker(settings.rag, embedder)
        return parsed, await cutter.chunk(parsed, name=path.name, title=title_of(path.name))
    finally:
        await embedder.close()


def _row(parsed: Parsed, number: int, one: Chunk) -> dict[str, Any]:
    return {
        "number": number,
        "page": one.page,
        "heading": one.heading,
        "tokens": one.tokens,
        "start": one.start,
        "end": one.end,
        "parent": list(one.parent) if one.parent else None,
        "text": parsed.text[one.start : one.end],
        "embedded": one.embedded,
    }


def _summary(found: Sequence[Chunk]) -> dict[str, float]:
    tokens = [one.tokens for one in found]
    if not tokens:
        return {"chunks": 0}
    return {
        "chunks": len(tokens),
        "tokens_min": min(tokens),
        "tokens_median": statistics.median(tokens),
        "tokens_max": max(tokens),
    }


def _console() -> Console:
    from rich.console import Console

    # Piped lines are for other programs: they are not wrapped.
    return Console(highlight=False, soft_wrap=True)


def _show_chunks(rows: Sequence[dict[str, Any]], summary: dict[str, float], strategy: str) -> None:
    from rich.text import Text

    console = _console()
    for row in rows:
        place = [f"page {row['page']}"] if row["page"] else []
        place += [f"{row['tokens']} tokens", f"characters {row['start']}-{row['end']}"]
        if row["parent"]:
            place.append(f"parent {row['parent'][0]}-{row['parent'][1]}")
        head = Text.assemble((f"#{row['number']}", "bold cyan"), "  ", (row["heading"], "bold"))
        console.print(head.append(f"  {' · '.join(place)}" if row["heading"] else " · ".join(place), "dim"))
        for line in row["text"].split("\n"):
            console.print(Text(f"  {line}".rstrip()))
        console.print()
    if not rows:
        console.print("No chunks: there are no words in it.")
        return
    spread = "/".join(f"{summary[name]:g}" for name in ("tokens_min", "tokens_median", "tokens_max"))
    console.print(Text(f"{summary['chunks']} chunks ({strategy}), tokens {spread} (least/median/most)", "bold"))


def _show_parsed(parsed: Parsed, name: str) -> None:
    from rich.text import Text

    console = _console()
    facts = [parsed.kind, f"read by {parsed.parser}" if parsed.parser else "", parsed.route]
    facts += [f"{len(parsed.text)} characters"]
    counts: tuple[tuple[str, Sequence[object]], ...] = (
        ("page", parsed.pages),
        ("heading", parsed.headings),
        ("table", parsed.tables),
        ("figure", parsed.figures),
    )
    facts += [f"{len(found)} {kind}{'s' if len(found) > 1 else ''}" for kind, found in counts if found]
    console.print(Text(name, "bold").append("  " + " · ".join(fact for fact in facts if fact), "dim not bold"))
    for warning in parsed.warnings:
        console.print(Text(f"warning: {warning}", "yellow"))
    console.print()
    pages = {page.start: page.number for page in parsed.pages}
    headings = {heading.start: heading for heading in parsed.headings}
    at = 0
    for line in parsed.text.split("\n"):
        if at in pages:
            console.print(Text(f"── page {pages[at]} " + "─" * 40, "dim"))
        heading = headings.get(at)
        in_table = parsed.table_at(at) is not None or line.lstrip().startswith("|")
        console.print(Text(line, "bold cyan" if heading else "green" if in_table else ""))
        at += len(line) + 1
