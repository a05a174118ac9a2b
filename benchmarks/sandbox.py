"""What a run of code costs: in Monty, and in full CPython within bubblewrap beside bare Python, in turns.

    python benchmarks/sandbox.py [runs]

``bare`` is the same interpreter with the same switches on the same line of code. On a busy machine a jailed run
waits more often for a core, since it is several processes; the ratio of CPU times does not know of that. Runs take the
jail that was started ahead, as they do where they do not follow each other at once; ``cold`` ones start their own. The
CPU is that of cold runs: starting ahead saves time, and no work.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import shutil
import statistics
import time

from _report import Figure, report, skip
from mainspring.agents.sandbox.base import Sandbox
from mainspring.agents.sandbox.bubblewrap import BubblewrapSandbox
from mainspring.agents.sandbox.gvisor import GvisorSandbox
from mainspring.agents.sandbox.monty import MontySandbox

CODE = "sum(each * each for each in range(100))"
TIMED = f"import time\nassert {CODE} == 328350\ntime.process_time()"
GVISOR_RUNS = 10
STARTED_S = 0.15
"""A jail has started after that time; nothing is measured meanwhile."""


async def bare(python: str) -> float:
    """Seconds of a run of bare Python."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        python, "-I", "-B", "-S", "-c", f"print({CODE})", stdout=asyncio.subprocess.PIPE, env={"PATH": "/usr/bin"}
    )
    told, _ = await process.communicate()
    assert told.strip() == b"328350"
    return time.perf_counter() - began


async def within(box: Sandbox) -> float:
    """Seconds of a run in a sandbox."""
    began = time.perf_counter()
    done = await box.run(CODE)
    assert done.value == 328350, done
    return time.perf_counter() - began


def children() -> float:
    """CPU seconds of the processes that have ended and were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def cpu(box: BubblewrapSandbox) -> float:
    """CPU of a jailed run over that of a bare one. Those within the jail are not waited for by us: they tell theirs."""
    began = children()
    await bare(box.python)
    alone = children() - began
    began = children()
    done = await box.run(TIMED)
    assert isinstance(done.value, float), done
    return (children() - began + done.value) / alone


async def main(runs: int) -> None:
    if shutil.which("bwrap") is None:
        skip("bubblewrap is not installed")
    monty, jail, cold = MontySandbox(), BubblewrapSandbox(), BubblewrapSandbox(spare_s=0)
    taken: dict[str, list[float]] = {"monty": [], "bare": [], "bubblewrap": [], "cold": []}
    for _ in range(3):
        await within(monty)
        await within(jail)
    for _ in range(runs):
        await asyncio.sleep(STARTED_S)
        taken["monty"].append(await within(monty))
        taken["bare"].append(await bare(jail.python))
        taken["cold"].append(await within(cold))
        taken["bubblewrap"].append(await within(jail))
    await jail.aclose()
    used = [await cpu(cold) for _ in range(runs)]
    await monty.aclose()
    medians = {name: 1e3 * statistics.median(each) for name, each in taken.items()}
    ratios = statistics.median(jailed / alone for jailed, alone in zip(taken["bubblewrap"], taken["bare"], strict=True))
    figures = {
        "monty, p50": Figure(medians["monty"], "ms", "lower", 1, 0.5, f"{runs} runs"),
        "bare Python, p50": Figure(medians["bare"], "ms", "lower", against=f"{runs} runs, {jail.python}"),
        "bubblewrap, p50": Figure(medians["bubblewrap"], "ms", "lower", against=f"{runs} runs"),
        "bubblewrap to bare Python": Figure(medians["bubblewrap"] / medians["bare"], "x", "lower", 2, 1.5, "medians"),
        "bubblewrap to bare Python, cold": Figure(medians["cold"] / medians["bare"], "x", "lower", against="medians"),
        "bubblewrap to bare Python, paired": Figure(ratios, "x", "lower", against="median of the pairs"),
        "bubblewrap to bare Python, CPU": Figure(statistics.median(used), "x", "lower", 2, 1.5, "median of the pairs"),
    }
    if shutil.which("runsc") is not None:
        gvisor = GvisorSandbox()
        times = [await within(gvisor) for _ in range(GVISOR_RUNS)]
        figures["gvisor, p50"] = Figure(1e3 * statistics.median(times), "ms", "lower", against=f"{GVISOR_RUNS} runs")
    report("sandbox", figures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=int, nargs="?", default=100)
    asyncio.run(main(parser.parse_args().runs))
