from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytest_asyncio

from mainspring.core.errors import EngineDied, InvalidSchema, RateLimited
from mainspring.core.types import Grammar
from mainspring.engines.grammar import child, trials
from mainspring.engines.grammar.trials import GrammarTrial

# A compiler whose grammars say what becomes of it; it writes down what it was given.
COMPILER = """
import os, time
from mainspring.engines.process.protocol import run_child

def serve(channel, configuration):
    channel.send({"ready": {}})
    while True:
        for message in channel.receive(wait=True):
            with open(configuration["model"], "a") as log:
                print(os.getpid(), message["source"], file=log)
            if message["source"].startswith("slow"):
                time.sleep(600)
            if message["source"] == "crash":
                os._exit(9)
            channel.send({"id": message["id"], "problem": "no good" if message["source"] == "bad" else ""})

run_child(serve)
"""


class Trial(GrammarTrial):
    """A trial by the compiler above."""

    def __init__(self, log: Path) -> None:
        self.now = 0.0
        super().__init__(log, "test", lambda: self.now)
        self._log = log

    def given(self, source: str) -> list[int]:
        """Process ids of the compilers that were given ``source``."""
        rows = [line.split() for line in self._log.read_text().splitlines()]
        return [int(pid) for pid, found in rows if found == source]

    def compiling(self) -> set[int]:
        """Process ids of the compilers that were given something slow."""
        if not self._log.exists():
            return set()
        rows = [line.split() for line in self._log.read_text().splitlines()]
        return {int(pid) for pid, source in rows if source.startswith("slow")}

    async def does(self, source: str, tenant: str = "acme") -> str:
        """What ``check`` says; empty if it accepts."""
        try:
            await self.check(Grammar("regex", source), tenant)
        except InvalidSchema as error:
            return error.message
        return ""


@pytest_asyncio.fixture
async def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Trial]:
    (tmp_path / "compiler_under_test.py").write_text(COMPILER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(trials, "CHILD", "compiler_under_test")
    trial = Trial(tmp_path / "log")
    yield trial
    await trial.close()


async def test_answers_are_remembered(trial: Trial) -> None:
    for _ in range(2):
        assert await trial.does("fine") == ""
        assert "no good" in await trial.does("bad")
    assert len(trial.given("fine")) == len(trial.given("bad")) == 1


async def test_after_one_that_is_too_slow_the_next_gets_its_own_verdict(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await trial.does("first") == ""
    with monkeypatch.context() as patch:
        patch.setattr(trials, "_QUICK_S", 0.1)
        patch.setattr(trials, "_COMPILE_S", 0.2)
        assert "longer than 0.2 s" in await trial.does("slow")
    assert await trial.does("next") == ""
    assert trial.given("next") != trial.given("first")


async def test_one_whose_compiler_was_killed_before_is_tried_again(trial: Trial) -> None:
    assert await trial.does("first") == ""
    os.kill(trial.given("first")[0], signal.SIGKILL)
    assert await trial.does("next") == ""


async def test_a_compiler_that_did_not_start_is_started_again_for_the_next_grammar(
    trial: Trial, tmp_path: Path
) -> None:
    compiler = tmp_path / "compiler_under_test.py"
    compiler.write_text("raise SystemExit('no memory')")
    for _ in range(2):
        with pytest.raises(EngineDied, match="no memory") as raised:
            await trial.does("fine")
        assert raised.value.retry_after
    compiler.write_text(COMPILER)
    assert await trial.does("fine") == ""


async def test_a_death_is_a_refusal_for_a_while(trial: Trial) -> None:
    for _ in range(2):
        assert "did not survive" in await trial.does("crash")
    assert len(set(trial.given("crash"))) == 2
    trial.now += trials._DOUBTFUL_S
    assert "did not survive" in await trial.does("crash")
    assert len(set(trial.given("crash"))) == 4
    assert await trial.does("next") == ""


async def test_that_one_is_too_slow_is_remembered_for_a_while(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "_QUICK_S", 0.1)
    monkeypatch.setattr(trials, "_COMPILE_S", 0.1)
    for tenant in ("acme", "acme", "other"):
        assert "longer than" in await trial.does("slow", tenant)
    assert len(set(trial.given("slow"))) == 2
    trial.now += trials._DOUBTFUL_S
    assert "longer than" in await trial.does("slow")
    assert len(set(trial.given("slow"))) == 4


async def test_a_slow_grammar_holds_nobody_else(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "_QUICK_S", 0.1)
    monkeypatch.setattr(trials, "_COMPILE_S", 600.0)
    slow = [asyncio.create_task(trial.does(f"slow{number}", "a")) for number in range(6)]
    async with asyncio.timeout(60):
        while len(trial.compiling()) < 2:
            await asyncio.sleep(0.01)
        for number in range(3):
            assert await trial.does(f"fine{number}", "b") == ""
    assert not any(task.done() for task in slow)
    # What follows of a tenant with a slow grammar goes where the slow ones are.
    assert len(set(trial.given("fine2"))) == 1
    for number in range(1, 6):
        assert not set(trial.given(f"slow{number}")) & set(trial.given("fine2"))
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


async def test_a_tenant_has_an_allowance_of_compiling_time(trial: Trial) -> None:
    assert await trial.does("fine") == ""
    trial._allowances.take("acme", trials._ALLOWANCE_S)
    assert await trial.does("fine") == ""
    with pytest.raises(RateLimited) as limited:
        await trial.does("new")
    assert limited.value.retry_after is not None
    assert await trial.does("new", "other") == ""
    trial.now += limited.value.retry_after
    assert await trial.does("newer") == ""


@pytest.mark.usefixtures("trial")
async def test_verdicts_that_are_kept_are_few_and_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "_REMEMBERED", 3)
    forgetful = Trial(tmp_path / "log")
    try:
        for number in range(6):
            assert await forgetful.does(f"fine{number}" + "x" * 1000) == ""
        assert len(forgetful._verdicts) == 3
        assert all(len(key) == 32 for key in forgetful._verdicts)
    finally:
        await forgetful.close()


async def test_nobody_waits_for_a_grammar_whose_caller_left(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "_COMPILE_S", 20.0)
    assert await trial.does("first") == ""
    leaving = asyncio.create_task(trial.does("slow"))
    async with asyncio.timeout(30):
        while not trial.given("slow"):
            await asyncio.sleep(0.01)
    leaving.cancel()
    assert await trial.does("next") == ""


def test_the_compiler_gives_way_to_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    class Stopped(Exception):
        pass

    def tokenizer(_path: str) -> None:
        raise Stopped

    monkeypatch.setitem(sys.modules, "openvino_genai", SimpleNamespace(Tokenizer=tokenizer))
    monkeypatch.setattr("os.nice", seen.append)
    with pytest.raises(Stopped):
        child.serve(None, {"model": ""})  # type: ignore[arg-type]
    assert len(seen) == 1
    assert seen[0] >= 5
