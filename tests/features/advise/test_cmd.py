"""``mainspring advise``: a data set or a file, the body that it asks for, and what it shows."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mainspring.core.errors import NotFound
from mainspring.features.advise import cmd
from mainspring.terminal.remote import Server, ServerLacks

ROW = {
    "way": "prompt", "tried": True, "reason": "", "command": "", "name": "m", "failed": 0, "usd": 0.002,
    "seconds": 1.25,
    "tokens": 20.0, "upfront_usd": 0.0, "upfront_seconds": 0.0, "renewal_usd": 0.0, "renewal_seconds": 0.0, "notes": [],
    "quality": {"mean": 0.25, "low": 0.1, "high": 0.4, "n": 40}, "monthly": 2.0, "about": "The model as it is.",
}  # fmt: skip
LACK = {
    **ROW,
    "way": "fine-tune",
    "tried": False,
    "reason": "no budget",
    "command": "mainspring advise d --train-seconds 9",
}
REPORT = {
    "rows": [ROW, LACK], "verdict": "unsure", "way": "prompt", "reasons": ["About 90 more questions would settle it."],
    "out": {}, "open": [], "more_questions": 90, "unit": "usd", "pairs": [], "experiment": "exp_1",
    "break_even": [{"way": "fine-tune", "against": "rag", "queries": 1234.5}],
}  # fmt: skip


class Fake:
    """A server that completes at the second look."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Any]] = []
        self.known: set[str] = set()
        self.gone = 0

    def call(self, method: str, path: str, body: Any = None) -> Any:
        self.calls.append((method, path, body))
        if path.startswith("/v1/datasets/"):
            name = path.split("/")[3]
            if method == "GET" and name not in self.known:
                raise ServerLacks("there is none")
            self.known.add(name)
            return {}
        if method == "GET" and self.gone:
            self.gone -= 1
            raise NotFound("no server answers")
        over = method == "GET"
        return {
            "id": "adv_1", "name": "d@1", "status": "completed" if over else "queued", "stage": "comparing",
            "steps": [], "error": None, "verdict": "unsure", "way": "prompt", "report": REPORT if over else None,
        }  # fmt: skip

    def upload(self, file: Path, purpose: str) -> Any:
        self.calls.append(("UPLOAD", file.name, purpose))
        return {"id": "file-1"}

    @contextmanager
    def opened(self, method: str, path: str) -> Any:
        del method, path

        class Read:
            def read(self) -> bytes:
                return b"# d@1\n"

        yield Read()

    def body(self) -> Any:
        (found,) = [body for method, path, body in self.calls if (method, path) == ("POST", "/v1/advice")]
        return found


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Fake:
    fake = Fake()
    monkeypatch.setattr(Server, "of", classmethod(lambda cls, context: fake))
    monkeypatch.setattr(cmd, "_EVERY_S", 0.0)
    return fake


def typed(*words: str) -> str:
    ran = CliRunner().invoke(cmd.app, list(words))
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def test_a_data_set_is_advised_on_and_its_rows_are_shown(server: Fake, tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    said = typed("asked@2", "--model", "m", "--scorer", "regex:pattern=a", "--train-seconds", "60",
                 "--option", "steps=4", "--changes", "3", "--report", str(report))  # fmt: skip
    body = server.body()
    assert (body["dataset"], body["version"], body["model"], body["changes_per_month"]) == ("asked", "2", "m", 3)
    assert body["scorer"] == {"name": "regex", "options": {"pattern": "a"}}
    assert body["fine_tune"] == {"recipe": "sft", "base": "", "options": {"steps": 4}, "seconds": 60}
    assert "0.250 [0.100, 0.400] n=40" in said
    assert "Unsure; until more is known: prompt." in said
    assert "About 90 more questions" in said
    assert "To try fine-tune: mainspring advise d --train-seconds 9" in said
    assert "after 1,235 queries" in said
    assert report.read_text() == "# d@1\n"


def test_a_file_becomes_a_data_set_once(server: Fake, tmp_path: Path) -> None:
    file = tmp_path / "My Questions.jsonl"
    file.write_text('{"question": "q", "reference": "a"}\n')
    typed(str(file), "--model", "m")
    name = server.body()["dataset"]
    assert name.startswith("my-questions-")
    assert ("UPLOAD", "My Questions.jsonl", "evals") in server.calls
    server.calls.clear()
    typed(str(file), "--model", "m")
    assert server.body()["dataset"] == name
    assert not [call for call in server.calls if call[0] == "UPLOAD"]


def test_a_server_that_is_gone_for_a_while_is_waited_for(server: Fake) -> None:
    server.gone = 3
    assert "Unsure" in typed("asked", "--model", "m")


def test_its_other_commands_are_still_commands(server: Fake) -> None:
    assert json.loads(typed("show", "adv_1", "--json"))["data"]["id"] == "adv_1"
    assert "fine_tune" not in json.dumps(server.calls)


def test_an_option_without_a_value_is_refused(server: Fake) -> None:
    ran = CliRunner().invoke(cmd.app, ["d", "--model", "m", "--train-seconds", "1", "--option", "steps"])
    assert "NAME=VALUE" in str(ran.exception)
    assert not server.calls
