"""A wait for a silent child process can be stopped."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mainspring.engines.catalogue import convert
from mainspring.engines.catalogue.entries import FileEntry
from mainspring.engines.catalogue.sources import Fetcher, sha256_of
from mainspring.engines.process import child_output


class Stopped(Exception):
    pass


def stop_after(beats: int) -> Callable[..., None]:
    left = [beats]

    def beat(*_: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Stopped

    return beat


def test_lines_come_whole_and_beats_between_them() -> None:
    beats = []
    script = (
        "import sys, time; sys.stdout.write('one\\ntw'); sys.stdout.flush(); time.sleep(.3); print('ö\\nend', end='')"
    )
    command = [sys.executable, "-X", "utf8", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        found = list(child_output.lines(process.stdout, lambda: beats.append(1), every_s=0.02))
    assert found == ["one", "twö", "end"]
    assert len(beats) >= 3


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of Python: a program that says nothing for a minute. Its process id is in the file."""
    told = tmp_path / "pid"
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho $$ > {told}.new; mv {told}.new {told}; exec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    return told


def stop_when(told: Path) -> Callable[..., None]:
    def beat(*_: object) -> None:
        if told.exists():
            raise Stopped

    return beat


def ended(told: Path) -> bool:
    try:
        os.kill(int(told.read_text()), 0)
    except ProcessLookupError:
        return True
    return False


def test_a_conversion_that_says_nothing_is_stopped(silent: Path) -> None:
    with pytest.raises(Stopped):
        convert.run({"step": "check"}, stop_when(silent))
    assert ended(silent)


@pytest.mark.parametrize("source", ["pypi:pkg==1.0/a", "pypi:pkg-{1..3}==1.0/a{1..3}"])
def test_a_download_that_says_nothing_is_stopped(tmp_path: Path, silent: Path, source: str) -> None:
    fetcher = Fetcher(tmp_path, tmp_path / "archives", progress=stop_when(silent))
    with pytest.raises(Stopped):
        fetcher.fetch(FileEntry(name="a", sources=(source,)))
    assert ended(silent)


def test_hashing_can_be_stopped(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as sink:
        sink.truncate(3 << 24)
    assert len(sha256_of(path, stop_after(3))) == 64
    with pytest.raises(Stopped):
        sha256_of(path, stop_after(2))
