"""Only its owner can read a home, whichever part creates it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring import stores
from mainspring.core import private_files
from mainspring.core.settings import Settings
from mainspring.core.settings.telemetry import TelemetrySettings
from mainspring.stores.cache import answers
from mainspring.stores.monitoring import spans
from mainspring.telemetry.logs import FileHandler
from tests.cli.command import Command


@pytest.fixture(autouse=True)
def _usual_mask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_what_is_in_a_home_is_for_nobody_else(tmp_path: Path) -> None:
    """Where the home was made by somebody else and is open, the files in it are not."""
    home = tmp_path / "open"
    home.mkdir(mode=0o755)
    async with stores.open(Settings(home=home)) as opened:
        await opened.keys.create("k", scopes=frozenset({"chat"}))
        await opened.spans.write([spans.SpanRow("t", "s", None, "request", 1, 2, "ok")])
        await opened.cache.put("key", b"value", 60, frozenset())
        await opened.files.add("default", "a.txt", b"words", "assistants")
    assert {"mainspring.db", answers.FILE_NAME, spans.FILE_NAME} <= {each.name for each in home.iterdir()}
    for each in home.rglob("*"):
        if each.is_file():
            assert mode(each) == 0o600, each


async def test_the_log_does_not_open_the_home_that_it_makes(tmp_path: Path) -> None:
    home = tmp_path / "not" / "yet"
    handler = FileHandler(home / "logs", TelemetrySettings())
    handler.emit(logging.makeLogRecord({"msg": "hello"}))
    handler.close()
    for each in (home.parent, home, home / "logs"):
        assert mode(each) == 0o700, each


def test_commands_make_it_private_and_say_where_it_is_not(tmp_path: Path) -> None:
    command = Command(tmp_path)
    command.said("keys", "create", "web")
    home = command.place / "home"
    assert mode(home) == 0o700
    assert "others on this machine" not in command.said("doctor")
    home.chmod(0o755)
    assert f"chmod 700 {home}" in command.said("doctor")


def test_folders_that_are_there_stay_as_they_are(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    private_files.folder(shared / "a" / "b")
    assert [mode(each) for each in (shared, shared / "a", shared / "a" / "b")] == [0o755, 0o700, 0o700]
    assert private_files.readable_by_others(shared)
    assert not private_files.readable_by_others(shared / "a")
    assert not private_files.readable_by_others(shared / "nothing")
