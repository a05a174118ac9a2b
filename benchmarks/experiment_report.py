"""What the report of a large experiment takes: 100,000 scored examples of two responders.

    python benchmarks/experiment_report.py [--examples 100000] [--loads 7]

Comparing: the process's memory beyond what it had before, at most, while it reads all scores and makes the report; the
texts of the answers are in the database, and are not read. Opening: the requests that the console's page makes (the
experiment, its report, ten answers side by side), in the process, as CPU seconds. In a browser: a server of its own,
and each load of the page with an empty cache, from the navigation until the comparison's table and the answers stand;
left out where there is no Chromium.
Data sets: a version of 100,000 examples, then one with an edit; the rows that each costs.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import sqlalchemy as sa

from _report import Figure, report
from _server import UNLIMITED, serving
from _stats import Spread
from mainspring import stores
from mainspring.core import plugins
from mainspring.core.settings import Settings
from mainspring.core.types import Message, Principal
from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.feature import Rooms
from mainspring.features.datasets.service import DataSetService
from mainspring.features.datasets.tables import data_set_rows
from mainspring.features.experiments.service import Experiments
from mainspring.features.experiments.shapes import places_body
from mainspring.features.experiments.spec import Candidate, Spec, WantedScorer
from mainspring.features.experiments.store.results import Result, answered_body
from mainspring.features.experiments.tables import experiment_results, experiments
from mainspring.features.experiments.work.calibrated import Truth
from mainspring.features.experiments.work.report import report as made_report
from mainspring.stores.sql import rows

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.console import browser as browsers
from tests.console.browser import Browser

WHO = Principal("default", "local", frozenset({"admin"}))
MOST_MB, MOST_S = 500, 2.0
_PIECE = 5_000
# Looks at every frame, from the first on.
WATCH = """
const look = () => {
  const table = document.querySelectorAll('section[aria-label=Comparison] tbody tr').length === 2;
  if (table && document.querySelector('section[aria-label=Answers] li')) window.__ready = performance.now();
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


def example(number: int) -> Example:
    text = f"question number {number}: " + " ".join(str((number * 7919 + each) % 9973) for each in range(12))
    return Example(f"e{number}", (Message("user", text),), ("the answer",), tags={"topic": f"topic {number % 20}"},
                   group=f"g{number // 4}")  # fmt: skip


def resident_mb() -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def result_row(number: int, responder: int, draw: random.Random) -> dict[str, Any]:
    each = example(number)
    text = " ".join(draw.choice(("an", "answer", "of", "some", "length")) for _ in range(60))
    answered = ExampleAnswer(
        text, "model", completion_tokens=60, cost_nanousd=1000 + responder, duration_s=draw.random()
    )
    result = Result(responder, number + 1, each, answered)
    scores = {"f1": draw.betavariate(2 + responder, 2), "exact": float(draw.random() < 0.5)}
    return {
        "tenant": WHO.tenant,
        "experiment": "exp_x",
        "responder": responder,
        "place": result.place,
        "example_id": each.id,
        "cluster": each.group,
        "tags": rows.dump(dict(each.tags)),
        "body": rows.dump(answered_body(answered)),
        "scores": rows.dump(scores),
        "cost_nanousd": answered.cost_nanousd,
        "tokens": 60,
        "seconds": answered.duration_s,
        "at": time.time(),
    }


def insert(connection: sa.Connection, table: sa.Table, new: list[dict[str, Any]]) -> None:
    connection.execute(sa.insert(table), new)


async def measured(count: int, folder: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    async with stores.open(Settings(home=folder)) as opened:
        rooms = cast(
            Rooms,
            SimpleNamespace(
                settings=Settings(),
                stores=opened,
                local=WHO,
                engines=SimpleNamespace(plugins=plugins.Registry()),
                path=SimpleNamespace(registry=None),
            ),
        )
        data, service = DataSetService(rooms), Experiments(rooms)
        before = resident_mb()
        await data.add_examples(WHO, "large", [example(number) for number in range(count)])
        counted = sa.select(sa.func.count()).select_from(data_set_rows)
        found["rows_1"] = await opened.database.read(lambda connection: connection.execute(counted).scalar_one())
        await data.add_examples(WHO, "large", [Example("e7", (Message("user", "edited"),))])
        edited = await opened.database.read(lambda connection: connection.execute(counted).scalar_one())
        found["rows_2"] = edited - found["rows_1"]
        found["made_mb"] = resident_mb() - before
        draw = random.Random(1)
        for start in range(0, count, _PIECE):
            piece = [
                result_row(number, responder, draw)
                for number in range(start, min(count, start + _PIECE))
                for responder in (0, 1)
            ]
            await opened.database.write(partial(insert, table=experiment_results, new=piece))
        spec = Spec(
            (Candidate("a", "a"), Candidate("b", "b")),
            (WantedScorer("f1", {}, "f1"), WantedScorer("exact", {}, "exact")),
        )
        now = time.time()
        values = {
            "tenant": WHO.tenant, "id": "exp_x", "kind": "experiment", "name": "large", "data_set": "large",
            "version": 1, "fingerprint": "x", "spec": rows.dump(spec.plain()), "state": "completed", "total": 2 * count,
            "key_id": "local", "owner": "local", "created_at": now, "updated_at": now,
        }  # fmt: skip
        await opened.database.write(lambda connection: connection.execute(sa.insert(experiments), values) and None)
        # The highest mark so far is that of the filling: what comes on top of it is told, and what is in use now.
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before, cpu = resident_mb(), time.process_time()
        made = await made_report(service.results, WHO.tenant, "exp_x", spec, Truth())
        found["compare_mb"], found["compare_cpu_s"] = resident_mb() - before, time.process_time() - cpu
        assert made["comparisons"][0]["difference"]["n"] == count
        one = sa.and_(experiments.c.tenant == WHO.tenant, experiments.c.id == "exp_x")
        done = sa.update(experiments).where(one).values(report=rows.dump(made))
        await opened.database.write(lambda connection: connection.execute(done) and None)
        cpu, wall = time.process_time(), time.perf_counter()
        row = await service.results.get(WHO, "exp_x")
        told = rows.dump(dict(await service.report(WHO, row)))
        places = await service.results.places(WHO.tenant, "exp_x", 11, count // 2)
        texts = rows.dump(places_body(places, ["a", "b"], {}))
        worst = made["comparisons"][0]["worst"][:10]
        await service.results.places(WHO.tenant, "exp_x", 10, 0, worst)
        found["open_cpu_s"], found["open_s"] = time.process_time() - cpu, time.perf_counter() - wall
        found["open_kb"] = (len(told) + len(texts)) / 1024
    return found


def seen(home: Path, loads: int) -> Spread | None:
    """Seconds until the page of the experiment in ``home`` stands; None without a browser."""
    if browsers.PROGRAM is None or browsers.DRIVER is None:
        print(browsers.MISSING)
        return None
    with tempfile.TemporaryDirectory() as profile, serving(home, settings=UNLIMITED) as server:
        browser = Browser(server.url, Path(profile))
        try:
            browser.sign_in(server.key)
            browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
            # The first one warms up the server.
            return Spread.of([_load(browser) for _ in range(loads + 1)][1:])
        finally:
            browser.close()


def _load(browser: Browser) -> float:
    browser.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    browser.open("/console/experiments/exp_x")
    browser.until(lambda: browser.run("return window.__ready !== undefined"), "the report")
    return float(browser.run("return window.__ready")) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--loads", type=int, default=7)
    options = parser.parse_args()
    count = options.examples
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        found = asyncio.run(measured(count, home))
        stands = seen(home, options.loads)
    on = f"{count:,} examples, two responders, two scorers"
    figures = {
        "comparing: memory beyond the process's own": Figure(
            found["compare_mb"], "MB", "lower", MOST_MB, against=f"{on}; CPU seconds: {found['compare_cpu_s']:.1f}"
        ),
        "opening the report: CPU seconds of its requests": Figure(
            found["open_cpu_s"], "s", "lower", MOST_S, against=f"{on}; {found['open_kb']:.0f} KB are sent"
        ),
        "making a version of a data set: memory": Figure(
            found["made_mb"], "MB", "lower", against=f"{count:,} examples"
        ),
        "rows of the first version": Figure(found["rows_1"], "rows", "lower", against=f"{count:,} examples"),
        "rows that a version with one edit adds": Figure(
            found["rows_2"], "rows", "lower", 1.0, against=f"the one that was edited, of {count:,} examples"
        ),
    }
    if stands is not None:
        loads = f"{on}; {options.loads} loads with an empty cache, {stands.text()}"
        figures["opening the report in a browser"] = Figure(stands.median, "s", "lower", MOST_S, against=loads)
    report("experiment_report", figures)


if __name__ == "__main__":
    main()
