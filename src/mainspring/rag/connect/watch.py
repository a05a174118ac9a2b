"""Watches files: through ``watchfiles`` if it is installed, otherwise by checking every few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from mainspring.rag.connect.folder import Folder

_POLL_S = 2.0


async def watch(paths: Sequence[Path], *, poll_s: float = _POLL_S, polling: bool = False) -> AsyncIterator[None]:
    """Yields whenever something below ``paths`` has changed, several changes at once as one. Ends never: the caller
    leaves. ``polling`` checks every ``poll_s`` seconds even if the system can report changes."""
    if not polling:
        try:
            from watchfiles import awatch
        except ImportError:
            polling = True
    if polling:
        async for _ in _poll(paths, poll_s):
            yield
        return
    async for _ in awatch(*paths):
        yield


async def _poll(paths: Sequence[Path], poll_s: float) -> AsyncIterator[None]:
    before = await asyncio.to_thread(_state, paths)
    while True:
        await asyncio.sleep(poll_s)
        now = await asyncio.to_thread(_state, paths)
        if now != before:
            before = now
            yield


def _state(paths: Sequence[Path]) -> set[tuple[str, int, int]]:
    found: set[tuple[str, int, int]] = set()
    for path in paths:
        if not path.exists():
            continue
        for source in Folder(path).sources():
            try:
                status = Path(source.key).stat()
            except FileNotFoundError:
                # Deleted since it was listed.
                continue
            found.add((source.key, status.st_mtime_ns, status.st_size))
    return found
