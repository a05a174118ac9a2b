"""``mainspring logs``: filters, files that were put aside, and lines that come."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.settings import TelemetrySettings
from mainspring.telemetry.logs import FILE, REQUESTS, FileHandler, expire, files
from tests.cli.command import Command


def write(folder: Path, *entries: dict[str, Any], megabytes: float = 1.0) -> None:
    """Lines as the server writes them: ``message``, ``level``, ``ago`` seconds (or ``at``), ``name``, and fields."""
    handler = FileHandler(folder, TelemetrySettings(log_file_mb=megabytes))
    for entry in entries:
        fields = dict(entry)
        name, level = fields.pop("name", REQUESTS), fields.pop("level", "INFO")
        record = logging.LogRecord(name, getattr(logging, level), "", 0, fields.pop("message", "request"), (), None)
        record.created = fields.pop("at", time.time() - fields.pop("ago", 0))
        vars(record).update(fields)
        handler.handle(record)
    handler.close()


def shown(tmp_path: Path, *arguments: str) -> list[dict[str, Any]]:
    said = Command(tmp_path).said("logs", "--json", *arguments)
    return [json.loads(line) for line in said.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "home" / "logs"
    write(
        made,
        {"trace_id": "a", "model": "m", "code": "ok", "tenant": "t", "ago": 7200},
        {"trace_id": "b", "model": "m", "code": "content_refused", "level": "WARNING", "ago": 60},
        {"trace_id": "b", "model": "n", "code": "engine_died", "level": "ERROR", "guards": ["x y", "z"]},
        {"name": "mainspring.gateway", "message": "503 overloaded", "level": "WARNING", "trace_id": "c"},
    )
    return made


def test_lines_are_filtered(tmp_path: Path, folder: Path) -> None:
    assert len(shown(tmp_path)) == 4
    assert [line["trace_id"] for line in shown(tmp_path, "--trace", "b")] == ["b", "b"]
    assert [line["level"] for line in shown(tmp_path, "--level", "warning")] == ["warning", "error", "warning"]
    assert [line["trace_id"] for line in shown(tmp_path, "--since", "1h")] == ["b", "b", "c"]
    assert [line["code"] for line in shown(tmp_path, "--model", "m")] == ["ok", "content_refused"]
    assert [line["model"] for line in shown(tmp_path, "--code", "engine_died")] == ["n"]
    assert [line["tenant"] for line in shown(tmp_path, "--tenant", "t")] == ["t"]
    assert len(shown(tmp_path, "--requests")) == 3
    assert [line["trace_id"] for line in shown(tmp_path, "-n", "1")] == ["c"]
    assert "guards='x y,z'" in Command(tmp_path).said("logs", "--code", "engine_died")


def test_times_are_shown_as_they_may_be_said(tmp_path: Path, folder: Path) -> None:
    """In the reader's zone: a time that was copied from one line finds that line again."""
    for zone in ("UTC", "Asia/Kolkata", "America/St_Johns", "Pacific/Auckland"):
        command = Command(tmp_path, {"TZ": zone})
        (line,) = command.said("logs", "--trace", "c").splitlines()
        at = "T".join(line.split()[:2])
        assert command.said("logs", "--since", at).splitlines()[-1] == line
        (old,) = command.said("logs", "--trace", "a").splitlines()
        assert old not in command.said("logs", "--since", at), zone


def test_mistakes_are_named(tmp_path: Path, folder: Path) -> None:
    assert "level" in Command(tmp_path).failure("logs", "--level", "loud")
    assert "15m" in Command(tmp_path).failure("logs", "--since", "yesterday")
    # In the first two hours of a day the first line is in a file of the day before.
    for path in files(folder):
        path.unlink()
    assert "mainspring up" in Command(tmp_path).failure("logs")


def test_files_are_put_aside_when_full_and_at_the_end_of_a_day(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "logs"
    write(folder, *({"trace_id": str(number), "pad": "x" * 400} for number in range(30)), megabytes=0.005)
    assert len(files(folder)) > 2
    assert [line["trace_id"] for line in shown(tmp_path)] == [str(number) for number in range(30)], "in their order"
    for path in files(folder):
        os.utime(path, (time.time() - 3 * 86_400,) * 2)
    before = len(files(folder))
    write(folder, {"trace_id": "today"})
    assert len(files(folder)) == before + 1
    expire(folder, days=2)
    assert [line["trace_id"] for line in shown(tmp_path)] == ["today"]


def test_a_line_that_comes_late_at_midnight_puts_nothing_aside(tmp_path: Path) -> None:
    """Threads write a moment after they took the time; each turn of the day back and forth would cost an old file."""
    folder = tmp_path / "home" / "logs"
    midnight = time.time() // 86_400 * 86_400
    moments = [midnight - 1, midnight + 0.1, midnight - 0.1, midnight + 0.2, midnight - 0.2, midnight + 0.3]
    write(folder, *({"trace_id": str(number), "at": at} for number, at in enumerate(moments)))
    assert len(files(folder)) == 2
    assert [line["trace_id"] for line in shown(tmp_path)] == list("012345")


def test_a_damaged_line_hides_no_other(tmp_path: Path, folder: Path) -> None:
    with (folder / FILE).open("ab") as file:
        file.write(b'{"cut off')
    assert len(shown(tmp_path)) == 4


@pytest.mark.usefixtures("one_day")
def test_what_comes_is_followed(tmp_path: Path, folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAINSPRING_")}
    environment |= {"MAINSPRING_HOME": str(tmp_path / "home"), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "mainspring", "logs", "--follow", "--json", "-n", "1"],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["trace_id"] == "c"
        write(folder, {"trace_id": "later"})
        assert json.loads(process.stdout.readline())["trace_id"] == "later"
        write(folder, {"trace_id": "just before"})
        (folder / FILE).rename(folder / f"{FILE}.1")
        write(folder, {"trace_id": "in a new file"})
        assert json.loads(process.stdout.readline())["trace_id"] == "just before"
        assert json.loads(process.stdout.readline())["trace_id"] == "in a new file"
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
