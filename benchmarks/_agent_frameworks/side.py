"""One side of the measurement: reads numbers of runs from its input, and writes the CPU seconds that they took.

    python side.py FRAMEWORK

Each framework's module has ``open(folder)``, which yields a coroutine function of one run; it returns the answer. All
ask a model that is a script: for ten turns it calls ``add`` once, then it answers with the last sum.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import tempfile
import time
import warnings
from pathlib import Path

STEPS = 10
ANSWER = f"The sum is {STEPS + 1}."


async def add(first: int, second: int) -> int:
    """Add two numbers.

    Args:
        first: a number
        second: another one
    """
    return first + second


async def serve(framework: str) -> None:
    side = importlib.import_module(framework)
    with tempfile.TemporaryDirectory() as folder:
        async with side.open(Path(folder)) as run:
            assert await run() == ANSWER, "the agent answers something else"
            print(json.dumps({"ready": side.VERSION}), flush=True)
            loop = asyncio.get_running_loop()
            while line := await loop.run_in_executor(None, sys.stdin.readline):
                begun = time.process_time()
                for _ in range(int(line)):
                    answer = await run()
                used = time.process_time() - begun
                assert answer == ANSWER
                print(json.dumps({"cpu_s": used}), flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.path.insert(0, str(Path(__file__).parent))
    sys.modules["side"] = sys.modules["__main__"]
    asyncio.run(serve(sys.argv[1]))
