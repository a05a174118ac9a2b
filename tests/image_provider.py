"""A provider of images in OpenAI's shape: each is a real PNG of the size that was asked for, in a colour of the prompt.

python -m tests.image_provider       prints its address, and runs until it is ended
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

KEY = "key-of-the-provider"


@dataclass
class Asked:
    """A request: its fields, and its files by the names of their fields."""

    operation: str
    fields: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)
    key: str | None = None


@dataclass
class Painter:
    """``answer`` replaces what it says; ``asked`` is what it was asked."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answer: web.Response | None = None
    wait_s: float = 0.0

    async def draw(self, request: web.Request) -> web.Response:
        made = Asked(request.match_info["operation"], {}, key=request.headers.get("authorization"))
        if request.content_type == "application/json":
            made.fields = await request.json()
        else:
            for name, value in (await request.post()).items():
                if isinstance(value, web.FileField):
                    made.files[name] = value.file.read()
                else:
                    made.fields[name] = value
        self.asked.append(made)
        await asyncio.sleep(self.wait_s)
        if self.answer is not None:
            return self.answer
        fields = made.fields
        image = drawn(str(fields.get("prompt", "")), str(fields.get("size") or "auto"))
        data = [{"b64_json": base64.b64encode(image).decode()} for _ in range(int(fields.get("n") or 1))]
        usage: dict[str, Any] = {"input_tokens": 10, "output_tokens": 40, "total_tokens": 50}
        usage |= {"input_tokens_details": {"image_tokens": 0, "text_tokens": 10}}
        return web.json_response({"created": 1_700_000_000, "data": data, "usage": usage})


def drawn(prompt: str, size: str) -> bytes:
    """The image of a prompt."""
    found = re.fullmatch(r"(\d+)x(\d+)", size)
    width, height = (int(found[1]), int(found[2])) if found else (16, 16)
    red, green, blue = hashlib.sha256(prompt.encode()).digest()[:3]
    return picture(width, height, (red, green, blue))


def picture(width: int, height: int, colour: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    """A PNG file of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes(colour) * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@asynccontextmanager
async def painter() -> AsyncIterator[Painter]:
    """A server of it; its ``url`` is what ``images.models`` names."""
    made = Painter()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/images/{operation}", made.draw)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield made
    finally:
        await runner.cleanup()


async def _serve() -> None:
    async with painter() as made:
        print(made.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
