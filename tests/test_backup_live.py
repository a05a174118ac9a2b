"""A backup of a running server, restored and served: what was acknowledged is there, and searches find the same."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from tests.cli.command import data
from tests.conftest import ROOT, Server, start_server, stop_server
from tests.http.test_access import ask, run, upload

QUERY = "How many days do I have to return a grinder?"


def found(server: Server, key: str) -> list[Any]:
    status, page = server.call("POST", "/v1/vector_stores/handbook/search", {"query": QUERY}, key)
    assert status == 200, page
    return [(row["file_id"], row["filename"], row["content"][0]["text"]) for row in page["data"]]


def test_a_running_server_is_copied_and_the_copy_serves(server: Server, tmp_path: Path) -> None:
    stop, answers, problems = threading.Event(), list[str](), list[object]()

    def talking() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            body = ask("document-qa", f"How long is the warranty of grinder {number}?", options={"cache": False})
            status, headers, content = server.raw("POST", "/v1/chat/completions", body)
            if status == 200:
                answers.append(headers["x-answer-id"])
            else:
                problems.append(content)

    def ingesting() -> None:
        server.call("POST", "/v1/vector_stores", {"name": "live"})
        number = 0
        while not stop.is_set():
            number += 1
            file_id = upload(
                server, server.key, f"note-{number % 3}.md", f"# Note\n\nNote {number} says {number * 7}.\n"
            )
            status, body = server.call("POST", "/v1/vector_stores/live/files", {"file_id": file_id})
            if status != 200:
                problems.append(body)

    threads = [threading.Thread(target=each) for each in (talking, ingesting)]
    for each in threads:
        each.start()
    try:
        while len(answers) < 3 and not problems:
            stop.wait(0.1)
        before = list(answers)
        told = data(run(server, "backup", str(tmp_path / "home.tar.gz"), "--json"))
    finally:
        stop.set()
        for each in threads:
            each.join()
    assert problems == []
    assert told["missing"] == []
    hits = found(server, server.key)
    assert hits
    new = tmp_path / "new"
    assert "Start with" in run(server, "restore", str(tmp_path / "home.tar.gz"), "--home", str(new))
    copy = start_server(new)
    try:
        for answer in before:
            status, events = copy.call("GET", f"/v1/events?answer_id={answer}&kind=answer", key=server.key)
            assert status == 200
            assert [event["id"] for event in events["data"]] == [answer]
            assert events["data"][0]["content"]
        assert found(copy, server.key) == hits
        status, body = copy.call("POST", "/v1/chat/completions", ask("handbook", QUERY), server.key)
        assert status == 200
        assert body["choices"][0]["message"]["content"]
    finally:
        stop_server(copy)
    assert ROOT not in new.parents
