"""The rerank route, over a real server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Server

QUERY = "How long is the guarantee on a grinder?"
DOCUMENTS = [
    "Parcels to the islands take three days longer.",
    {"text": "The warranty covers hand grinders for seven years when they are used at home."},
    "Staff may claim a taxi after ten in the evening.",
]


def post(server: Server, **body: object) -> tuple[int, dict[str, Any]]:
    whole = {"model": "late:all-minilm-l6-v2", "query": QUERY, "documents": DOCUMENTS} | body
    return server.call("POST", "/v1/rerank", whole)


def test_the_best_document_comes_first(server: Server) -> None:
    status, body = post(server)
    assert status == 200, body
    assert body["results"][0]["index"] == 1
    scores = [result["relevance_score"] for result in body["results"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert body["usage"]["total_tokens"] > 30
    assert "document" not in body["results"][0]


def test_top_n_and_documents(server: Server) -> None:
    _, body = post(server, top_n=1, return_documents=True)
    assert len(body["results"]) == 1
    assert body["results"][0]["document"]["text"].startswith("The warranty")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"documents": []}, "documents"),
        ({"documents": ["a", " "]}, "documents[1]"),
        ({"query": "  "}, "query"),
        ({"top_n": 0}, "top_n"),
        ({"model": "all-minilm-l6-v2"}, "model"),
        ({"model": "nobody"}, "model"),
        ({"queries": ["a"]}, "queries"),
    ],
)
def test_bad_input_names_the_field(server: Server, change: dict[str, object], param: str) -> None:
    status, body = post(server, **change)
    assert status in (400, 404), body
    assert body["error"]["param"] == param


def test_it_is_listed_and_does_not_chat(server: Server) -> None:
    _, listed = server.call("GET", "/v1/models")
    assert {each["id"]: each["kind"] for each in listed["data"]}["late:all-minilm-l6-v2"] == "reranker"
    chat = {"model": "late:all-minilm-l6-v2", "messages": [{"role": "user", "content": "hi"}]}
    status, body = server.call("POST", "/v1/chat/completions", chat)
    assert (status, body["error"]["param"]) == (400, "model")
