from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mainspring.engines import grammars
from mainspring.engines.grammars import GrammarTrial
from mainspring.errors import InvalidSchema
from mainspring.types import Grammar

# A compiler whose grammars say what becomes of it; it writes down what it was given.
COMPILER = """
import os, time
from mainspring.engines.protocol import run_child

def serve(channel, configuration):
    channel.send({"ready": {}})
    while True:
        for message in channel.receive(wait=True):
            with open(configuration["model"], "a") as log:
                print(os.getpid(), message["source"], file=log)
            if message["source"] == "slow":
                time.sleep(600)
            if message["source"] == "crash":
                os._exit(9)
            channel.send({"id": message["id"], "problem": "no good" if message["source"] == "bad" else ""})

run_child(serve)
"""


class Trial(GrammarTrial):
    """A trial by the compiler above."""

    def __init__(self, log: Path) -> None:
        super().__init__(log, "test")
        self._log = log

    def given(self, source: str) -> list[int]:
        """Process ids of the compilers that were given ``source``."""
        rows = [line.split() for line in self._log.read_text().splitlines()]
        return [int(pid) for pid, found in rows if found == source]

    async def does(self, source: str) -> str:
        """What ``check`` says; empty if it accepts."""
        try:
            await self.check(Grammar("regex", source))
        except InvalidSchema as error:
            return error.message
        return ""


@pytest_asyncio.fixture
async def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Trial]:
    (tmp_path / "compiler_under_test.py").write_text(COMPILER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(grammars, "CHILD", "compiler_under_test")
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
        patch.setattr(grammars, "_COMPILE_S", 0.1)
        assert "longer than 0.1 s" in await trial.does("slow")
    assert await trial.does("next") == ""
    assert trial.given("next") != trial.given("first")


async def test_one_whose_compiler_was_killed_before_is_tried_again(trial: Trial) -> None:
    assert await trial.does("first") == ""
    os.kill(trial.given("first")[0], signal.SIGKILL)
    assert await trial.does("next") == ""


async def test_a_death_is_a_refusal_but_not_a_verdict(trial: Trial) -> None:
    assert "did not survive" in await trial.does("crash")
    assert len(set(trial.given("crash"))) == 2
    assert "did not survive" in await trial.does("crash")
    assert len(set(trial.given("crash"))) == 4
    assert await trial.does("next") == ""


async def test_nobody_waits_for_a_grammar_whose_caller_left(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grammars, "_COMPILE_S", 20.0)
    assert await trial.does("first") == ""
    leaving = asyncio.create_task(trial.does("slow"))
    async with asyncio.timeout(30):
        while not trial.given("slow"):
            await asyncio.sleep(0.01)
    leaving.cancel()
    assert await trial.does("next") == ""
