"""A server that does nothing: beside it, the cost of a load's generator alone is measured.

``python benchmarks/_sink.py RATE`` prints its port. Every request is read to its end and answered with a small JSON, so
many a second as the real server answered (0: as fast as they come).
"""

from __future__ import annotations

import asyncio
import itertools
import sys

from aiohttp import web


class Sink:
    """Answers in turn, ``rate`` a second."""

    def __init__(self, rate: float) -> None:
        self._every = 1 / rate if rate else 0.0
        self._next = 0.0
        self._ids = itertools.count()

    async def answer(self, request: web.Request) -> web.Response:
        async for _ in request.content.iter_any():
            pass
        now = asyncio.get_running_loop().time()
        self._next = max(now, self._next + self._every)
        await asyncio.sleep(self._next - now)
        return web.json_response({"id": f"nothing-{next(self._ids)}", "status": "completed"})


async def main(rate: float) -> None:
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", Sink(rate).answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
