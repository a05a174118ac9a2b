from __future__ import annotations

import asyncio
from pathlib import Path

from typer.testing import CliRunner, Result

from mainspring import stores
from mainspring.cli.main import app
from mainspring.core.errors import Conflict, InvalidRequest, NotFound
from mainspring.core.settings import Settings
from tests.cli.command import data
from tests.features.batches.test_routes import line


async def _key(home: Path) -> str:
    async with stores.open(Settings(home=home)) as opened:
        info, _ = await opened.keys.create("k", scopes=frozenset({"chat"}), groups=frozenset({"red"}))
        return info.id


async def _finish(home: Path) -> None:
    async with stores.open(Settings(home=home)) as opened:
        job = await opened.jobs.lease("batch", "w", 60)
        assert job is not None
        assert await opened.batches.begin(job, 2)
        assert await opened.batches.record(job, 1, '{"custom_id": "c1"}', succeeded=True)
        assert await opened.batches.finish(job, "completed")


def test_a_batch_is_submitted_shown_downloaded_and_cancelled(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "in.jsonl"
    key = asyncio.run(_key(home))

    def run(*arguments: str) -> Result:
        # In this process: a dozen interpreters would take as many seconds.
        return CliRunner().invoke(app, ["batches", *arguments], env={"MAINSPRING_HOME": str(home)})

    def said(*arguments: str) -> str:
        done = run(*arguments)
        assert done.exit_code == 0, done.exception
        return done.stdout

    assert "No batches" in said("list")
    file.write_text(f"{line(1)}\n{line(1)}\n", encoding="utf-8")
    bad = run("submit", str(file), "--key", key).exception
    assert isinstance(bad, InvalidRequest)
    assert "line 2: the custom_id 'c1' was used before" in str(bad)
    assert isinstance(run("submit", str(file), "--key", key, "--window", "x").exception, InvalidRequest)
    file.write_text(f"{line(1)}\n{line(2)}\n", encoding="utf-8")
    assert isinstance(run("submit", str(file), "--key", "key_x").exception, NotFound)
    made = data(said("submit", str(file), "--key", key, "--json"))
    assert isinstance(run("show", made["id"]).exception, NotFound)
    red = ("--group", "red")
    assert "validating, 0 of 0" in said("show", made["id"], *red)
    assert isinstance(run("download", made["id"], *red).exception, NotFound)
    asyncio.run(_finish(home))
    assert "completed" in said("list", *red)
    assert data(said("list", *red, "--json"))[0]["request_counts"] == {"total": 2, "completed": 1, "failed": 0}
    assert said("download", made["id"], *red) == '{"custom_id": "c1"}\n'
    assert isinstance(run("cancel", made["id"], *red).exception, Conflict)
    again = said("submit", str(file), "--key", key).splitlines()[0]
    assert "being cancelled" in said("cancel", again, *red)
    assert "cancelling" in said("show", again, *red)
