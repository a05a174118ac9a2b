"""``mainspring backup`` and ``restore``: files appear only when they are complete, and wrong ones are refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mainspring import stores
from mainspring.cli.main import app
from mainspring.core.errors import Conflict, InvalidRequest, NotFound
from mainspring.core.settings import Settings
from tests.cli.command import data


async def _fill(home: Path) -> str:
    async with stores.open(Settings(home=home)) as opened:
        _, secret = await opened.keys.create("k", scopes=frozenset({"chat"}))
        return secret


async def _scopes(home: Path, secret: str) -> frozenset[str]:
    async with stores.open(Settings(home=home)) as opened:
        return (await opened.keys.authenticate(secret)).scopes


@pytest.mark.parametrize("name", ["home.tar", "home.tar.gz", "url"])
def test_a_home_is_packed_and_unpacked(tmp_path: Path, name: str) -> None:
    home, new = tmp_path / "home", tmp_path / "new"
    secret = asyncio.run(_fill(home))
    target = f"file://{tmp_path}/there.tar" if name == "url" else str(tmp_path / name)
    if name == "url":
        pytest.importorskip("fsspec")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments, env={"MAINSPRING_HOME": str(home)})

    done = run("backup", target, "--json")
    assert done.exit_code == 0, done.exception
    told = data(done.stdout)
    assert told["missing"] == []
    assert told["bytes"] > 0
    if name != "url":
        assert Path(target).stat().st_mode & 0o077 == 0
        assert isinstance(run("backup", target).exception, Conflict)
        assert not list(tmp_path.glob("*.part"))
    done = run("restore", target, "--home", str(new))
    assert done.exit_code == 0, done.exception
    assert f"MAINSPRING_HOME={new}" in done.stdout
    assert asyncio.run(_scopes(new, secret)) == {"chat"}
    assert isinstance(run("restore", target, "--home", str(new)).exception, Conflict)
    assert isinstance(run("backup", str(home / "in.tar")).exception, InvalidRequest)
    assert isinstance(run("restore", str(tmp_path / "none"), "--home", str(tmp_path / "x")).exception, NotFound)
