"""``mainspring credentials``: secrets come through standard input, and are sent to the endpoint that they are for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.cli.command import Command, data
from tests.conftest import start_server, stop_server

SECRET = "sk-petunia-" + "0815" * 6


class Endpoint(BaseHTTPRequestHandler):
    """An OpenAI-compatible endpoint that remembers who asked."""

    seen: list[str] = []  # noqa: RUF012

    def do_POST(self) -> None:
        self.seen.append(self.headers.get("authorization", ""))
        self.rfile.read(int(self.headers["content-length"]))
        frame = {"choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop"}]}
        body = f"data: {json.dumps(frame)}\n\ndata: [DONE]\n\n".encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    Endpoint.seen.clear()
    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def keep(command: Command, name: str, secret: str) -> None:
    done = command("credentials", "set", name, typed=f"{secret}\n")
    assert done.returncode == 0, done.stderr
    assert secret not in done.stdout + done.stderr


def test_a_secret_is_kept_listed_and_guarded_anew(command: Command) -> None:
    assert "No credentials yet" in command.said("credentials", "list")
    keep(command, "openai", SECRET)
    listed = command.said("credentials", "list", "--json")
    (row,) = data(listed)
    assert row["name"] == "openai"
    assert SECRET not in listed
    assert "1 credential is guarded by the key" in command.said("credentials", "rotate")
    assert data(command.said("credentials", "list", "--json"))[0]["key"] != row["key"]
    assert SECRET.encode() not in (command.place / "home" / "mainspring.db").read_bytes()
    # There is no way to say it where everybody on the machine can read it.
    assert command("credentials", "set", "openai", SECRET).returncode == 2
    command.said("credentials", "remove", "openai")
    assert "there is no credential openai" in command.failure("credentials", "remove", "openai")


def test_doctor_says_what_a_configuration_lacks(command: Command, tmp_path: Path) -> None:
    (tmp_path / "mainspring.yaml").write_text(
        "models:\n  remote:\n    big: {url: 'http://127.0.0.1:1/v1', model: m, api_key: 'credential:openai'}\n"
    )

    def check() -> tuple[str, str]:
        checks = json.loads(command("doctor", "--json").stdout)["data"]["checks"]
        (found,) = (each for each in checks if each["check"] == "credentials")
        return found["state"], found["detail"]

    state, detail = check()
    assert state == "wrong"
    assert "models.remote.big.api_key is credential:openai, which is not there" in detail
    keep(command, "openai", SECRET)
    assert check() == ("ok", "openai")
    assert SECRET not in command("doctor").stdout


def test_a_server_sends_it_to_its_endpoint_and_shows_it_nowhere(
    command: Command, tmp_path: Path, endpoint: str
) -> None:
    keep(command, "openai", SECRET)
    remote = {"big": {"url": endpoint, "model": "m", "api_key": "credential:openai"}}
    server = start_server(tmp_path / "home", MAINSPRING_MODELS__CHAT="[]", MAINSPRING_MODELS__REMOTE=json.dumps(remote))
    try:
        body = {"model": "big", "messages": [{"role": "user", "content": "Hi"}]}
        status, answer = server.call("POST", "/v1/chat/completions", body)
        assert (status, answer["choices"][0]["message"]["content"]) == (200, "Hello")
        assert Endpoint.seen == [f"Bearer {SECRET}"]
    finally:
        assert stop_server(server) == 0
    assert SECRET not in server.output
    for path in (tmp_path / "home").rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
