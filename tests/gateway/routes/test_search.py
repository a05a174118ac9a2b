"""The finding routes over a real server, with the official client and without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.conftest import Server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key, max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def store(client: openai.OpenAI) -> str:
    return next(each.id for each in client.vector_stores.list() if each.name == "handbook")


def ask(server: Server, store: str, route: str, **body: Any) -> tuple[int, Any]:
    return server.call("POST", f"/v1/vector_stores/{store}/{route}", body)


def test_the_official_client_searches_with_filters_and_rewriting(client: openai.OpenAI, store: str) -> None:
    page = client.vector_stores.search(
        store,
        query="How long is the warrenty on burrs?",
        max_num_results=3,
        filters={"type": "eq", "key": "name", "value": "warranty.pdf"},
        ranking_options={"ranker": "auto", "score_threshold": 0.0},
        rewrite_query=True,
    )
    assert {hit.filename for hit in page.data} == {"warranty.pdf"}
    assert page.model_extra is not None
    assert page.model_extra["search_query"][0] == "How long is the warranty on burrs?"


def test_hits_carry_their_place_and_their_highlights(server: Server, store: str) -> None:
    status, page = ask(server, store, "search", query="warranty on burrs", max_num_results=2)
    assert status == 200
    hit = page["data"][0]
    text = hit["content"][0]["text"]
    words = [text[span["start"] : span["end"]].lower() for span in hit["highlights"]]
    assert words
    assert all(word.startswith(("warrant", "burr")) for word in words)
    snippet = hit["snippet"]
    assert text[snippet["start"] : snippet["end"]] == snippet["text"]
    for span in snippet["highlights"]:
        assert snippet["text"][span["start"] : span["end"]].lower().startswith(("warrant", "burr"))
    assert hit["end"] - hit["start"] == len(text)
    assert page["object"] == "vector_store.search_results.page"


def test_facets_suggestion_summary_and_steps(server: Server, store: str) -> None:
    status, page = ask(
        server,
        store,
        "search",
        query="waranty on burrs",
        facets=["name"],
        spelling=True,
        summary="extractive",
        techniques=["complexity"],
        options={"mmr_lambda": 0.7, "effort": 0.8},
    )
    assert status == 200
    assert page["suggestion"] == "warranty on burrs"
    assert {"value", "count"} == page["facets"]["name"][0].keys()
    assert page["summary"]["citations"][0]["quote"] in page["summary"]["text"]
    assert {step["name"] for step in page["steps"]} == {"complexity", "retrieve", "suggest", "summary"}
    assert all(step["milliseconds"] >= 0 for step in page["steps"])


def test_modes_differ(server: Server, store: str) -> None:
    _, dense = ask(server, store, "search", query="burrs", options={"mode": "dense"}, max_num_results=50)
    _, sparse = ask(server, store, "search", query="burrs", options={"mode": "sparse"}, max_num_results=50)
    assert len(sparse["data"]) < len(dense["data"])
    assert all("burr" in hit["content"][0]["text"].lower() for hit in sparse["data"])


def test_hits_say_which_place_each_half_gave_them(server: Server, store: str) -> None:
    _, page = ask(server, store, "search", query="warranty on burrs", max_num_results=20)
    ranks = [hit["ranking"] for hit in page["data"]]
    assert 1 in {each["dense"]["rank"] for each in ranks}
    assert 1 in {each["lexical"]["rank"] for each in ranks}
    for each in ranks:
        assert (each["lexical"]["rank"] is None) == (each["lexical"]["score"] is None)
        assert each["rerank_score"] is None
    by_meaning = sorted(ranks, key=lambda each: each["dense"]["rank"])
    scores = [each["dense"]["score"] for each in by_meaning]
    assert scores == sorted(scores, reverse=True)
    _, page = ask(server, store, "search", query="warranty on burrs", options={"rerank": True})
    assert page["data"][0]["ranking"]["rerank_score"] is not None


def test_a_document_shows_the_chunks_that_it_was_cut_into(server: Server, store: str) -> None:
    path = f"/v1/vector_stores/{store}/files"
    document = next(each for each in server.call("GET", f"{path}?limit=100")[1]["data"] if each["chunks"] > 2)
    one = f"{path}/{document['id']}"
    _, page = server.call("GET", f"{one}/chunks")
    assert page["total"] == len(page["data"]) == document["chunks"]
    assert [chunk["index"] for chunk in page["data"]] == list(range(page["total"]))
    for chunk in page["data"]:
        _, passage = server.call("GET", f"{one}/content?start={chunk['start']}&end={chunk['end']}")
        assert passage["data"][0]["text"] == chunk["text"]
    _, part = server.call("GET", f"{one}/chunks?offset=1&limit=1")
    assert part["data"] == page["data"][1:2]
    assert part["has_more"] is True
    assert server.call("GET", f"{path}/nothing/chunks")[0] == 404
    assert server.call("GET", f"{one}/chunks?limit=0")[0] == 400


def test_more_like_this_and_recommendations(server: Server, store: str) -> None:
    _, page = ask(server, store, "search", query="warranty on burrs", max_num_results=1)
    document = page["data"][0]["document_id"]
    status, like = ask(server, store, "similar", document_id=document, max_num_results=3)
    assert status == 200
    assert document not in {hit["document_id"] for hit in like["data"]}
    assert len({hit["document_id"] for hit in like["data"]}) == 3
    status, like = ask(server, store, "similar", document_id=document, start=0, end=200, max_num_results=1)
    assert (status, len(like["data"])) == (200, 1)
    status, found = ask(server, store, "recommendations", document_ids=[document])
    assert (status, found["object"]) == (200, "list")


def test_suggestions_are_questions_to_the_headings_of_the_documents(server: Server, store: str) -> None:
    status, found = server.call("GET", f"/v1/vector_stores/{store}/suggestions?limit=4")
    assert (status, found["object"], len(found["data"])) == (200, "list", 4)
    assert all(each["text"].endswith("?") for each in found["data"])
    assert server.call("GET", "/v1/vector_stores/nothing/suggestions")[0] == 404
    assert server.call("GET", f"/v1/vector_stores/{store}/suggestions?limit=0")[0] == 400


@pytest.mark.parametrize(
    ("route", "body", "param"),
    [
        ("search", {"query": ""}, "query"),
        ("search", {"query": "x", "filters": {"type": "near", "key": "a", "value": 1}}, "filters.type"),
        ("search", {"query": "x", "filters": {"type": "and", "filters": [{"type": "eq"}]}}, "filters.filters.0.key"),
        ("search", {"query": "x", "options": {"speed": 1}}, "options.speed"),
        ("search", {"query": "x", "techniques": ["telepathy"]}, "techniques"),
        ("search", {"query": "x", "ranking_options": {"score_threshold": 2}}, "ranking_options.score_threshold"),
        ("search", {"query": "x", "facet": ["name"]}, "facet"),
        ("similar", {}, "document_id"),
        ("similar", {"text": "x", "start": 1, "end": 2}, "start"),
        ("similar", {"document_id": "doc_none"}, "document_id"),
        ("recommendations", {"document_ids": ["doc_none"]}, "document_ids"),
        ("recommendations", {"min_support": 1}, "min_support"),
    ],
)
def test_errors_name_the_field(server: Server, store: str, route: str, body: dict[str, Any], param: str) -> None:
    status, answer = ask(server, store, route, **body)
    assert status in (400, 404)
    assert answer["error"]["param"] == param


def test_a_store_that_is_not_there(server: Server) -> None:
    for route, body in (("search", {"query": "x"}), ("similar", {"text": "x"}), ("recommendations", {})):
        assert ask(server, "vs_none", route, **body)[0] == 404
