"""``mainspring ingest``: bring a collection in step with files; a running server answers from it at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from mainspring.cli.up import existing, fill, pull_missing
from mainspring.settings import load


def ingest(
    context: typer.Context,
    collection: Annotated[str, typer.Argument(help="Collection to fill; made when absent")],
    paths: Annotated[list[Path], typer.Argument(help="Files or folders")],
) -> None:
    """Ingest files: what changed is read again, what vanished is forgotten."""
    existing(paths, "mainspring ingest COLLECTION PATH...")
    settings = load(context.obj).settings
    settings = settings.model_copy(update={"models": settings.models.model_copy(update={"chat": ()})})
    pull_missing(settings)

    async def work() -> None:
        from mainspring.system import System

        async with System.open(settings) as system:
            await fill(system, collection, paths)

    asyncio.run(work())
