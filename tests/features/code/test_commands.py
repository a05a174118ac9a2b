"""``mainspring code complete``, ``explain``, ``fix``, ``test`` and ``document``: what they ask and what they print."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mainspring.cli.main import app
from mainspring.terminal.remote import Server

TEXT = "import os\n\n\ndef mean(values):\n\treturn sum(values) / len(value)\n\n\nx = 1\n"
FIXED = "def mean(values):\n\treturn sum(values) / len(values)"
Ran = Callable[..., Result]


class Asked:
    """Stands for a server: ``answer`` is what it says, ``bodies`` what it was asked."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] = {}
        self.bodies: list[tuple[str, Any]] = []

    @contextmanager
    def opened(self, _: Server, method: str, path: str, body: object = None, timeout_s: float = 0) -> Iterator[Any]:
        self.bodies.append((path, body))
        yield BytesIO(json.dumps(self.answer).encode())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    found = Asked()
    monkeypatch.setattr(Server, "opened", lambda *given, **more: found.opened(*given, **more))
    return found


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ran:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "stats.py").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, ["code", *words], env={"MAINSPRING_API_KEY": "ms-x"})


def test_a_change_is_one_that_git_applies(ran: Ran, asked: Asked, tmp_path: Path) -> None:
    asked.answer = {"text": "Here.", "code": FIXED, "replaces": {"first_line": 4, "last_line": 5}}
    done = ran("fix", "shop/stats.py", "--lines", "5", "--error", "no value", "--workspace", "w", "--diff")
    assert done.exit_code == 0, done.output
    (tmp_path / "change.diff").write_text(done.stdout)
    subprocess.run(["git", "apply", "change.diff"], cwd=tmp_path, check=True)
    assert (tmp_path / "shop" / "stats.py").read_text() == TEXT.replace("len(value)", "len(values)")
    assert asked.bodies == [
        (
            "/v1/code/actions",
            {
                "action": "fix",
                "text": TEXT,
                "path": "shop/stats.py",
                "workspace": "w",
                "diagnostics": ["no value"],
                "first_line": 5,
                "last_line": 5,
            },
        )
    ]


@pytest.mark.parametrize("ending", ["x = 1", "x = 1\n"])
def test_a_change_of_the_last_line_is_applied_too(ran: Ran, asked: Asked, tmp_path: Path, ending: str) -> None:
    file = tmp_path / "shop" / "stats.py"
    file.write_text(f"import os\n{ending}")
    asked.answer = {"text": "", "code": "import os\nx = 2", "replaces": {"first_line": 1, "last_line": 3}}
    (tmp_path / "change.diff").write_text(ran("fix", "shop/stats.py", "--diff").stdout)
    subprocess.run(["git", "apply", "change.diff"], cwd=tmp_path, check=True)
    assert file.read_text().strip() == "import os\nx = 2"


def test_code_that_does_not_parse_is_an_error_and_no_output(ran: Ran, asked: Asked) -> None:
    asked.answer = {"text": "```python\ndef (\n```", "code": "", "replaces": None}
    for words in (("fix", "shop/stats.py"), ("fix", "shop/stats.py", "--diff"), ("test", "shop/stats.py")):
        done = ran(*words)
        assert (done.exit_code, done.stdout) == (1, ""), words


def test_tests_are_printed_as_a_file_can_hold_them(ran: Ran, asked: Asked) -> None:
    asked.answer = {"text": "Sure:\n```python\n...\n```", "code": "def test():\n\tassert '\x1b[2J'", "replaces": None}
    done = ran("test", "shop/stats.py", "--lines", "4-5")
    assert done.stdout == "def test():\n\tassert '\\x1b[2J'\n"
    assert (asked.bodies[0][1]["first_line"], asked.bodies[0][1]["last_line"]) == (4, 5)


def test_an_explanation_is_of_the_whole_file_unless_lines_are_named(ran: Ran, asked: Asked) -> None:
    asked.answer = {"text": "It is the **mean**.", "code": "", "replaces": None}
    assert ran("explain", "shop/stats.py").stdout == "It is the mean.\n"
    assert "first_line" not in asked.bodies[0][1]
    for wrong in ("0", "5-4", "a", "1-2-3"):
        assert "10-20" in ran("explain", "shop/stats.py", "--lines", wrong).output, wrong


def test_a_completion_is_of_the_place_of_the_cursor(ran: Ran, asked: Asked) -> None:
    asked.answer = {"completion": "  / len(values)"}
    done = ran("complete", "shop/stats.py", "--line", "5", "--column", "20")
    assert done.stdout == "  / len(values)\n"
    path, body = asked.bodies[0]
    assert path == "/v1/code/complete"
    assert body["prefix"].endswith("\treturn sum(values)")
    assert body["prefix"] + body["suffix"] == TEXT
    ran("complete", "shop/stats.py", "--line", "4")
    assert asked.bodies[1][1]["prefix"].endswith("def mean(values):")
    assert "9 lines" in ran("complete", "shop/stats.py", "--line", "10").output
