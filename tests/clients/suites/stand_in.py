"""Stands between a client's own test-suite and a server: it gives the suite's placeholders real things.

The suites of the official clients are written for a server that makes every answer up, so they ask for
``/batches/batch_id`` and send ``file_ids=["string"]``. Here each such placeholder becomes the id of a thing that was
made for it (``things.py``). Values that are refused by their names are left out and the request is sent again: a test
with all parameters shows which of them are refused, and checks the answer with all others. Nothing else is altered, and
no answer is.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

from tests.clients.suites import forms
from tests.clients.suites.things import Things

TOLD = "/_test"
"""Where the suite's process tells which test runs (``told.py``)."""
_ATTEMPTS = 60
# What the connection between two programs says of itself, and no answer.
_HOP = ("connection", "transfer-encoding", "content-encoding", "content-length", "keep-alive", "date", "server")
_OWN = (*_HOP, "host", "authorization", "x-api-key", "accept-encoding")


class StandIn:
    """``left_out`` has the fields that each test went without, as the server named them, with its words."""

    def __init__(self, url: str, key: str) -> None:
        self.things = Things(url, key)
        self.left_out: dict[str, dict[str, str]] = {}
        self.test = ""
        self._client = httpx.Client(base_url=url, timeout=60)
        self._key = key

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> httpx.Response:
        """The server's last answer to this request."""
        split = urlsplit(target)
        path = self.things.path(method, split.path)
        query = parse_qsl(split.query, keep_blank_values=True)
        sent = {name.lower(): value for name, value in headers.items() if name.lower() not in _OWN}
        sent["authorization"] = f"Bearer {self._key}"
        content = _content(headers, body)
        if content is not None:
            content = self.things.filled(method, path, content)
        for _ in range(_ATTEMPTS):
            if content is not None:
                body, sent["content-type"] = content.written()
            address = f"{path}?{urlencode(query)}" if query else path
            response = self._client.request(method, address, headers=sent, content=body)
            if response.status_code != 400 or not (name := _refused(response)):
                break
            shorter = [each for each in query if each[0].removesuffix("[]") != name.split(".")[0]]
            if content is not None and content.without(name):
                pass
            elif len(shorter) < len(query):
                query = shorter
            else:
                break
            self.left_out.setdefault(self.test, {})[name] = _words(response)
        return response


def _content(headers: Mapping[str, str], body: bytes) -> forms.Json | forms.Multipart | None:
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    if kind.startswith("multipart/form-data"):
        return forms.Multipart.read(kind, body)
    if kind.startswith("application/json") and body:
        value = json.loads(body)
        return forms.Json(value) if isinstance(value, dict) else None
    return None


def _error(response: httpx.Response) -> dict[str, Any]:
    try:
        told = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return told if isinstance(told, dict) else {}


def _refused(response: httpx.Response) -> str:
    """The field that an error names. Anthropic's errors have it in their words alone."""
    error = _error(response)
    if error.get("param"):
        return str(error["param"])
    named = re.match(r"([\w.\[\]-]+): ", str(error.get("message", "")))
    return named[1] if named else ""


def _words(response: httpx.Response) -> str:
    return str(_error(response).get("message", ""))[:200]


@contextmanager
def between(url: str, key: str) -> Iterator[tuple[str, StandIn]]:
    """The address for the suite, and the one that stands there."""
    stand_in = StandIn(url, key)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path == TOLD:
                stand_in.test = body.decode()
                self._send(204, {}, b"")
                return
            try:
                response = stand_in.answer(self.command, self.path, dict(self.headers), body)
            except httpx.HTTPError as error:
                self._send(502, {}, str(error).encode())
                return
            kept = {name: value for name, value in response.headers.items() if name not in _HOP}
            self._send(response.status_code, kept, response.content)

        def _send(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
        setattr(Handler, f"do_{method}", Handler.handle_any)

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Tests close streams that they have not read."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", stand_in
    finally:
        server.shutdown()
        server.server_close()
