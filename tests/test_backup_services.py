"""A backup of a running server whose state is in Postgres and Redis, restored into another database and served."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import data, run_within
from tests.conftest import ROOT, Server, start_server, stop_server
from tests.http.test_access import ask, run, upload
from tests.postgres_server import databases, query

QUESTION = "How many grams does the Marigold lantern weigh?"


@pytest.fixture
def urls() -> Iterator[list[str]]:
    """Two empty databases: one to be copied, one to be filled."""
    with databases(2, vectors=True) as made:
        yield made


def started(home: Path, url: str, redis_url: str) -> Server:
    return start_server(
        home,
        MAINSPRING_STORES__DATABASE=url,
        MAINSPRING_STORES__VECTORS="postgres",
        MAINSPRING_STORES__REDIS=redis_url,
        MAINSPRING_STORES__CACHE="redis",
        MAINSPRING_SERVING__REQUESTS_PER_MINUTE="100000",
        MAINSPRING_SERVING__TOKENS_PER_MINUTE="100000000",
    )


def write(server: Server, grams: int) -> None:
    """The note of the vector store ``notes`` says another weight."""
    file_id = upload(server, server.key, "lantern.md", f"# Lantern\n\nThe Marigold lantern weighs {grams} grams.\n")
    for old in server.call("GET", "/v1/vector_stores/notes/files")[1]["data"]:
        assert server.call("DELETE", f"/v1/vector_stores/notes/files/{old['id']}")[0] == 200
    status, body = server.call("POST", "/v1/vector_stores/notes/files", {"file_id": file_id})
    while body["status"] == "in_progress":
        time.sleep(0.1)
        status, body = server.call("GET", f"/v1/vector_stores/notes/files/{file_id}")
    assert (status, body["status"]) == (200, "completed"), body


def weight(server: Server) -> tuple[str, str]:
    """(what is answered, the state of the cache)."""
    status, headers, content = server.raw("POST", "/v1/chat/completions", ask("notes", QUESTION))
    assert status == 200, content
    return json.loads(content)["choices"][0]["message"]["content"], headers["x-cache"]


class Traffic:
    """Answers and ingests until it is stopped."""

    def __init__(self, server: Server) -> None:
        self._server, self._stop = server, threading.Event()
        self.answers, self.problems = list[str](), list[object]()
        self._threads = [threading.Thread(target=each) for each in (self._talk, self._ingest)]

    def __enter__(self) -> Traffic:
        for each in self._threads:
            each.start()
        while len(self.answers) < 3 and not self.problems:
            self._stop.wait(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for each in self._threads:
            each.join()

    def _talk(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            body = ask("document-qa", f"How long is the warranty of grinder {number}?", options={"cache": False})
            status, headers, content = self._server.raw("POST", "/v1/chat/completions", body)
            if status == 200:
                self.answers.append(headers["x-answer-id"])
            else:
                self.problems.append(content)

    def _ingest(self) -> None:
        self._server.call("POST", "/v1/vector_stores", {"name": "live"})
        number = 0
        while not self._stop.is_set():
            number += 1
            file_id = upload(self._server, self._server.key, f"note-{number % 3}.md", f"# Note\n\nIt says {number}.\n")
            status, body = self._server.call("POST", "/v1/vector_stores/live/files", {"file_id": file_id})
            if status != 200:
                self.problems.append(body)


def found(server: Server, key: str) -> list[Any]:
    status, page = server.call("POST", "/v1/vector_stores/notes/search", {"query": QUESTION}, key)
    assert status == 200, page
    return [(row["file_id"], row["filename"], row["content"][0]["text"]) for row in page["data"]]


def test_a_running_server_on_postgres_is_copied_and_the_copy_serves(
    tmp_path: Path, urls: list[str], redis_url: str
) -> None:
    first = started(tmp_path / "home", urls[0], redis_url)
    try:
        assert first.call("POST", "/v1/vector_stores", {"name": "notes"})[0] == 200
        write(first, 100)
        assert "100 grams" in weight(first)[0]
        with Traffic(first) as traffic:
            before = list(traffic.answers)
            told = data(run(first, "backup", str(tmp_path / "home.tar.gz"), "--json"))
        assert traffic.problems == []
        assert told["missing"] == []
        hits = found(first, first.key)
        # What came after the backup, and is kept in Redis, is of a time that the copy does not know.
        write(first, 200)
        assert "200 grams" in weight(first)[0]
        assert weight(first)[1] == "hit"
    finally:
        stop_server(first)
    environment = first.environment | {"MAINSPRING_STORES__DATABASE": urls[1]}
    new = tmp_path / "new"
    done = run_within(("restore", tmp_path / "home.tar.gz", "--home", new), environment)
    assert done.returncode == 0, done.stderr
    assert "stores.database has to name it" in done.stdout
    copy = started(new, urls[1], redis_url)
    try:
        for answer in before:
            status, events = copy.call("GET", f"/v1/events?answer_id={answer}&kind=answer", key=first.key)
            assert status == 200
            assert [event["id"] for event in events["data"]] == [answer]
            assert events["data"][0]["content"]
        assert found(copy, first.key) == hits
        copy.key = first.key
        assert "100 grams" in weight(copy)[0]
        write(copy, 300)
        assert "300 grams" in weight(copy)[0]
    finally:
        stop_server(copy)


def test_the_commands_for_postgres_on_the_page_run(tmp_path: Path, urls: list[str], redis_url: str) -> None:
    page = (ROOT / "docs" / "operate" / "backup.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```bash\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    address, new = "postgresql://mainspring:secret@db.example.com/", f"mainspring_{uuid.uuid4().hex}"
    assert block.count(address) == 2
    base, name = urls[0].rsplit("/", 1)
    program = block.replace(f"{address}mainspring", f"{base}/{name}").replace(address, f"{base}/")
    program = program.replace("restored", new)
    server = started(tmp_path / "home", urls[0], redis_url)
    path = f"{Path(sys.executable).parent}:{server.environment['PATH']}"
    places = {"folder": str(tmp_path), "PATH": path}
    try:
        upload(server, server.key, "note.md", "# Note\n\nKept with the database.\n")
        command = ["bash", "-euc", program]
        ran = subprocess.run(command, env=server.environment | places, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        assert query(f"{base}/{new}", "SELECT count(*) FROM keys") == 1
        assert [each.read_text() for each in (tmp_path / "new" / "blobs").glob("*/*")] == [
            "# Note\n\nKept with the database.\n"
        ]
    finally:
        stop_server(server)
        query(urls[0], f"DROP DATABASE IF EXISTS {new} WITH (FORCE)")
