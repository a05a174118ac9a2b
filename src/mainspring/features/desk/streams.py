"""Server-sent events of things that change."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from starlette.responses import StreamingResponse

from mainspring.stores.sql import rows

_BEAT_S = 15.0


def stream(frames: AsyncGenerator[bytes, None]) -> StreamingResponse:
    """The answer of a route."""
    return StreamingResponse(frames, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def bodies(kind: str, found: AsyncGenerator[dict[str, Any], None]) -> AsyncGenerator[bytes, None]:
    """An event of this kind for each body, with a comment after each silence."""
    coming = asyncio.ensure_future(anext(found, None))
    try:
        while True:
            done, _ = await asyncio.wait([coming], timeout=_BEAT_S)
            if not done:
                yield b": waiting\n\n"
                continue
            body = coming.result()
            if body is None:
                return
            yield f"event: {kind}\ndata: {rows.dump(body)}\n\n".encode()
            coming = asyncio.ensure_future(anext(found, None))
    finally:
        coming.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await coming
        await found.aclose()
