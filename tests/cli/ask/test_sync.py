"""``mainspring ingest`` and ``sync`` of sources: what changed, who may see it, and staying to watch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from mainspring.core.errors import NotFound
from mainspring.core.settings import Settings
from mainspring.engines.catalogue.pull import Puller

Done = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "docs"
    made.mkdir()
    for name in ("otters", "crabs", "seals"):
        (made / f"{name}.md").write_text(f"# {name.title()}\n\nAll that is known about {name} stands here.\n")
    return made


def lists(done: Done, tmp_path: Path) -> dict[str, list[str]]:
    """The access list of each document of the collection, as an export has it."""
    file = tmp_path / "notes.zip"
    file.unlink(missing_ok=True)
    done("rag", "export", "notes", str(file), "--group", "legal")
    with zipfile.ZipFile(file) as archive:
        rows = map(json.loads, archive.read("documents.jsonl").splitlines())
    return {row["name"]: row["groups"] for row in rows}


def _interruptible() -> None:
    # Where the tests run in the background, interrupts are ignored, and so they would be by what is started here.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_sources_are_followed_by_their_collection(done: Done, folder: Path) -> None:
    assert "notes: 3 read" in done("ingest", "notes", str(folder)).stderr
    (folder / "otters.md").write_text("# Otters\n\nRiver otters live alone.\n")
    (folder / "crabs.md").unlink()
    (folder / "seals.md").rename(folder / "sea seals.md")
    (folder / "whales.md").write_text("# Whales\n\nWhales sing.\n")
    # What is renamed has another title, and is read again.
    assert "notes: 3 read, 1 moved, 1 removed" in done("sync", "notes").stderr
    assert "notes: 3 unchanged" in done("sync", "notes").stderr
    with pytest.raises(NotFound, match="there is no"):
        done("sync", "elsewhere")


def test_what_a_source_has_is_for_a_group_until_it_is_said_otherwise(done: Done, folder: Path, tmp_path: Path) -> None:
    done("ingest", "notes", str(folder), "--group", "legal")
    assert set(map(tuple, lists(done, tmp_path).values())) == {("legal",)}
    (folder / "new.md").write_text("# New\n\nSomething new.\n")
    done("sync", "notes")
    done("ingest", "notes", str(folder))
    assert lists(done, tmp_path)["new.md"] == ["legal"]
    assert set(map(tuple, lists(done, tmp_path).values())) == {("legal",)}
    done("ingest", "notes", str(folder), "--everyone")
    assert set(map(tuple, lists(done, tmp_path).values())) == {()}


def test_watching_follows_changes_until_it_is_interrupted(folder: Path, tmp_path: Path) -> None:
    pulled = Puller(Settings()).pull("all-minilm-l6-v2")
    models = tmp_path / "models"
    models.mkdir()
    (models / pulled.directory.name).symlink_to(pulled.directory)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAINSPRING_")}
    environment |= {"MAINSPRING_HOME": str(tmp_path / "home"), "MAINSPRING_MODELS__DIRECTORY": str(models)}
    command = [sys.executable, "-m", "mainspring", "ingest", "notes", str(folder), "--watch"]
    process = subprocess.Popen(
        command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=_interruptible
    )
    # Whatever goes wrong, the test ends.
    guard = threading.Timer(120, process.kill)
    guard.start()
    said: list[str] = []

    def until(text: str) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if text in line:
                return
        raise AssertionError(f"{text!r} was never said: {said}")

    try:
        until("watching 1 sources")
        (folder / "whales.md").write_text("# Whales\n\nWhales sing.\n")
        until("1 read, 3 unchanged")
        (folder / "whales.md").unlink()
        until("3 unchanged, 1 removed")
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        rest = process.stderr.read()
        assert process.wait(60) == 130, rest
        assert "Traceback" not in rest
    finally:
        guard.cancel()
        process.kill()
        process.wait()
