"""What a benchmark writes: verdicts, numbers, the file and its form."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from _report import SKIPPED, Clock, Figure, machine, number, report, skip, table


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (0.99, "aim"),
        (0.98, "aim"),
        (0.96, "floor"),
        (0.95, "floor"),
        (0.94, "below"),
    ],
)
def test_more_is_better(value: float, verdict: str) -> None:
    assert Figure(value, "ratio", "higher", floor=0.95, aim=0.98).verdict == verdict


@pytest.mark.parametrize(("value", "verdict"), [(3.9, "aim"), (4.0, "aim"), (5.0, "floor"), (6.1, "below")])
def test_less_is_better(value: float, verdict: str) -> None:
    assert Figure(value, "s", "lower", floor=6.0, aim=4.0).verdict == verdict


def test_without_a_floor_there_is_no_verdict() -> None:
    assert Figure(1.0, "s", "lower").verdict == ""
    assert Figure(1.0, "s", "lower", floor=2.0).verdict == "floor"


def test_the_file_has_the_documented_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report("speed", {"reading": Figure(2.5, "ratio", "higher", 2.0, 4.0, "a peer")}, results=tmp_path)
    written = json.loads((tmp_path / "speed.json").read_text(encoding="utf-8"))
    assert written["name"] == "speed"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", written["measured_at"])
    assert written["machine"] == machine()
    assert written["load_at_start"] >= 0
    assert written["figures"] == {
        "reading": {
            "value": 2.5,
            "unit": "ratio",
            "better": "higher",
            "floor": 2.0,
            "aim": 4.0,
            "against": "a peer",
        }
    }
    assert "reading" in capsys.readouterr().out


def test_the_machine_is_described_but_not_named() -> None:
    described = machine()
    assert re.search(r"\d+ cores", described)
    assert "Python 3." in described
    assert socket.gethostname() not in described
    assert "/" not in described


def test_the_time_of_others_is_what_is_not_ours() -> None:
    cores = os.cpu_count() or 1
    before, after = Clock(0.0, 100.0, 10.0), Clock(10.0, 100.0 + 5.0 * cores, 10.0 + 2.0 * cores)
    assert before.others(after) == pytest.approx(0.3)
    # Ticks are coarser than what we know of ourselves: never below nothing.
    assert before.others(Clock(10.0, 101.0, 12.0)) == 0.0


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="there is no /proc/stat")
def test_what_those_that_were_started_start_is_ours() -> None:
    """An engine's child works in a process below the one that was started, which nobody has waited for yet."""
    work = "import time\nwhile time.process_time() < 0.5: pass\nprint('done', flush=True)\ntime.sleep(600)"
    start = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}])"
    before = Clock.now()
    with subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.PIPE, start_new_session=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        after = Clock.now()
        os.killpg(child.pid, signal.SIGKILL)
    assert before is not None
    assert after is not None
    assert after.own - before.own >= 0.4


def test_a_skip_says_why_and_has_a_status_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        skip("no data sets")
    assert ended.value.code == SKIPPED
    assert "no data sets" in capsys.readouterr().err


def test_columns_of_the_table_line_up() -> None:
    lines = table(
        {"a": Figure(1234.0, "tokens/s", "higher", against="x"), "longer": Figure(0.5, "s", "lower", against="y")}
    ).splitlines()
    assert {line.index(mark) for line, mark in zip(lines[1:], "xy", strict=True)} == {lines[0].index("against")}


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (2.0, "2"), (0.9512, "0.951"), (12.345, "12.3"), (1234.5, "1,234")]
)
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert number(value) == text
