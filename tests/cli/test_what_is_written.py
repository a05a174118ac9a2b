"""Texts of models and of strangers at the command line: no marks of strong words, and no control of the terminal."""

from __future__ import annotations

import json
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pytest
from typer.testing import CliRunner

from mainspring.cli.main import app
from mainspring.terminal.remote import Server

HOSTILE = "Within **45 days**.\x1b[2J\x9b31m"
STRONG = ("agents run", "runs show", "runs replay", "support ask", "support chat")
CHAT = {"choices": [{"message": {"content": HOSTILE, "notices": [{"code": "c", "text": HOSTILE}]}}]}
RUN = {
    "id": "run_1",
    "agent": "a",
    "status": "completed",
    "created_at": 1,
    "error": {"message": "\x1b[2J"},
    "output_text": HOSTILE,
    "identical": True,
    "steps": 3,
}
CASE = {
    "number": "C-1",
    "subject": HOSTILE,
    **dict.fromkeys(("status", "queue", "priority", "topic", "customer", "channel", "reason"), HOSTILE),
    "messages": [{"author": "customer", "name": HOSTILE, "created_at": 1, "text": HOSTILE}],
}
ARTICLE = {
    "id": "art_1",
    "status": "plan_pending",
    "error": HOSTILE,
    "plan": {"sections": [{"heading": HOSTILE, "questions": [HOSTILE]}]},
    "content": {"figures": {}, "article": {"remarks": [{"text": HOSTILE}]}},
}


def answered(path: str) -> Any:
    if path.startswith("/v1/chat"):
        return CHAT
    if path.endswith("/steps"):
        return {"data": []}
    if "/runs/" in path:
        return RUN
    if "/desk/" in path:
        return CASE
    return ARTICLE


@pytest.mark.parametrize(
    "command",
    [
        ("agents", "run", "a", "How long?"),
        ("runs", "show", "run_1"),
        ("runs", "replay", "run_1"),
        ("support", "ask", "How long?"),
        ("support", "chat"),
        ("desk", "show", "C-1"),
        ("content", "show", "art_1"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_what_is_written_does_not_steer_the_terminal(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def opened(_: Server, method: str, path: str, body: object = None, timeout_s: float = 0) -> Any:
        yield BytesIO(json.dumps(answered(path)).encode())

    monkeypatch.setattr(Server, "opened", opened)
    done = CliRunner().invoke(app, [*command], input="How long?\n\n", env={"MAINSPRING_API_KEY": "ms-x"})
    assert done.exit_code == 0, (done.output, done.exception)
    assert "45 days" in done.stdout
    assert "\x1b" not in done.output
    assert "\x9b" not in done.output
    if " ".join(command[:2]) in STRONG:
        assert "**" not in done.stdout
