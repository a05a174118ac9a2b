"""Traces over HTTP: lists, filters, one trace, and who may see them."""

from __future__ import annotations

import os
import time
import uuid
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.cli.command import data
from tests.conftest import Server
from tests.http.test_access import CHAT, code, run


@pytest.fixture(scope="module")
def keys(server: Server) -> dict[str, str]:
    """An admin of another tenant, one of a group, and one who may chat in that group."""
    made = {
        "stranger": ("--tenant", f"t-{uuid.uuid4().hex[:8]}", "--scope", "admin"),
        "auditor": ("--scope", "admin", "--group", "tracing"),
        "member": ("--scope", "chat", "--group", "tracing"),
    }
    return {
        name: data(run(server, "keys", "create", name, *arguments, "--json"))["secret"]
        for name, arguments in made.items()
    } | {"admin": server.key}


def asked(server: Server, key: str, model: str = CHAT, traceparent: str = "", **more: Any) -> str:
    """Ask something; the id of its trace."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 4, **more}
    headers = {"traceparent": traceparent} if traceparent else {}
    return server.raw("POST", "/v1/chat/completions", body, key, headers)[1]["x-trace-id"]


def seen(server: Server, key: str, trace: str, patience_s: float = 10.0) -> list[dict[str, Any]]:
    """The spans of a trace; they are written a moment after the answer."""
    end = time.monotonic() + patience_s
    while True:
        status, found = server.call("GET", f"/v1/traces/{trace}", key=key)
        if status == 200:
            spans: list[dict[str, Any]] = found["spans"]
            return spans
        assert code((status, found)) == (404, "not_found")
        if time.monotonic() > end:
            return []
        time.sleep(0.05)


def test_a_trace_has_the_steps_of_its_request(server: Server, keys: dict[str, str]) -> None:
    trace = asked(server, keys["admin"])
    spans = seen(server, keys["admin"], trace)
    (root,) = (span for span in spans if span["parent_id"] is None)
    assert root["name"] == "request"
    names = [span["name"] for span in spans]
    assert {"Limit", "Record", f"chat {CHAT}"} <= set(names)
    known = {span["id"] for span in spans}
    for span in spans:
        assert span["parent_id"] in known | {None}
        assert int(span["start_ns"]) >= int(root["start_ns"])
        assert span["duration_ms"] <= root["duration_ms"] + 1
    assert "tenant" not in root


def test_a_list_has_the_latest_first_and_in_pages(server: Server, keys: dict[str, str]) -> None:
    traces = [asked(server, keys["admin"]) for _ in range(3)]
    assert seen(server, keys["admin"], traces[-1])
    query = f"/v1/traces?model={CHAT}&limit=2"
    first = server.call("GET", query)[1]
    assert [row["id"] for row in first["data"]] == [traces[2], traces[1]]
    assert first["has_more"] is True
    row = first["data"][0]
    assert (row["model"], row["operation"], row["status"], row["error"]) == (CHAT, "chat", "unset", None)
    assert row["input_tokens"] > 0
    assert row["output_tokens"] > 0
    assert row["duration_ms"] >= row["ttft_ms"] > 0
    assert row["spans"] >= 3
    rest = server.call("GET", f"{query}&before={first['data'][-1]['start_ns']}")[1]
    assert rest["data"][0]["id"] == traces[0]


def test_filters_leave_out_what_does_not_fit(server: Server, keys: dict[str, str]) -> None:
    good = asked(server, keys["admin"])
    bad = asked(server, keys["admin"], "document-qa", options={"nonsense": 1})
    assert seen(server, keys["admin"], good)
    assert seen(server, keys["admin"], bad)

    def ids(query: str) -> list[str]:
        status, found = server.call("GET", f"/v1/traces?limit=200&{query}")
        assert status == 200, found
        return [row["id"] for row in found["data"]]

    assert bad in ids("status=error")
    assert good not in ids("status=error")
    assert good in ids("operation=chat")
    assert good not in ids("operation=embeddings")
    assert good not in ids("model=document-qa")
    assert ids("least_ms=1000000") == []
    assert ids(f"since={time.time() + 60}") == []
    assert good in ids(f"since={time.time() - 600}")
    for query in ("least_ms=-1", "limit=0", "status=fine", "modle=x", "before=nan"):
        assert server.call("GET", f"/v1/traces?{query}")[0] == 400, query


def test_another_tenant_sees_none_of_it_even_under_the_same_trace_id(server: Server, keys: dict[str, str]) -> None:
    trace = os.urandom(16).hex()
    parent = f"00-{trace}-{os.urandom(8).hex()}-01"
    assert asked(server, keys["admin"], traceparent=parent) == trace
    ours = seen(server, keys["admin"], trace)
    assert seen(server, keys["stranger"], trace, 1.0) == []
    assert server.call("GET", "/v1/traces", key=keys["stranger"])[1]["data"] == []
    # The other tenant asks under the same id: each has its own spans, and only those.
    asked(server, keys["stranger"], traceparent=parent)
    theirs = seen(server, keys["stranger"], trace)
    assert theirs
    assert {span["id"] for span in theirs}.isdisjoint(span["id"] for span in ours)
    assert {span["id"] for span in seen(server, keys["admin"], trace)} == {span["id"] for span in ours}


def test_what_a_group_asked_is_for_admins_in_all_its_groups(server: Server, keys: dict[str, str]) -> None:
    trace = asked(server, keys["member"])
    assert seen(server, keys["auditor"], trace)
    assert seen(server, keys["admin"], trace, 1.0) == []
    listed = [row["id"] for row in server.call("GET", "/v1/traces?limit=200")[1]["data"]]
    assert trace not in listed
    assert trace in [row["id"] for row in server.call("GET", "/v1/traces?limit=200", key=keys["auditor"])[1]["data"]]
    # Whoever is in more groups than the asker sees it too.
    assert seen(server, keys["auditor"], asked(server, keys["admin"]))


def test_what_was_found_is_reported_by_its_place(server: Server, keys: dict[str, str]) -> None:
    question = [{"role": "user", "content": "How big a pot fits the Cinder?"}]
    trace = asked(server, keys["admin"], "document-qa", messages=question, options={"collections": ["handbook"]})
    (event,) = server.call("GET", f"/v1/events?trace_id={trace}&kind=retrieval")[1]["data"]
    hits = event["facts"]["hits"]
    found = {place["id"]: place for place in server.call("GET", f"/v1/traces/{trace}/found")[1]["data"]}
    assert set(found) == {hit["chunk_id"] for hit in hits}
    for hit in hits:
        place = found[hit["chunk_id"]]
        at = f"/v1/vector_stores/{place['vector_store_id']}/files/{place['file_id']}"
        chunks = server.call("GET", f"{at}/chunks?limit=100")[1]
        (chunk,) = (each for each in chunks["data"] if each["id"] == hit["chunk_id"])
        assert (place["filename"], place["vector_store_name"]) == (chunks["filename"], "handbook")
        assert [place[name] for name in ("page", "heading", "start", "end")] == [
            chunk[name] for name in ("page", "heading", "start", "end")
        ]
        assert place["beginning"].removesuffix(" …") in " ".join(chunk["text"].split())
        assert 0 < len(place["beginning"]) <= 240
    assert server.call("GET", f"/v1/traces/{trace}/found", key=keys["stranger"])[1]["data"] == []
    assert server.call("GET", f"/v1/traces/{os.urandom(16).hex()}/found")[1]["data"] == []


def listed(server: Server, key: str, **wanted: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.call("GET", f"/v1/traces?{urlencode(wanted)}", key=key)[1]["data"]
    return found


def test_a_list_tells_what_was_asked_by_which_key_and_whether_the_documents_say(
    server: Server, keys: dict[str, str]
) -> None:
    admin, mark = keys["admin"], uuid.uuid4().hex[:8]
    said, unsaid = (
        asked(server, admin, "handbook", messages=[{"role": "user", "content": text}], options={"cache": False})
        for text in (
            f'How long are the burrs "guaranteed"? {mark}',
            f"Who won the chess championship of Mongolia? {mark}",
        )
    )
    for trace in (said, unsaid):
        seen(server, admin, trace)
    own = server.call("GET", "/v1/me", key=admin)[1]["key_id"]
    rows = {row["id"]: row for row in listed(server, admin, q=mark.upper())}
    assert set(rows) == {said, unsaid}
    assert [rows[trace]["answered"] for trace in (said, unsaid)] == [True, False]
    assert rows[said]["question"] == f'How long are the burrs "guaranteed"? {mark}'
    assert {row["key_id"] for row in rows.values()} == {own}
    assert [row["id"] for row in listed(server, admin, q=mark, answered="false")] == [unsaid]
    assert [row["id"] for row in listed(server, admin, q=f'"guaranteed"? {mark}', key_id=own)] == [said]
    assert listed(server, admin, q=mark, key_id="key_nobody") == []
    begun = rows[said]["started_at"]
    assert [row["id"] for row in listed(server, admin, q=mark, until=str(begun + 1e-3))] == [said]
    assert listed(server, keys["stranger"], q=mark) == []
    # A word of every record's form, which nobody asked.
    assert all("choices" in row["question"] for row in listed(server, admin, q="choices"))


def test_a_list_tells_sessions(server: Server, keys: dict[str, str]) -> None:
    session = f"talk-{uuid.uuid4().hex[:8]}"
    trace = asked(server, keys["admin"], session_id=session)
    seen(server, keys["admin"], trace)
    assert [row["id"] for row in listed(server, keys["admin"], session_id=session)] == [trace]
