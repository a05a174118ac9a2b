"""The semantic cache in a real server: the default embedding model, the default chat model, official headers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Done, data, run_within
from tests.conftest import ROOT, Server, start_server, stop_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start_server(tmp_path_factory.mktemp("semantic"), MAINSPRING_SERVING__SEMANTIC_CACHE="true")
    yield running
    stop_server(running)


def ask(server: Server, question: str, **fields: object) -> tuple[dict[str, str], str]:
    """(headers, text)"""
    # A stop string that soon comes: what runs into its limit is not kept.
    body = {"model": "smollm2-135m-instruct", "temperature": 0, "max_tokens": 200, "stop": [" "], **fields}
    status, headers, content = server.raw(
        "POST", "/v1/chat/completions", {**body, "messages": [{"role": "user", "content": question}]}
    )
    assert status == 200, content
    text = json.loads(content)["choices"][0]["message"]["content"] if not fields.get("stream") else content.decode()
    return {name.lower(): value for name, value in headers.items()}, text


def test_other_words_same_answer_until_it_is_reported_wrong(server: Server) -> None:
    first, text = ask(server, "How do I return a grinder?")
    assert first["x-cache"] == "miss"
    again, same = ask(server, "What is the best way to return a grinder?")
    assert (again["x-cache"], again["x-mainspring-cache"], same) == ("semantic", "semantic", text)
    assert float(again["x-mainspring-cache-similarity"]) >= 0.93
    streamed, frames = ask(server, "How can I return the grinder?", stream=True)
    assert streamed["x-mainspring-cache"] == "semantic"
    assert frames.rstrip().endswith("[DONE]")
    for other in ("How do I return 2 grinders?", "How do I not return a grinder?", "When do I return a grinder?"):
        headers, _ = ask(server, other)
        assert headers["x-cache"] == "miss"
        assert "x-mainspring-cache" not in headers
    assert server.call("GET", "/v1/cache")[1]["semantic"] == {"threshold": 0.93, "configured": 0.93}
    entry = again["x-mainspring-cache-id"]
    assert server.call("DELETE", f"/v1/cache/{entry}")[1]["deleted"]
    assert server.call("DELETE", f"/v1/cache/{entry}")[0] == 404
    assert server.call("GET", "/v1/cache")[1]["semantic"]["threshold"] == pytest.approx(0.944)
    page = server.raw("GET", "/metrics")[2].decode()
    assert 'mainspring_cache_total{cache="semantic",outcome="hit"} 2.0' in page
    assert 'mainspring_cache_total{cache="semantic",outcome="wrong"} 1.0' in page


def run(server: Server, *arguments: str, **environment: str) -> Done:
    return run_within(("cache", *arguments), {**server.environment, "MAINSPRING_URL": server.url, **environment}, ROOT)


def test_the_command_asks_the_running_server(server: Server) -> None:
    ask(server, "How do I open an account?")
    refused = run(server, "show")
    assert refused.returncode == 1
    assert "MAINSPRING_API_KEY" in refused.stderr
    shown = run(server, "show", "--json", MAINSPRING_API_KEY=server.key)
    assert data(shown.stdout)["answers"] > 0
    cleared = run(server, "clear", MAINSPRING_API_KEY=server.key)
    assert cleared.stdout.startswith("dropped")
    assert server.call("GET", "/v1/cache")[1]["answers"] == 0


def test_a_threshold_is_found_from_labelled_pairs(server: Server, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    rows = [
        ("How do I return a grinder?", "How can I return the grinder?", True),
        ("How do I return a grinder?", "How do I return 3 grinders?", False),
        ("Who opened the first plant?", "Who was it that opened the plant?", False),
        # Labelled different although every rule passes: the threshold must come above it.
        ("What is the story behind this photo?", "What's the story behind the photo?", False),
    ]
    pairs.write_text("".join(json.dumps({"one": a, "other": b, "same": same}) + "\n" for a, b, same in rows))
    found = run(server, "calibrate", str(pairs), "--json")
    assert found.returncode == 0, found.stderr
    result = data(found.stdout)
    assert result["false_hits"] == []
    assert 0.8 < result["threshold"] <= 1
    loose = data(run(server, "calibrate", str(pairs), "--at-most", "0.34", "--json").stdout)
    assert loose["threshold"] == 0.8
    pairs.write_text('{"one": "a"}\n')
    broken = run(server, "calibrate", str(pairs))
    assert broken.returncode == 1
    assert "line 1" in broken.stderr
