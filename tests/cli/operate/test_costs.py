"""``mainspring costs`` and ``mainspring budgets``, over stores that this test fills."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mainspring import stores
from mainspring.cli.main import app
from mainspring.core.facts.registry import read
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord
from mainspring.stores.sql import ids
from tests.cli.command import data

pytestmark = pytest.mark.usefixtures("one_day")
HOUR = 3600
CONFIG = """
home: {home}
models:
  remote:
    sonnet: {{url: "https://api.anthropic.com/v1", model: claude-sonnet-4-5}}
    mystery: {{url: "http://gpu-7:8000/v1", model: qwen3-32b}}
prices:
  per_hour: 0.36
"""
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    (tmp_path / "mainspring.yaml").write_text(CONFIG.format(home=tmp_path / "home"))
    monkeypatch.delenv("MAINSPRING_HOME", raising=False)
    return lambda *arguments: CliRunner().invoke(app, ["--config", str(tmp_path / "mainspring.yaml"), *arguments])


def fill(home: Path, *calls: tuple[float, dict[str, Any]]) -> None:
    now = time.time()

    async def work() -> None:
        async with stores.open(Settings(home=home)) as opened:
            for ago, facts in calls:
                whole = {"model": "sonnet", "application": "support", "key_id": "key_1", "prompt_tokens": 10} | facts
                record = EventRecord(ids.new("evt_"), now - ago, "default", "t1", "a", read("call", whole))
                await opened.events.append(record)

    asyncio.run(work())


def test_costs_by_model_and_by_more(run: Run, tmp_path: Path) -> None:
    assert run("costs").stdout == "Nothing was spent.\n"
    fill(
        tmp_path / "home",
        (60, {"cost_nanousd": 1_500_000_000, "completion_tokens": 5}),
        (60, {"model": "mystery", "unpriced": True, "cost_nanousd": 0}),
        (10 * 86_400, {"cost_nanousd": 250_000_000}),
    )
    table = run("costs").stdout
    assert "sonnet" in table
    assert "1.750000" in table
    assert "1 calls were of models whose price nobody knows" in table
    lines = data(run("costs", "--by", "application", "--since", "7d", "--json").stdout)
    assert [(line["application"], line["cost_usd"], line["unpriced_calls"]) for line in lines] == [("support", 1.5, 1)]
    assert len(data(run("costs", "--by", "day", "--by", "key", "--json").stdout)) == 2
    assert data(run("costs", "--tenant", "other", "--json").stdout) == []
    assert len(data(run("costs", "--trace", "t1", "--json").stdout)) == 2
    assert "nothing was spent under trace t2" in str(run("costs", "--trace", "t2").exception)
    assert "cannot be grouped by colour" in str(run("costs", "--by", "colour").exception)
    assert "'soon' is not a time" in str(run("costs", "--since", "soon").exception)


def test_what_routing_saved_is_told_where_it_is_known(run: Run, tmp_path: Path) -> None:
    routed = {"application": "auto", "cost_nanousd": 10**9, "routed": True}
    fill(
        tmp_path / "home",
        (60, {**routed, "routing_saved_nanousd": 3 * 10**9}),
        (60, {"application": "auto", "cost_nanousd": 10**9, "routing_saved_nanousd": -(10**9)}),
        (60, {**routed, "model": "mystery", "routing_unknown": True}),
    )
    lines = {line["model"]: line for line in data(run("costs", "--json").stdout)}
    assert (lines["sonnet"]["routed_answers"], lines["sonnet"]["routing_saved_nanousd"]) == (1, 2 * 10**9)
    assert (lines["mystery"]["routing_unknown_answers"], lines["mystery"]["routing_saved_nanousd"]) == (1, None)
    table = run("costs").stdout
    rows = {row.split()[0]: row.split() for row in table.splitlines() if row.strip()}
    assert rows["sonnet"][-1] == "2.000000"
    assert rows["mystery"][-1] == "?"
    assert rows["total"][-1] == "2.000000"
    assert "What routing saved on 1 answer is unknown" in table


def test_prices_say_where_they_come_from(run: Run, tmp_path: Path) -> None:
    from mainspring.serving.money.tariffs import Throughput, keep_throughput

    (tmp_path / "home").mkdir()
    keep_throughput(tmp_path / "home", "smollm2-135m-instruct", Throughput(1000.0, 250.0))
    found = {row["model"]: row for row in data(run("costs", "prices", "--json").stdout)}
    sonnet, own = found["sonnet"], found["smollm2-135m-instruct"]
    assert (sonnet["input"], sonnet["cached_input"], sonnet["output"], sonnet["batch_output"]) == (3.0, 0.3, 15.0, None)
    assert sonnet["source"].startswith("genai-prices ")
    assert (own["input"], own["output"], own["source"][:14]) == (0.1, 0.4, "own: $0.36 an ")
    assert (found["mystery"]["source"], found["all-minilm-l6-v2"]["source"]) == ("unpriced", "unpriced")
    checks = {check["check"]: check for check in data(run("doctor", "--json").stdout)["checks"]}
    assert checks["prices"]["state"] == "unpriced"
    assert "mystery" in checks["prices"]["detail"]
    assert "is not in models.chat" in str(run("costs", "calibrate", "nobody").exception)


def test_anomalies_and_advice(run: Run, tmp_path: Path) -> None:
    assert "No hour cost" in run("costs", "--anomalies").stdout
    usual: list[tuple[float, dict[str, Any]]] = [(HOUR * n, {"cost_nanousd": 10**9}) for n in range(1, 24 * 10)]
    reused: list[tuple[float, dict[str, Any]]] = [
        (HOUR + n, {"prefix": "p1", "prefix_tokens": 10_000, "cost_nanousd": 0}) for n in range(5)
    ]
    fill(tmp_path / "home", *usual, (2 * HOUR, {"cost_nanousd": 60 * 10**9}), *reused)
    (told,) = data(run("costs", "--anomalies", "--json").stdout)
    assert (told["model"], told["cost $"], told["expected $"]) == ("sonnet", 61.0, pytest.approx(1.0))
    (advised,) = data(run("costs", "advice", "--json").stdout)
    assert (advised["uses"], advised["writes"], advised["break_even"]) == (5, 1, 2)
    assert advised["saves"] == 10_000 * (5 * 3000 - 3750 - 4 * 300)
    assert "2 uses" in run("costs", "advice").stdout


def test_the_life_of_a_budget(run: Run, tmp_path: Path) -> None:
    assert "No budgets yet" in run("budgets", "list").stdout
    fill(tmp_path / "home", (1, {"cost_nanousd": 2 * 10**9}))
    made = run("budgets", "create", "--usd", "1.50", "--name", "lab", "--soft").stdout.strip()
    over_all = data(run("budgets", "create", "--scope", "global", "--tokens", "9", "--json").stdout)["id"]
    (listed,) = data(run("budgets", "list", "--json").stdout)
    assert (listed["id"], listed["spent_usd"], listed["limit_usd"], listed["exceeded"]) == (made, 2.0, 1.5, True)
    assert "soft" in run("budgets", "list").stdout
    assert [row["id"] for row in data(run("budgets", "list", "--tenant", "", "--json").stdout)] == [over_all]
    assert "is changed" in run("budgets", "change", made, "--usd", "3").stdout
    assert data(run("budgets", "list", "--json").stdout)[0]["limit_nanousd"] == 3 * 10**9
    for wrong, said in (
        (("create",), "needs limit_usd or limit_tokens"),
        (("create", "--usd", "much"), "not an amount"),
        (("create", "--usd", "0.0000000001"), "nine places"),
        (("create", "--usd", "nan"), "not an amount"),
        (("create", "--usd", "1", "--scope", "planet"), "unknown scope"),
        (("create", "--usd", "1e19"), "from 0 to 1,000,000,000"),
        (("change", made, "--usd", "-1"), "from 0 to"),
        (("change", made), "nothing to change"),
        (("delete", "budget_x"), "there is no budget budget_x"),
    ):
        assert said in str(run("budgets", *wrong).exception), wrong
    assert "is deleted" in run("budgets", "delete", made).stdout
    assert "is deleted" in run("budgets", "delete", over_all, "--tenant", "").stdout
