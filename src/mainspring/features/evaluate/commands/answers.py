"""``mainspring eval answers``: puts the questions of a collection to the whole system and reports the outcome of
each."""

from __future__ import annotations

import asyncio
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mainspring.command import opener
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.command import Opener
    from mainspring.core.settings import Settings
    from mainspring.core.types import Context
    from mainspring.feature import Rooms
    from mainspring.features.evaluate.answers import ScoredAnswer
    from mainspring.features.evaluate.sets.collections import JudgedCollection

Mode = Literal["auto", "extractive", "generative"]


def answers(
    context: typer.Context,
    collection: Annotated[str, typer.Argument(metavar="COLLECTION", help="A name of `eval collections`, or a folder")],
    mode: Annotated[Mode | None, typer.Option(help="How answers are made", show_default="rag.mode")] = None,
    split: Annotated[
        Literal["development", "reported", "all"],
        typer.Option("--split", help="Questions to ask; inspect and tune on development only"),
    ] = "development",
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="Maximum number of questions, evenly spaced (0: all)")
    ] = 0,
    home: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps the ingested documents for the next run", show_default="a temporary one"),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder of the data sets", show_default="$MAINSPRING_DATA")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Also write every answer, as JSON or (.md) for reading")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
) -> None:
    """Ask every question like `ask` and the gateway, and score the answers: sources, gold strings, refusals.

    No model judges. Shares have Wilson's 95 % intervals.
    """
    from mainspring.core.settings import load
    from mainspring.features.evaluate import answers as scoring
    from mainspring.features.evaluate.sets.loading import load as load_collection
    from mainspring.terminal.pulling import pull_missing, without_chat

    loaded = load(context.obj)
    known = loaded.environment.get("MAINSPRING_DATA")
    judged = load_collection(collection, data or (Path(known) if known else None)).part(split, limit)
    settings = loaded.settings
    if mode is not None:
        settings = settings.model_copy(update={"rag": settings.rag.model_copy(update={"mode": mode})})
    settings = without_chat(settings)
    pull_missing(settings)
    found = asyncio.run(asked(opener(context), settings, judged, home))
    facts = scoring.as_json(judged.name, found, {"split": split, "documents": len(judged.documents)})
    if out is not None:
        text = scoring.markdown(judged.name, found) if out.suffix == ".md" else json.dumps(facts, indent=2) + "\n"
        out.write_text(text, encoding="utf-8")
    if as_json:
        show.as_json(facts)
        return
    shares = scoring.shares(found).items()
    show.table(
        ("FIGURE", "SHARE", "95 %", "N"),
        [(label, f"{e.value:.3f}", f"{e.low:.3f}-{e.high:.3f}", str(e.n)) for label, e in shares],
    )
    for label, (middle, high) in scoring.spreads(found).items():
        print(f"{label}: median {middle:.0f}, 95th percentile {high:.0f}")


async def asked(
    open_rooms: Opener, settings: Settings, judged: JudgedCollection, home: Path | None, told: str = ""
) -> list[ScoredAnswer]:
    """Ingest the documents into a library of its own under ``home`` (None: a temporary one) and ask everything.

    ``told`` is the feature of the retrieval that stands as evidence of an answer, instead of the evidence.
    """
    from mainspring.features.evaluate import answers as scoring
    from mainspring.features.evaluate.ablate.ablation import apart

    with ExitStack() as stack:
        place = home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mainspring-eval-")))
        # Documents are identified by path: under another path they would be read again.
        files = place / "evaluated"
        write_documents(judged, files)
        async with open_rooms(apart(settings, place, settings.rag)) as rooms:
            await _fill(rooms, judged.name, files)
            found: list[ScoredAnswer] = []
            evidence = _evidence(rooms, told)
            # Citations name files; judgements name documents.
            documents = {document.name: document.id for document in judged.documents}
            with show.progress() as progress:
                for number, query in enumerate(judged.queries, 1):
                    respond = rooms.responder.respond
                    found.append(await scoring.ask(respond, judged.name, query, rooms.local, evidence, documents))
                    progress("Asking", number, len(judged.queries))
            return found


def write_documents(judged: JudgedCollection, folder: Path) -> None:
    """Write the documents as files, each under its name in ``folder``, and delete everything else there."""
    named = {folder / document.name: document for document in judged.documents}
    for path in folder.rglob("*"):
        if path.is_file() and path not in named:
            path.unlink()
    for path, document in named.items():
        content = document.read()
        # Rewriting an equal file would change its time, and the new time would be stored.
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


async def _fill(rooms: Rooms, name: str, files: Path) -> None:
    from mainspring.terminal.ingest_report import tell

    with show.progress() as progress:
        report = await rooms.library.ingest(
            rooms.local, name, [files], lambda done, total, _: progress("Reading", done, total)
        )
    tell(name, report)


def _evidence(rooms: Rooms, feature: str) -> Any:
    """The evidence that the answerer recorded for a request, or the value of a feature."""

    async def told(context: Context) -> float | None:
        tenant, trace = context.principal.tenant, context.trace.trace_id
        for record in await rooms.stores.events.find(tenant, kind=RetrievalFacts.EVENT, trace_id=trace):
            facts = RetrievalFacts.of(record.facts)
            if (value := (facts.features or {}).get(feature) if feature else facts.evidence) is not None:
                return value
        return None

    return told
