"""``mainspring ask``: an answer from files, without a server."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Annotated

import typer

from mainspring.cli.up import answer, existing, fill, pull_missing
from mainspring.settings import Settings, load


def ask(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Files or folders to answer from")],
    question: Annotated[str, typer.Argument(help="The question")],
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
) -> None:
    """Answer a question from PDF, Office, HTML, Markdown, text or code files, with citations.

    What was read is kept, so that the next question about the same paths is answered at once.
    """
    existing(paths, 'mainspring ask PATH... "question"')
    settings = without_chat(load(context.obj).settings)
    pull_missing(settings)
    resolved = sorted(str(path.resolve()) for path in paths)
    collection = "ask-" + hashlib.sha256("\0".join(resolved).encode()).hexdigest()[:16]

    async def work() -> None:
        from mainspring.system import System

        async with System.open(settings) as system:
            await fill(system, collection, paths)
            await answer(system, collection, question, as_json=as_json)

    asyncio.run(work())


def without_chat(settings: Settings) -> Settings:
    """The same settings with only those chat models that would write the answer: no others are loaded."""
    from mainspring.engines.catalogue import Catalogue

    if settings.rag.mode == "extractive":
        wanted: tuple[str, ...] = ()
    elif settings.rag.mode == "generative":
        wanted = settings.models.chat
    else:
        catalogue = Catalogue.load(settings)
        wanted = tuple(name for name in settings.models.chat if catalogue.get(name).grounded)
    # A chat model that reranks is needed whoever writes.
    if settings.models.listwise in settings.models.chat and settings.models.listwise not in wanted:
        wanted = (*wanted, settings.models.listwise)
    return settings.model_copy(update={"models": settings.models.model_copy(update={"chat": wanted})})
