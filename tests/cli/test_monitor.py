"""``mainspring alerts`` and ``mainspring slos``, against a running server."""

from __future__ import annotations

import os

from tests.cli.command import Done, data, run_within
from tests.conftest import Server


def mainspring(server: Server, *arguments: str) -> Done:
    environment = server.environment | {"MAINSPRING_URL": server.url, "MAINSPRING_API_KEY": server.key}
    return run_within(arguments, os.environ | environment)


def test_alerts_and_silences(server: Server) -> None:
    listed = mainspring(server, "alerts", "--all", "--json")
    assert listed.returncode == 0, listed.stderr
    assert isinstance(data(listed.stdout), list)
    made = mainspring(server, "alerts", "silence", "30m", "--rule", "cost", "--comment", "works", "--json")
    silence = data(made.stdout)
    assert silence["until"] - silence["created_at"] == 1800
    assert silence["id"] in mainspring(server, "alerts", "silences").stdout
    assert "is over" in mainspring(server, "alerts", "speak", silence["id"]).stdout
    assert silence["id"] not in mainspring(server, "alerts", "silences").stdout


def test_what_is_wrong_is_said(server: Server) -> None:
    unknown = mainspring(server, "alerts", "acknowledge", "alert_none")
    assert unknown.returncode == 1
    assert "there is no alert" in unknown.stderr
    assert "Write 30m" in mainspring(server, "alerts", "silence", "soon").stderr
    assert "there is no rule" in mainspring(server, "alerts", "silence", "1h", "--rule", "lateness").stderr


def test_objectives(server: Server) -> None:
    shown = mainspring(server, "slos", "--json")
    assert shown.returncode == 0, shown.stderr
    assert all(each["name"] == "availability" for each in data(shown.stdout))
