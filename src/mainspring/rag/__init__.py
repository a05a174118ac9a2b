"""Retrieval over documents: parse, chunk, ingest, retrieve, answer, cite.

The parser's child process imports this package, so it imports nothing heavy: ``open`` brings in the rest.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainspring.core.settings import Settings
    from mainspring.engines import Engines
    from mainspring.rag.library import Library
    from mainspring.serving import Path
    from mainspring.stores import Stores
    from mainspring.telemetry import Telemetry


@asynccontextmanager
async def open(  # noqa: A001
    settings: Settings, stores: Stores, telemetry: Telemetry, engines: Engines, path: Path
) -> AsyncIterator[Library]:
    """The library over the stores, with ``document-qa`` and the tenants' collections served as models.

    Answers are written by the first configured chat model that is grounded, or else by the first one, and only
    where the settings ask for written answers.
    """
    from mainspring.rag.assembly import Assembly

    assembly = Assembly(settings, stores, telemetry, engines, path)
    library = assembly.library()
    assembly.serve(library)
    await library.start()
    try:
        yield library
    finally:
        await library.close()
        await assembly.close()
