"""The command line shows of a run what the server has: why it failed, its log, its samples, and where it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest
from tests.cli.bridged import asked
from tests.features.train.test_routes import client_of, over, served, uploaded
from tests.features.train.world import points

pytestmark = pytest.mark.slow


async def test_a_run_is_followed_by_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path, monkeypatch) as world:
        key = world.keys["red"]
        client = client_of(world, key)
        file = await uploaded(client, points())

        async def made(**options: Any) -> str:
            body = {"recipe": "line", "training_file": file, "options": options, "suffix": "mine", "usd": 3}
            return str((await world.call(key, "POST", "/v1/training/jobs", body)).json()["id"])

        async def said(*words: str) -> str:
            return await asked(monkeypatch, world, key, "train", *words)

        good, bad = await made(steps=20), await made(steps=9, fails="bug")
        for job in (good, bad):
            await over(client, job)
        samples = await said("samples", good)
        assert samples.startswith("x = 1\n  after step 0:\n    0.000\n  after step 20:\n    ")
        shown = await said("show", good)
        assert "It made mine@1." in shown
        assert "Step 20 after" in shown
        assert ", loss 0." in shown
        assert "options: steps=20; limits: usd 3" in shown
        # Of a failed one most of all.
        shown = await said("show", bad)
        assert "failed" in shown.splitlines()[0]
        assert "a bug of the recipe" in shown.splitlines()[0]
        assert len([line for line in shown.splitlines() if line.startswith("  ")]) >= 2
        assert 'ValueError("a bug of the recipe")' in await said("log", bad)
        assert len(await said("log", bad, "--characters", "30")) <= 31
        lineage = await said("lineage", "mine")
        assert f"job: {good}\n" in lineage
        assert "No sources of its rows are known." in lineage
        assert "No version was made from chatcmpl-1." in await said("lineage", "--made-of", "chatcmpl-1")
        for words in (("lineage",), ("lineage", "mine", "--made-of", "chatcmpl-1")):
            with pytest.raises(InvalidRequest, match="made-of"):
                await said(*words)


async def test_sources_and_options_are_in_the_lineage(monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from mainspring.cli.main import app
    from mainspring.terminal.remote import Server

    paths: list[str] = []
    version = {"id": "a@2", "makes": "chat", "recipe": "sft", "base": None, "served": None, "stale": "rows\x1b[2J"}

    def call(_: Server, method: str, path: str, body: object = None) -> Any:
        paths.append(path)
        if "made-of" in path:
            return {"data": [version]}
        sources = [{"kind": "answer", "id": "chatcmpl-1"}, {"kind": "trace", "id": "t1"}]
        named = {"teacher": "large@3"}
        return {"job": "ftjob-1", "base": "tiny", "export": None, "named": named, "data": sources, "has_more": True}

    monkeypatch.setattr(Server, "call", call)

    def said(*words: str) -> list[str]:
        done = CliRunner().invoke(app, ["train", "lineage", *words], env={"MAINSPRING_API_KEY": "ms-x"})
        assert done.exit_code == 0, done.output
        return done.output.splitlines()

    lines = said("a@2")
    assert lines[:3] == ["job: ftjob-1", "base: tiny", "option teacher: large@3"]
    assert ["answer", "chatcmpl-1"] in [line.split() for line in lines]
    assert lines[-1] == "There are more."
    lines = said("--made-of", "chatcmpl/1")
    assert lines[1].split()[:2] == ["a@2", "chat"]
    # No name or reason controls a terminal.
    assert "\x1b" not in lines[1]
    assert paths == ["/v1/training/versions/a%402/lineage?limit=10000", "/v1/training/made-of/chatcmpl%2F1"]
