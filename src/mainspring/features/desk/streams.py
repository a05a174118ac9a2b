"""Server-sent events of things that change."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from fastapi import Request as HttpRequest
from starlette.responses import StreamingResponse

from mainspring.stores.sql import rows

_BEAT_S = 15.0


def stream(frames: AsyncGenerator[bytes, None]) -> StreamingResponse:
    """The answer of a route."""
    return StreamingResponse(frames, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def bodies(
    kind: str, found: AsyncGenerator[dict[str, Any], None], http: HttpRequest
) -> AsyncGenerator[bytes, None]:
    """An event of this kind for each body, with a comment after each silence, until the server stops."""
    stopping: asyncio.Event = getattr(http.app.state, "stopping", None) or asyncio.Event()
    stopped = asyncio.ensure_future(stopping.wait())
    coming = asyncio.ensure_future(anext(found, None))
    try:
        while True:
            await asyncio.wait([coming, stopped], timeout=_BEAT_S, return_when=asyncio.FIRST_COMPLETED)
            if stopped.done():
                return
            if not coming.done():
                yield b": waiting\n\n"
                continue
            body = coming.result()
            if body is None:
                return
            yield f"event: {kind}\ndata: {rows.dump(body)}\n\n".encode()
            coming = asyncio.ensure_future(anext(found, None))
    finally:
        stopped.cancel()
        coming.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await coming
        await found.aclose()
