"""Comment lines in a stream that is silent, so that nothing between the client and us takes it for dead.

While an answer waits in the queue or a long prompt is read, there is nothing to send. After ``interval_s`` of silence
the head of the response and a comment go out: from then on a failure is an ``error`` frame and no HTTP status, and what
only the answer's own head would say (the model, the answer's id) is in no header.
"""

from __future__ import annotations

import asyncio

from fastapi import Request as HttpRequest
from starlette.types import Send

SEND = "send"
"""Where in a request's state the outermost middleware leaves its way to the server."""
HEAD = "head"
"""The position of the shared headers in the response."""
COMMENT = b": waiting\n\n"
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"x-accel-buffering", b"no"),
]


class Heartbeat:
    """Beats from ``start`` to ``stop`` whenever a whole interval has passed in silence; ``interval_s`` 0 never.

    It is one timer a stream: a frame costs the setting of ``spoke``.
    """

    __slots__ = ("_beating", "_headers", "_interval", "_send", "_timer", "spoke", "started")

    def __init__(self, http: HttpRequest, interval_s: float) -> None:
        state = http.scope.get("state", {})
        # Outside of the middlewares, like the frames of a stream: their additions to the head are written here.
        self._send: Send = state.get(SEND, http._send)
        self._headers = [*HEADERS, *state.get(HEAD, ())]
        self._interval = interval_s
        self._timer: asyncio.TimerHandle | None = None
        self._beating: asyncio.Task[None] | None = None
        self.spoke = False
        """Whether something was sent since the last look."""
        self.started = False
        """Whether the head of the response has been sent from here."""

    def start(self) -> None:
        """Begin to count."""
        if self._interval:
            self._timer = asyncio.get_running_loop().call_later(self._interval, self._due)

    async def settled(self) -> None:
        """Wait for a beat that is just being sent: the head must not be sent twice."""
        if self._beating is not None:
            await asyncio.wait([self._beating])

    def stop(self) -> None:
        """Stop after the beat that is being sent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        # A slow reader delays the last beat; another beat would only lengthen the queue.
        if not self.spoke and (self._beating is None or self._beating.done()):
            self._beating = asyncio.get_running_loop().create_task(self._beat())
        self.spoke = False
        self.start()

    async def _beat(self) -> None:
        if not self.started:
            self.started = True
            await self._send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await self._send({"type": "http.response.body", "body": COMMENT, "more_body": True})
