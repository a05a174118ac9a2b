"""How commands reach a server: one on this machine never through a proxy, others as the machine is set up."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from mainspring.cli.main import app
from mainspring.core.errors import NotFound
from mainspring.terminal import named_commands
from mainspring.terminal.remote import Server, reach


class Echo(BaseHTTPRequestHandler):
    """Says what it was asked for: a proxy is asked for a whole address."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def asked(url: str) -> str:
    with reach(urllib.request.Request(url), 30) as answer:
        return str(answer.read().decode())


def test_a_proxy_is_for_other_machines(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    for host in ("127.0.0.1", "localhost", "0.0.0.0"):
        assert asked(f"http://{host}:{port}/healthz") == "/healthz"
    assert asked("http://mainspring.example/healthz") == "http://mainspring.example/healthz"


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (("approvals", "approve"), "/v1/approvals/a%2F%3F%C3%A9%1B/approve"),
        (("approvals", "deny"), "/v1/approvals/a%2F%3F%C3%A9%1B/deny"),
        (("runs", "resume"), "/v1/agents/runs/a%2F%3F%C3%A9%1B/resume"),
        (("runs", "cancel"), "/v1/agents/runs/a%2F%3F%C3%A9%1B/cancel"),
        (("runs", "pause"), "/v1/agents/runs/a%2F%3F%C3%A9%1B/pause"),
        (("runs", "fork"), "/v1/agents/runs/a%2F%3F%C3%A9%1B/fork"),
        (("runs", "replay"), "/v1/agents/runs/a%2F%3F%C3%A9%1B/replay"),
        (("runs", "delete"), "/v1/agents/runs/a%2F%3F%C3%A9%1B"),
        (("runs", "show"), "/v1/agents/runs/a%2F%3F%C3%A9%1B"),
        (("train", "show"), "/v1/training/versions/a%2F%3F%C3%A9%1B"),
        (("train", "cancel"), "/v1/training/jobs/a%2F%3F%C3%A9%1B/cancel"),
        (("train", "withdraw"), "/v1/training/versions/a%2F%3F%C3%A9%1B/withdraw"),
        (("alerts", "acknowledge"), "/v1/alerts/a%2F%3F%C3%A9%1B/acknowledge"),
    ],
    ids=lambda value: value[-1],
)
def test_an_id_stays_one_part_of_its_address(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], path: str
) -> None:
    paths: list[str] = []

    def call(_: Server, method: str, where: str, body: object = None) -> object:
        paths.append(where)
        raise NotFound("nothing is there")

    monkeypatch.setattr(Server, "call", call)
    done = CliRunner().invoke(app, [*arguments, "--", "a/?\u00e9\x1b"], env={"MAINSPRING_API_KEY": "ms-x"})
    assert isinstance(done.exception, NotFound), done.output
    assert paths == [path]


@pytest.mark.parametrize(
    "words", [["Where is the station?", "--to", "fr"], ["--to", "fr", "Where is it?"], ["text", "Here", "--to", "fr"]]
)
def test_a_text_stands_where_a_command_does(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    """By the whole command: a group of its own class was replaced there."""
    asked: list[object] = []

    def call(_: Server, method: str, where: str, body: object = None) -> object:
        asked.append((method, where, body))
        return {"text": "Ici", "needs_source": False}

    monkeypatch.setattr(Server, "call", call)
    done = CliRunner().invoke(app, ["translate", *words], env={"MAINSPRING_API_KEY": "ms-x"})
    assert done.output.strip() == "Ici", done.output
    said = next(each for each in words if each[0].isupper())
    assert asked == [("POST", "/v1/translate", {"text": said, "target": "fr", "model": ""})]


def test_doubts_of_a_translator_are_told_beside_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"text": "Ici", "needs_source": False, "model": "every", "sentences": {"sentences": 3, "doubtful": 2}}
    monkeypatch.setattr(Server, "call", lambda *_, **__: said)
    done = CliRunner().invoke(app, ["translate", "Where is it?", "--to", "fr"], env={"MAINSPRING_API_KEY": "ms-x"})
    assert (done.stdout, done.stderr) == ("Ici\n", "2 of 3 sentences may be wrong: every doubts them\n")


def test_a_group_that_would_be_replaced_is_refused() -> None:
    class Own(TyperGroup):
        pass

    below, whole = typer.Typer(cls=Own), typer.Typer()
    whole.add_typer(below, name="below")
    with pytest.raises(TypeError, match="Own must be a"):
        named_commands.name(whole)
