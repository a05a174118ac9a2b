"""A process that orders one run under a trace and works on jobs until that is over, as a server does.

``python server_of_jobs.py HOME TRACE STEPS``: prints the id of the job, then its state when it is over.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from mainspring.training.ports import Order
from tests.features.train.world import LOCAL, world


async def main(home: Path, trace: str, steps: int) -> None:
    options = {"steps": steps, "pause_s": 0.02, "every": 3}
    async with world(home, train={"lease_s": 1.0, "stop_s": 2.0}) as made:
        order = Order("line", options, folder=made.data, suffix="killed", trace_id=trace)
        job = await made.service.order(LOCAL, order)
        print(job.id, flush=True)
        while (view := await made.service.training_job(LOCAL.tenant, job.id)).state not in (
            "succeeded",
            "failed",
            "cancelled",
        ):
            await asyncio.sleep(0.05)
        print(view.state, view.version, view.error, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
