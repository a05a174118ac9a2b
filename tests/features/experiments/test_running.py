"""Experiments: asked once, scored, compared in pairs; resumed, cancelled, and reused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mainspring.core.errors import InvalidRequest, UnknownModel
from mainspring.core.types import Context, Request, Responder, Response
from mainspring.features.experiments.store.results import KIND, Results
from mainspring.features.experiments.work import asking
from mainspring.stores.sql import rows
from tests.features.experiments.world import RIGHT, Lab, lab, spec, sums
from tests.features.runs.world import Killed, Mortal


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path) as opened:
        yield opened


async def test_the_better_model_wins_each_pair(home: Lab) -> None:
    await home.data.add_examples(home.who, "sums", sums(8))
    made = await home.experiments.submit(home.who, "sums", None, spec("bad", "good", scorers=["f1", "exact"]))
    await home.run()
    row = await home.experiments.results.get(home.who, made.id)
    assert (row.state, row.total) == ("completed", 16)
    report = await home.experiments.report(home.who, row)
    bad, good = report["responders"]
    assert (bad["scores"]["exact"]["mean"], good["scores"]["exact"]["mean"]) == (0.0, 1.0)
    compared = {each["scorer"]: each for each in report["comparisons"]}
    assert compared["exact"]["difference"]["mean"] == 1.0
    assert (compared["exact"]["won"], compared["exact"]["lost"]) == (8, 0)
    assert compared["exact"]["p_corrected"] < 0.05
    assert len(compared["exact"]["best"]) == 8
    assert {(each["tag"], each["value"], each["examples"]) for each in report["slices"]} == {
        ("size", "small", 5),
        ("size", "large", 3),
    }
    assert good["cost_usd"] > 0
    assert home.asked == 16
    # Shares of scores that are 0 or 1; the difference is none.
    small = next(each for each in report["slices"] if each["value"] == "small")
    for part, n in ((good, 8), (small["responders"][1], 5)):
        exact = part["scores"]["exact"]
        assert (exact["low"], exact["high"], exact["n"]) == (pytest.approx(n / (n + 1.96**2), abs=1e-3), 1.0, n)
    assert compared["exact"]["difference"]["high"] == 1.0


async def test_the_same_state_is_not_asked_again(home: Lab) -> None:
    await home.data.add_examples(home.who, "sums", sums(4))
    for _ in range(2):
        made = await home.experiments.submit(home.who, "sums", None, spec("good"))
        await home.run()
    assert home.asked == 4
    row = await home.experiments.results.get(home.who, made.id)
    assert (await home.experiments.report(home.who, row))["responders"][0]["cost_usd"] > 0
    await home.experiments.submit(home.who, "sums", None, spec("bad", "good"))
    await home.run()
    assert home.asked == 8


@pytest.mark.parametrize("committed", [True, False])
async def test_what_a_dead_process_has_asked_is_not_asked_again(home: Lab, committed: bool) -> None:
    await home.data.add_examples(home.who, "sums", sums(6))
    made = await home.experiments.submit(home.who, "sums", None, spec("bad", "good", concurrency=1))
    stores = home.rooms.stores
    mortal = Mortal(stores.database, dies=5, committed=committed)
    healthy = home.experiments.results
    home.experiments.results = Results(mortal, home.experiments.settings)
    with pytest.raises(BaseExceptionGroup) as dead:
        await home.run()
    assert dead.group_contains(Killed)
    assert (await home.experiments.results.get(home.who, made.id)).state == "running"
    home.experiments.results = healthy
    job = await stores.jobs.get("acme", made.id)
    await stores.jobs.release(job)
    await home.run()
    row = await healthy.get(home.who, made.id)
    assert row.state == "completed"
    assert sum((await healthy.done("acme", made.id)).values()) == 12
    assert home.asked == 12


class _Loading:
    """A ring that knows no model ``good`` for some questions."""

    def __init__(self, inner: Responder, unknown: int) -> None:
        self.inner, self.unknown, self.asked = inner, unknown, 0

    def fingerprint(self, *_: object) -> None:
        return None

    async def respond(self, request: Request, context: Context) -> Response:
        self.asked += 1
        if request.model == "good" and self.asked <= self.unknown:
            raise UnknownModel("there is no model good")
        return await self.inner.respond(request, context)


@pytest.mark.parametrize(("unknown", "failed"), [(3, 0), (100, 3)])
async def test_a_process_that_goes_on_waits_for_models_that_it_has_not_loaded_yet(
    home: Lab, monkeypatch: pytest.MonkeyPatch, unknown: int, failed: int
) -> None:
    monkeypatch.setattr(asking, "_LOADING_S", 0.001)
    await home.data.add_examples(home.who, "sums", sums(3))
    made = await home.experiments.submit(home.who, "sums", None, spec("good", concurrency=1))
    stores, ring = home.rooms.stores, _Loading(home.rooms.responder, unknown)
    home.rooms.responder = ring  # type: ignore[misc]
    job = await stores.jobs.lease(KIND, "dead", 30.0)
    assert job is not None
    await stores.jobs.release(job)
    await home.run()
    row = await home.experiments.results.get(home.who, made.id)
    assert (await home.experiments.report(home.who, row))["responders"][0]["failed"] == failed
    # One that does not come is waited for once.
    assert ring.asked == (6 if not failed else 8 + 2)


async def test_a_cancelled_one_keeps_what_it_has(home: Lab) -> None:
    await home.data.add_examples(home.who, "sums", sums(4))
    made = await home.experiments.submit(home.who, "sums", None, spec("good"))
    await home.experiments.cancel(home.who, made.id)
    await home.run()
    row = await home.experiments.results.get(home.who, made.id)
    assert row.state == "cancelled"
    assert rows.load(row.report)["examples"] == 0
    assert home.asked == 0


async def test_drift_between_two_runs_is_reported_by_slice(home: Lab) -> None:
    """Small sums get worse and large ones stay: the whole hides what the slice shows."""
    await home.data.add_examples(home.who, "sums", sums(30))
    asked = spec("good", scorers=["exact"])
    first = await home.experiments.submit(home.who, "sums", None, asked)
    await home.run()
    small = {each.question for each in sums(5)}
    home.home.serve(
        "worse", lambda g: ["No idea." if g.messages[-1].content in small else RIGHT[g.messages[-1].content]]
    )
    second = await home.experiments.submit(home.who, "sums", None, spec("worse", scorers=["exact"]))
    await home.run()
    found = await home.experiments.drift(home.who, first.id, second.id, "")
    assert found["examples"] == 30
    assert found["comparisons"][0]["difference"]["mean"] == pytest.approx(-5 / 30)
    changes = {each["value"]: each["comparisons"][0] for each in found["slices"]}
    assert (changes["small"]["difference"]["mean"], changes["large"]["difference"]["mean"]) == (-1.0, 0.0)
    assert changes["small"]["p_corrected"] < changes["large"]["p_corrected"]
    await home.data.add_examples(home.who, "other", sums(2))
    third = await home.experiments.submit(home.who, "other", None, asked)
    await home.run()
    with pytest.raises(InvalidRequest, match="data set"):
        await home.experiments.drift(home.who, first.id, third.id, "")
