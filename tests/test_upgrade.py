"""Homes that earlier versions wrote (scripts/previous_home.py makes them): everything in them is there, they serve, and
they erase."""

from __future__ import annotations

import json
import sqlite3
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mainspring.stores.schema import HEAD
from tests.conftest import ROOT, Server, start_server, stop_server
from tests.http.test_access import ask, upload

PREVIOUS = ROOT / "tests" / "data" / "home-0010.tar.gz"
QUESTION = "How long is the warranty of the Marigold lantern?"


def schema(home: Path) -> str:
    with closing(sqlite3.connect(home / "mainspring.db")) as database:
        return str(database.execute("SELECT version_num FROM alembic_version").fetchone()[0])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("previous") / "home"
    with tarfile.open(PREVIOUS) as pack:
        pack.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def told(home: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((home / "told.json").read_text())
    assert schema(home) == found["schema"] == "0010" != HEAD
    return found


@pytest.fixture(scope="module")
def upgraded(home: Path, told: dict[str, str]) -> Iterator[Server]:
    running = start_server(home)
    running.key = told["admin"]
    yield running
    stop_server(running)


def test_all_that_was_there_is_there(upgraded: Server, home: Path, told: dict[str, str]) -> None:
    assert schema(home) == HEAD
    reader = told["secret"]
    assert upgraded.call("GET", "/v1/me", key=reader)[1]["groups"] == ["staff"]
    for name in ("answer", "turn"):
        status, response = upgraded.call("GET", f"/v1/responses/{told[name]}", key=reader)
        assert status == 200, response
        assert response["output"][0]["content"][0]["text"] == told[f"{name}_text"]
    _, session = upgraded.call("GET", "/v1/sessions/tea/messages?order=asc", key=reader)
    assert [each["content"] for each in session["data"]] == ["My name is Ada.", told["turn_text"]]
    _, budgets = upgraded.call("GET", "/v1/budgets")
    assert [(each["id"], each["limit_usd"]) for each in budgets["data"]] == [(told["budget"], 5.0)]
    status, page = upgraded.call("POST", "/v1/vector_stores/lanterns/search", {"query": QUESTION}, reader)
    assert status == 200, page
    assert any("seven years" in row["content"][0]["text"] for row in page["data"])


def test_it_serves_live_traffic_right_after(upgraded: Server, told: dict[str, str]) -> None:
    reader = told["secret"]

    def one(number: int) -> tuple[int, Any]:
        if number % 4 == 0:
            file_id = upload(
                upgraded, reader, f"new-{number}.md", f"# New\n\nLantern {number} weighs {number} kilograms.\n"
            )
            return upgraded.call("POST", "/v1/vector_stores/lanterns/files", {"file_id": file_id}, reader)
        if number % 4 == 1:
            body = ask("smollm2-135m-instruct", "And my name?", session_id="tea", max_tokens=4)
            return upgraded.call("POST", "/v1/chat/completions", body, reader)
        return upgraded.call("POST", "/v1/chat/completions", ask("lanterns", QUESTION), reader)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(one, range(16)))
    assert [status for status, _ in answers] == [200] * 16, answers
    texts = [body["choices"][0]["message"]["content"] for number, (_, body) in enumerate(answers) if number % 4 > 1]
    assert all("seven years" in text for text in texts)
    # What came with later schemas works on it too: an old answer is asked again.
    status, replay = upgraded.call("POST", "/v1/replays", {"answer_id": told["answer"]})
    assert status == 201, replay
    assert replay["original"]["text"] == told["answer_text"]
    assert any("recorded by an earlier version" in each for each in replay["notices"])


LATER = ROOT / "tests" / "data" / "home-0038.tar.gz"
"""With prompts, a batch, feedback and two people, of whom one is erased."""


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("later") / "home"
    with tarfile.open(LATER) as pack:
        pack.extractall(folder, filter="data")
    assert schema(folder) == "0038"
    return folder


def test_a_later_home_opens_answers_and_erases(later: Path) -> None:
    told: dict[str, str] = json.loads((later / "told.json").read_text())
    key = told["secret"]
    server = start_server(later)
    server.key = told["admin"]
    try:
        assert schema(later) == HEAD
        _everything_is_there(server, told)
        assert server.call("POST", "/v1/chat/completions", ask("lanterns", QUESTION), key)[0] == 200
        status, done = server.call("DELETE", "/v1/subjects/ada?kind=user")
        assert status in (200, 202), done
        end = time.monotonic() + 60
        while not (found := server.call("GET", f"/v1/erasures/{done['id']}")[1])["receipt"]:
            assert time.monotonic() < end
            time.sleep(0.2)
        erased = found["receipt"]["erased"]
        assert erased["batch_lines"] == 2, erased
        assert erased["answers"] == 2
        assert server.raw("GET", f"/v1/files/{told['output']}/content", key=key)[2].count(b'"ada"') == 0
        # Bob is there as he was.
        _, session = server.call("GET", "/v1/sessions/tea/messages?order=asc", key=key)
        assert [each["content"] for each in session["data"]] == ["My name is Bob.", told["turn_text"]]
    finally:
        stop_server(server)
    for path in later.rglob("*"):
        if path.is_file() and path.name != "told.json":
            assert b"Adalind" not in path.read_bytes(), path


def _everything_is_there(server: Server, told: dict[str, str]) -> None:
    key = told["secret"]
    for name in ("answer", "turn", "hers"):
        status, response = server.call("GET", f"/v1/responses/{told[name]}", key=key)
        assert status == 200, response
        assert response["output"][0]["content"][0]["text"] == told[f"{name}_text"]
    _, prompt = server.call("GET", "/v1/prompts/terse/versions/latest", key=key)
    assert prompt["messages"][0]["content"] == "Be brief."
    _, batch = server.call("GET", f"/v1/batches/{told['batch']}", key=key)
    assert (batch["status"], batch["request_counts"]["completed"]) == ("completed", 2)
    assert server.raw("GET", f"/v1/files/{told['output']}/content", key=key)[2].count(b'"custom_id":"ada"') == 1
    _, budgets = server.call("GET", "/v1/budgets")
    assert [(each["id"], each["limit_usd"]) for each in budgets["data"]] == [(told["budget"], 5.0)]
