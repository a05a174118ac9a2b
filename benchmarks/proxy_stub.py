"""An endpoint that answers at once, for the proxy benchmark: ``python benchmarks/proxy_stub.py``.

Prints its port. Speaks as much of HTTP/1.1 and OpenAI's wire format as two proxies need, with the least work of its
own: what it costs is taken from both sides alike.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import uvloop

WORDS = "It is a fine day for a walk along the river bank.".split()
USAGE = {"prompt_tokens": 24, "completion_tokens": len(WORDS), "total_tokens": 24 + len(WORDS)}
_SAME: dict[str, Any] = {"id": "chatcmpl-1", "created": 1700000000, "model": "stub"}
_KEEP = b"connection: keep-alive\r\n"


def _whole() -> bytes:
    message = {"role": "assistant", "content": " ".join(WORDS)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = json.dumps({**_SAME, "object": "chat.completion", "choices": [choice], "usage": USAGE}).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" + _KEEP
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


def _stream() -> bytes:
    deltas: list[dict[str, Any]] = [{"role": "assistant"}, *({"content": f"{word} "} for word in WORDS)]
    choices: list[list[dict[str, Any]]] = [[{"index": 0, "delta": delta, "finish_reason": None}] for delta in deltas]
    choices += [[{"index": 0, "delta": {}, "finish_reason": "stop"}]]
    chunks: list[dict[str, Any]] = [
        {**_SAME, "object": "chat.completion.chunk", "choices": choice} for choice in choices
    ]
    chunks += [{**_SAME, "object": "chat.completion.chunk", "choices": [], "usage": USAGE}]
    frames = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks] + [b"data: [DONE]\n\n"]
    body = b"".join(b"%x\r\n%b\r\n" % (len(frame), frame) for frame in frames) + b"0\r\n\r\n"
    return (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" + _KEEP + b"transfer-encoding: chunked\r\n\r\n" + body
    )


WHOLE, STREAM = _whole(), _stream()


class Stub(asyncio.Protocol):
    """One connection: answers each request as soon as its body is whole."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            body = self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            streamed = b'"stream": true' in body or b'"stream":true' in body
            self._transport.write(STREAM if streamed else WHOLE)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
