"""Who may do what: scopes, revoked and expired keys, groups and tenants, on a real server."""

from __future__ import annotations

import json
import re
import time
import uuid
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.cli.command import data, run_within
from tests.conftest import Server
from tests.surfaces import lines, merged

CHAT = "smollm2-135m-instruct"
FACT = "The Marigold turbine spins at 47,118 revolutions a minute."
QUESTION = "How fast does the Marigold turbine spin?"
# Every route and the scope that it asks for ("any": any key; None: no key). A new route of the gateway must be entered
# here, and one of a feature in ``tests/features/NAME/surface.py``.
OF_THE_GATEWAY: dict[str, str | None] = {
    "POST /v1/chat/completions": "chat",
    "POST /v1/completions": "chat",
    "POST /v1/responses": "chat",
    "GET /v1/responses/{response_id}": "chat",
    "GET /v1/responses/{response_id}/input_items": "chat",
    "POST /v1/responses/input_tokens": "chat",
    "POST /v1/responses/compact": "chat",
    "POST /v1/responses/{response_id}/cancel": "chat",
    "DELETE /v1/responses/{response_id}": "chat",
    "POST /v1/messages": "chat",
    "POST /v1/messages/count_tokens": "chat",
    "POST /v1/embeddings": "embed",
    "POST /v1/rerank": "embed",
    "POST /v2/rerank": "embed",
    "POST /rerank": "embed",
    "POST /v1/moderations": "chat",
    "GET /v1/policies": "admin",
    "GET /v1/policies/{name}": "admin",
    "GET /v1/models": "chat",
    "GET /v1/models/{name}": "chat",
    "POST /v1/files": "ingest",
    "GET /v1/files": "ingest",
    "GET /v1/files/{file_id}": "ingest",
    "GET /v1/files/{file_id}/content": "ingest",
    "DELETE /v1/files/{file_id}": "ingest",
    "POST /v1/vector_stores": "ingest",
    "GET /v1/vector_stores/{store_id}/sources": "admin",
    "POST /v1/vector_stores/{store_id}/sources/{source_id}/sync": "admin",
    "GET /v1/vector_stores/{store_id}/files/{file_id}/pages/{page}": "chat",
    "GET /v1/vector_stores": "chat",
    "GET /v1/vector_stores/{store_id}": "chat",
    "POST /v1/vector_stores/{store_id}": "ingest",
    "DELETE /v1/vector_stores/{store_id}": "ingest",
    "POST /v1/vector_stores/{store_id}/files": "ingest",
    "POST /v1/vector_stores/{store_id}/file_batches": "ingest",
    "GET /v1/vector_stores/{store_id}/file_batches/{batch_id}": "chat",
    "POST /v1/vector_stores/{store_id}/file_batches/{batch_id}/cancel": "ingest",
    "GET /v1/vector_stores/{store_id}/file_batches/{batch_id}/files": "chat",
    "GET /v1/vector_stores/{store_id}/files": "chat",
    "GET /v1/vector_stores/{store_id}/files/{file_id}": "chat",
    "GET /v1/vector_stores/{store_id}/files/{file_id}/content": "chat",
    "GET /v1/vector_stores/{store_id}/files/{file_id}/chunks": "chat",
    "POST /v1/vector_stores/{store_id}/files/{file_id}": "ingest",
    "POST /v1/vector_stores/{store_id}/files/{file_id}/release": "admin",
    "POST /v1/vector_stores/{store_id}/files/{file_id}/scan": "ingest",
    "DELETE /v1/vector_stores/{store_id}/files/{file_id}": "ingest",
    "POST /v1/vector_stores/{store_id}/search": "chat",
    "POST /v1/vector_stores/{store_id}/similar": "chat",
    "POST /v1/vector_stores/{store_id}/recommendations": "chat",
    "GET /v1/vector_stores/{store_id}/suggestions": "chat",
    "POST /v1/feedback": "chat",
    "GET /v1/events": "admin",
    "POST /v1/budgets": "admin",
    "GET /v1/budgets": "admin",
    "GET /v1/budgets/{budget_id}": "admin",
    "POST /v1/budgets/{budget_id}": "admin",
    "DELETE /v1/budgets/{budget_id}": "admin",
    "GET /v1/costs": "admin",
    "GET /v1/organization/costs": "admin",
    "GET /v1/presets": "chat",
    "GET /v1/presets/{name}": "chat",
    "GET /v1/traces": "admin",
    "GET /v1/traces/{trace_id}": "admin",
    "GET /v1/traces/{trace_id}/prompt": "admin",
    "GET /v1/traces/{trace_id}/found": "admin",
    "GET /v1/me": "any",
    "GET /v1/scopes": "admin",
    "GET /v1/keys": "admin",
    "POST /v1/keys": "admin",
    "POST /v1/keys/{key_id}/rotate": "admin",
    "DELETE /v1/keys/{key_id}": "admin",
    "GET /v1/limits": "admin",
    "GET /v1/limits/tenant": "admin",
    "GET /v1/limits/tenants/{tenant}": "operate",
    "POST /v1/limits/tenants/{tenant}": "operate",
    "GET /v1/replicas": "admin",
    "POST /v1/replicas/drain": "operate",
    "POST /v1/replicas/undrain": "operate",
    "GET /v1/cache": "admin",
    "DELETE /v1/cache": "admin",
    "DELETE /v1/cache/{entry_id}": "chat",
    "GET /health": None,
    "GET /healthz": None,
    "GET /readyz": None,
    "GET /metrics": None,
}
SCOPES = merged(OF_THE_GATEWAY, "scopes")
ENDLESS, OWN = frozenset(lines((), "endless")), frozenset(lines((), "own"))
EVERY_SCOPE = {scope for scope in SCOPES.values() if scope not in (None, "any")}
ALL_BUT_ADMIN = ("--scope", "chat", "--scope", "embed", "--scope", "ingest")
KEYS = {
    "chatter": ("--scope", "chat"),
    "embedder": ("--scope", "embed"),
    "worker": ALL_BUT_ADMIN,
    "researcher": (*ALL_BUT_ADMIN, "--group", "research"),
    "auditor": ("--scope", "admin", "--group", "research"),
    "seller": (*ALL_BUT_ADMIN, "--group", "sales"),
    "expired": (*ALL_BUT_ADMIN, "--days", "0"),
    "stranger": ("--tenant", "other", "--scope", "admin"),
    "bookkeeper": ("--scope", "operate"),
}
OUTSIDERS = ("worker", "seller", "stranger", "admin")


def run(server: Server, *arguments: str) -> str:
    """What ``mainspring ARGUMENTS`` prints in the server's environment, while the server runs."""
    done = run_within(arguments, server.environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def made(server: Server) -> dict[str, dict[str, str]]:
    """``KEYS`` by name: each with ``id`` and ``secret``."""

    def create(name: str) -> dict[str, str]:
        found: dict[str, str] = data(run(server, "keys", "create", name, *KEYS[name], "--json"))
        return found

    return {name: create(name) for name in KEYS}


@pytest.fixture(scope="session")
def keys(server: Server, made: dict[str, dict[str, str]]) -> dict[str, str]:
    """Secrets by name, the server's own admin key among them."""
    return {name: key["secret"] for name, key in made.items()} | {"admin": server.key}


@dataclass
class Restricted:
    """A vector store of the group ``research`` with one document in it, and the answer that a researcher got."""

    name: str
    store_id: str
    file_id: str
    trace_id: str
    answer_id: str


@pytest.fixture(scope="session")
def restricted(server: Server, keys: dict[str, str]) -> Restricted:
    key = keys["researcher"]
    file_id = upload(server, key, "marigold.md", f"# Marigold\n\n{FACT}\n")
    name = "marigold-plans"
    body = {"name": name, "groups": ["research"], "file_ids": [file_id]}
    status, store = server.call("POST", "/v1/vector_stores", body, key)
    assert status == 200, store
    for _ in range(300):
        document = server.call("GET", f"/v1/vector_stores/{store['id']}/files/{file_id}", key=key)[1]
        if document["status"] != "in_progress":
            break
        time.sleep(0.1)
    assert document["status"] == "completed", document
    status, headers, content = server.raw("POST", "/v1/chat/completions", ask(name), key)
    assert status == 200
    assert "47,118" in json.loads(content)["choices"][0]["message"]["content"]
    return Restricted(name, store["id"], file_id, headers["x-trace-id"], headers["x-answer-id"])


def upload(server: Server, key: str, name: str, text: str) -> str:
    body = (
        f'--B\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
        f'--B\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n{text}\r\n--B--\r\n'
    ).encode()
    headers = {"content-type": "multipart/form-data; boundary=B"}
    status, _, content = server.raw("POST", "/v1/files", body, key, headers)
    assert status == 200, content
    return str(json.loads(content)["id"])


def ask(model: str, question: str = QUESTION, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": question}], **more}


def code(answer: tuple[int, dict[str, Any]]) -> tuple[int, str]:
    status, body = answer
    return status, str(body["error"]["code"])


# --- scopes -------------------------------------------------------------------------------------------------------


def declared(server: Server) -> dict[str, str | None]:
    """The scope of every operation in the OpenAPI document."""
    document = json.loads(server.raw("GET", "/openapi.json")[2])
    found: dict[str, str | None] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            scopes = [scope for each in operation.get("security", ()) for scope in each["key"]]
            assert len(scopes) <= 1, (path, scopes)
            keyed = "any" if operation.get("security") else None
            found[f"{method.upper()} {path}"] = scopes[0] if scopes else keyed
    return found


def test_the_document_declares_the_scope_of_every_route(server: Server) -> None:
    assert declared(server) == SCOPES


@pytest.fixture(scope="session")
def single(server: Server) -> dict[str, str]:
    """A secret for each scope, with that scope alone, of a tenant that has nothing; one that was ``revoked``, one that
    was ``replaced``, and one that may do all but ask any model that there is (``elsewhere``)."""
    scopes = ("--scope", "admin", "--scope", "operate")
    made = run(server, "keys", "create", "matrix", "--tenant", "matrix", *scopes, "--json")
    admin = str(json.loads(made)["data"]["secret"])

    def key(name: str, **body: Any) -> dict[str, Any]:
        status, found = server.call("POST", "/v1/keys", {"name": name, **body}, admin)
        assert status == 201, found
        return found

    found = {scope: str(key(scope, scopes=[scope])["secret"]) for scope in sorted(EVERY_SCOPE)}
    revoked, replaced = key("revoked", scopes=["chat"]), key("replaced", scopes=["chat"])
    assert server.call("DELETE", f"/v1/keys/{revoked['id']}", key=admin)[0] == 200
    assert server.call("POST", f"/v1/keys/{replaced['id']}/rotate", {}, admin)[0] == 201
    elsewhere = key("elsewhere", scopes=["chat", "embed", "ingest"], models=["nothing-that-is-served"])
    return {
        **found,
        "revoked": str(revoked["secret"]),
        "replaced": str(replaced["secret"]),
        "elsewhere": str(elsewhere["secret"]),
    }


def called(server: Server, route: str, key: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    """Status and body of a call with nothing in it; of a stream without an end, its status alone."""
    method, path = re.sub(r"\{.*?\}", "x", route).split()
    if route in ENDLESS:
        given = ({"authorization": f"Bearer {key}"} if key else {}) | (headers or {})
        with httpx.stream(method, f"{server.url}{path}", headers=given) as got:
            return got.status_code, {} if got.status_code == 200 else json.loads(got.read())
    body: object = {} if method in ("POST", "PUT", "PATCH") else None
    status, _, content = server.raw(method, path, body, key, headers)
    try:
        found = json.loads(content)
    except ValueError:
        return status, {}
    return status, found if isinstance(found, dict) else {}


@pytest.mark.parametrize("route", SCOPES)
def test_a_route_lets_in_exactly_those_who_have_its_scope(
    server: Server, single: dict[str, str], keys: dict[str, str], route: str
) -> None:
    needed = SCOPES[route]
    for name in ("revoked", "replaced", "expired", "", "nonsense", "ms-wrong"):
        status, answer = called(server, route, single.get(name) or keys.get(name) or name)
        if needed is None:
            assert status not in (401, 403) or route in OWN
        else:
            assert (status, answer["error"]["code"]) == (401, "invalid_api_key"), name
    # Nor does a key in another place than the two that there are.
    if needed is not None:
        assert called(server, route, "", {"authorization": f"Basic {keys['admin']}"})[0] == 401
    for scope in sorted(EVERY_SCOPE):
        status, answer = called(server, route, single[scope])
        # An admin is one tenant's: what all tenants share is none of its business.
        if needed in (None, "any", scope) or (scope == "admin" and needed != "operate"):
            assert status not in (401, 403) or route in OWN, (scope, answer)
        else:
            assert (status, answer["error"]["code"]) == (403, "insufficient_scope"), scope
            assert f"--scope {needed}" in answer["error"]["message"]


ACROSS = ("by=tenant", "by=model&by=tenant", "all_tenants=true", "all_tenants=true&by=day")


@pytest.mark.parametrize("query", ACROSS)
def test_sums_over_all_tenants_need_a_scope_of_their_own(server: Server, keys: dict[str, str], query: str) -> None:
    for name in ("auditor", "stranger"):
        status, answer = server.call("GET", f"/v1/costs?{query}", key=keys[name])
        assert (status, answer["error"]["code"]) == (403, "insufficient_scope"), name
        assert "--scope admin --scope operate" in answer["error"]["message"]
        assert server.call("GET", "/v1/costs?by=model", key=keys[name])[0] == 200
    # The scope alone leads nowhere.
    status, answer = server.call("GET", f"/v1/costs?{query}", key=keys["bookkeeper"])
    assert (status, "'admin'" in answer["error"]["message"]) == (403, True)
    assert server.call("GET", f"/v1/costs?{query}", key=keys["admin"])[0] == 200


def test_sums_over_all_tenants_are_right_and_leave_a_record(server: Server, keys: dict[str, str]) -> None:
    for name in ("worker", "stranger"):
        assert server.call("POST", "/v1/chat/completions", ask(CHAT, "Hi", max_tokens=2), keys[name])[0] == 200
    lines = server.call("GET", "/v1/costs?by=tenant&by=model")[1]["data"]
    calls = {(line["tenant"], line["model"]): line["calls"] for line in lines}
    assert min(calls["default", CHAT], calls["other", CHAT]) > 0
    assert all(set(line) & {"key", "application", "request"} == set() for line in lines)
    (whole,) = server.call("GET", "/v1/costs?all_tenants=true")[1]["data"]
    assert whole["calls"] >= sum(calls.values())
    own = server.call("GET", "/v1/costs?by=model", key=keys["stranger"])[1]["data"]
    assert {line["model"]: line["calls"] for line in own}[CHAT] == calls["other", CHAT]
    # What another tenant calls its keys and applications is its own.
    for query in ("by=key", "by=application", "by=request", "key=x", "application=x", "trace_id=x"):
        status, answer = server.call("GET", f"/v1/costs?all_tenants=true&{query}")
        assert (status, answer["error"]["param"]) == (400, "by"), query
    told = server.call("GET", "/v1/audit?action=costs.read&limit=1")[1]["data"]
    assert (told[0]["target"], told[0]["details"]) == ("all tenants", {"by": []})


ASKING: dict[str, dict[str, Any]] = {
    "POST /v1/chat/completions": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2},
    "POST /v1/completions": {"prompt": "Hi", "max_tokens": 2},
    "POST /v1/responses": {"input": "Hi", "max_output_tokens": 2},
    "POST /v1/messages": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2},
    "POST /v1/messages/count_tokens": {"messages": [{"role": "user", "content": "Hi"}]},
    "POST /v1/responses/input_tokens": {"input": "Hi"},
    "POST /v1/responses/compact": {"input": "Hi"},
    "POST /v1/embeddings": {"input": "Hi"},
    "POST /v1/rerank": {"query": "Hi", "documents": ["Ho"]},
}


@pytest.mark.parametrize("route", ASKING)
def test_a_key_of_other_models_finds_none_of_those_that_are_served(
    server: Server, single: dict[str, str], route: str
) -> None:
    served = [model["id"] for model in server.call("GET", "/v1/models")[1]["data"]]
    assert {CHAT, "all-minilm-l6-v2", "document-qa", "assistant"} <= set(served)
    method, path = route.split()
    for model in (CHAT, "all-minilm-l6-v2", "document-qa", "assistant", "auto", "nonsense"):
        status, answer = server.call(method, path, {"model": model, **ASKING[route]}, single["elsewhere"])
        assert status == 404, (model, answer)
        # The same words whether there is such a model or not, and none that names another.
        said = answer["error"]["message"].replace(repr(model), "...").replace(model, "...")
        assert "Did you mean" not in said
        assert not any(other in said for other in served)
    assert server.call("GET", "/v1/models", key=single["elsewhere"])[1]["data"] == []
    assert server.call("GET", f"/v1/models/{CHAT}", key=single["elsewhere"])[0] == 404


def test_a_key_with_the_scope_is_let_through(server: Server, keys: dict[str, str]) -> None:
    for name, path in (
        ("chatter", "/v1/models"),
        ("worker", "/v1/files"),
        ("admin", "/v1/files"),
        ("admin", "/v1/models"),
        ("stranger", "/v1/events"),
    ):
        assert server.call("GET", path, key=keys[name])[0] == 200, (name, path)
    body = {"model": "all-minilm-l6-v2", "input": "Hi"}
    assert server.call("POST", "/v1/embeddings", body, keys["embedder"])[0] == 200


# --- the life of a key --------------------------------------------------------------------------------------------


def test_a_key_that_is_revoked_is_refused_within_seconds(server: Server) -> None:
    key = data(run(server, "keys", "create", "short-lived", "--json"))
    assert server.call("GET", "/v1/models", key=key["secret"])[0] == 200
    run(server, "keys", "revoke", key["id"])
    end = time.monotonic() + 30
    while server.call("GET", "/v1/models", key=key["secret"])[0] == 200 and time.monotonic() < end:
        time.sleep(0.2)
    status, answer = server.call("GET", "/v1/models", key=key["secret"])
    assert (status, answer["error"]["code"]) == (401, "invalid_api_key")
    assert "was revoked" in answer["error"]["message"]


def test_an_expired_key_says_that_it_has_expired(server: Server, keys: dict[str, str]) -> None:
    status, answer = server.call("GET", "/v1/models", key=keys["expired"])
    assert status == 401
    assert "has expired" in answer["error"]["message"]
    assert keys["expired"] not in answer["error"]["message"]


def test_keys_are_listed_without_their_secrets(
    server: Server, made: dict[str, dict[str, str]], keys: dict[str, str]
) -> None:
    listed = run(server, "keys", "list", "--json")
    ids = {row["id"] for row in json.loads(listed)["data"]}
    assert {key["id"] for name, key in made.items() if name != "stranger"} <= ids
    assert made["stranger"]["id"] not in ids
    assert not any(secret in listed for secret in keys.values())


# --- groups -------------------------------------------------------------------------------------------------------


def test_those_in_the_group_see_the_store_everywhere(
    server: Server, keys: dict[str, str], restricted: Restricted
) -> None:
    key = keys["researcher"]
    assert restricted.name in models(server, key)
    assert restricted.store_id in stores(server, key)
    for name in (restricted.store_id, restricted.name):
        assert server.call("GET", f"/v1/vector_stores/{name}", key=key)[0] == 200
        _, page = server.call("POST", f"/v1/vector_stores/{name}/search", {"query": QUESTION}, key)
        assert "47,118" in page["data"][0]["content"][0]["text"]
    _, answer = server.call("POST", "/v1/chat/completions", ask("document-qa"), key)
    assert "47,118" in answer["choices"][0]["message"]["content"]


@pytest.mark.parametrize("outsider", OUTSIDERS)
def test_outsiders_find_nothing_of_the_store(
    server: Server, keys: dict[str, str], restricted: Restricted, outsider: str
) -> None:
    key = keys[outsider]
    assert restricted.name not in models(server, key)
    assert code(server.call("GET", f"/v1/models/{restricted.name}", key=key)) == (404, "model_not_found")
    assert restricted.store_id not in stores(server, key)
    own = upload(server, key, "own.md", "Nothing about turbines.\n")
    for name in (restricted.store_id, restricted.name):
        path = f"/v1/vector_stores/{name}"
        for method, route, body in (
            ("GET", path, None),
            ("GET", f"{path}/files", None),
            ("GET", f"{path}/files/{restricted.file_id}", None),
            ("GET", f"{path}/files/{restricted.file_id}/chunks", None),
            ("POST", f"{path}/search", {"query": QUESTION}),
            ("POST", f"{path}/files", {"file_id": own}),
            ("POST", f"{path}/files/{restricted.file_id}", {"attributes": {}}),
            ("DELETE", f"{path}/files/{restricted.file_id}", None),
            ("POST", path, {"name": "taken-over"}),
            ("DELETE", path, None),
        ):
            assert code(server.call(method, route, body, key)) == (404, "not_found"), (method, route)
    inside = server.call("GET", f"/v1/vector_stores/{restricted.store_id}/files", key=keys["researcher"])[1]
    assert [document["id"] for document in inside["data"]] == [restricted.file_id]


@pytest.mark.parametrize("outsider", OUTSIDERS)
def test_outsiders_find_nothing_of_the_uploaded_original(
    server: Server, keys: dict[str, str], restricted: Restricted, outsider: str
) -> None:
    key = keys[outsider]
    listed = server.call("GET", "/v1/files", key=key)[1]["data"]
    assert restricted.file_id not in [file["id"] for file in listed]
    path = f"/v1/files/{restricted.file_id}"
    for method, route in (("GET", path), ("GET", f"{path}/content"), ("DELETE", path)):
        assert code(server.call(method, route, key=key)) == (404, "not_found"), (method, route)
    _, _, content = server.raw("GET", f"{path}/content", key=keys["researcher"])
    assert FACT.encode() in content


@pytest.mark.parametrize("outsider", OUTSIDERS)
def test_outsiders_get_no_answer_from_the_store(
    server: Server, keys: dict[str, str], restricted: Restricted, outsider: str
) -> None:
    key = keys[outsider]
    refused = server.call("POST", "/v1/chat/completions", ask(restricted.name), key)
    assert code(refused) == (404, "model_not_found")
    misspelt = server.call("POST", "/v1/chat/completions", ask(restricted.name[:-1]), key)
    assert code(misspelt) == (404, "model_not_found")
    assert restricted.name not in misspelt[1]["error"]["message"]
    named = ask("document-qa", options={"collections": [restricted.name]})
    assert server.call("POST", "/v1/chat/completions", named, key)[0] == 404
    # A researcher has asked this before: the answer lies in the cache.
    status, _, everything = server.raw("POST", "/v1/chat/completions", ask("document-qa"), key)
    assert status in (200, 404)
    assert b"47,118" not in everything
    assert b"Marigold turbine spins" not in everything


def test_nobody_makes_a_store_that_they_could_not_see(server: Server, keys: dict[str, str]) -> None:
    body = {"name": "misplaced", "groups": ["research"]}
    for name in ("worker", "seller", "admin"):
        status, answer = server.call("POST", "/v1/vector_stores", body, keys[name])
        assert (status, answer["error"]["param"]) == (400, "groups")
    assert "misplaced" not in models(server, keys["researcher"])


def test_a_store_whose_files_are_unknown_is_not_left_behind(server: Server, keys: dict[str, str]) -> None:
    body = {"name": "half-made", "file_ids": ["file-nothing"]}
    for _ in range(2):
        assert code(server.call("POST", "/v1/vector_stores", body, keys["worker"])) == (404, "not_found")
    assert "half-made" not in models(server, keys["worker"])


def test_a_hidden_name_is_not_given_away_and_not_taken_over(
    server: Server, keys: dict[str, str], restricted: Restricted
) -> None:
    status, own = server.call("POST", "/v1/vector_stores", {"name": restricted.name}, keys["worker"])
    assert status == 200, own
    try:
        for name in ("worker", "seller"):
            found = server.call("GET", f"/v1/vector_stores/{restricted.name}", key=keys[name])[1]
            assert found["id"] == own["id"]
        for path in ("", "/files"):
            found = server.call("GET", f"/v1/vector_stores/{restricted.name}{path}", key=keys["researcher"])[1]
            assert restricted.store_id in json.dumps(found)
        assert {own["id"], restricted.store_id} <= stores(server, keys["researcher"])
        listed = server.call("GET", "/v1/models", key=keys["researcher"])[1]["data"]
        assert [model["id"] for model in listed].count(restricted.name) == 1
        # Who sees one of that name is told so.
        for name in ("worker", "seller", "researcher"):
            again = server.call("POST", "/v1/vector_stores", {"name": restricted.name}, keys[name])
            assert (code(again), again[1]["error"]["param"]) == ((409, "conflict"), "name")
    finally:
        assert server.call("DELETE", f"/v1/vector_stores/{own['id']}", key=keys["worker"])[0] == 200


def test_an_upload_is_for_the_groups_of_its_uploader(server: Server, keys: dict[str, str]) -> None:
    file_id = upload(server, keys["researcher"], "draft.md", "A draft.\n")
    path = f"/v1/files/{file_id}"
    assert server.call("GET", path, key=keys["researcher"])[1]["groups"] == ["research"]
    for outsider in OUTSIDERS:
        for method, route in (("GET", path), ("GET", f"{path}/content"), ("DELETE", path)):
            assert code(server.call(method, route, key=keys[outsider])) == (404, "not_found")
        listed = server.call("GET", "/v1/files?limit=100", key=keys[outsider])[1]["data"]
        assert file_id not in {row["id"] for row in listed}
        # A hidden file as a cursor tells nothing either.
        assert server.call("GET", f"/v1/files?after={file_id}", key=keys[outsider])[0] == 200
    ours = upload(server, keys["worker"], "ours.md", "Ours.\n")
    assert server.call("GET", f"/v1/files/{ours}", key=keys["seller"])[0] == 200
    assert server.call("DELETE", path, key=keys["researcher"])[0] == 200


def test_what_was_found_in_a_restricted_store_is_placed_for_its_group_alone(
    server: Server, keys: dict[str, str], restricted: Restricted
) -> None:
    path = f"/v1/traces/{restricted.trace_id}/found"
    (place,) = server.call("GET", path, key=keys["auditor"])[1]["data"]
    assert (place["filename"], place["file_id"]) == ("marigold.md", restricted.file_id)
    assert FACT in place["beginning"]
    for outsider in ("admin", "stranger"):
        assert server.call("GET", path, key=keys[outsider])[1]["data"] == []


def test_what_was_asked_of_a_restricted_store_is_shown_to_its_group_alone(
    server: Server, keys: dict[str, str], restricted: Restricted
) -> None:
    body = ask(restricted.name, "How fast is the Marigold turbine, in revolutions?")
    traces, seen = [restricted.trace_id], list[str]()
    # What other tests deleted may be forgotten between two answers, and cached answers of the tenant with it.
    while (len(seen) < 2 or seen[-1] != "hit") and len(seen) < 10:
        status, headers, _ = server.raw("POST", "/v1/chat/completions", body, keys["researcher"])
        assert status == 200
        traces.append(headers["x-trace-id"])
        seen.append(headers["x-cache"])
    assert seen[-1] == "hit"
    for trace in traces:
        shown = server.call("GET", f"/v1/events?trace_id={trace}", key=keys["auditor"])[1]["data"]
        assert "answer" in {event["kind"] for event in shown}
        assert server.call("GET", f"/v1/events?trace_id={trace}", key=keys["admin"])[1]["data"] == []
    after, everything = "", ""
    while True:
        _, page = server.call("GET", f"/v1/events?limit=100{after}", key=keys["admin"])
        everything += json.dumps(page["data"])
        if not page["has_more"]:
            break
        after = f"&after={page['last_id']}"
    assert "in revolutions?" not in everything
    assert "47,118" not in everything
    assert '"kind": "answer"' in everything


# --- tenants ------------------------------------------------------------------------------------------------------


def test_another_tenants_files_do_not_exist(server: Server, keys: dict[str, str]) -> None:
    file_id = upload(server, keys["worker"], "mine.md", "Mine.\n")
    stranger = keys["stranger"]
    listed = server.call("GET", "/v1/files", key=stranger)[1]["data"]
    assert file_id not in {row["id"] for row in listed}
    for method, path in (
        ("GET", f"/v1/files/{file_id}"),
        ("GET", f"/v1/files/{file_id}/content"),
        ("DELETE", f"/v1/files/{file_id}"),
    ):
        assert code(server.call(method, path, key=stranger)) == (404, "not_found")
    taken = {"name": "taken", "file_ids": [file_id]}
    assert server.call("POST", "/v1/vector_stores", taken, stranger)[0] == 404
    assert server.raw("GET", f"/v1/files/{file_id}/content", key=keys["worker"])[2] == b"Mine.\n"


def test_tenants_name_their_stores_without_regard_to_others(
    server: Server, keys: dict[str, str], restricted: Restricted
) -> None:
    stranger = keys["stranger"]
    status, store = server.call("POST", "/v1/vector_stores", {"name": restricted.name}, stranger)
    assert status == 200
    assert store["id"] != restricted.store_id
    _, page = server.call("POST", f"/v1/vector_stores/{restricted.name}/search", {"query": QUESTION}, stranger)
    assert page["data"] == []
    assert server.call("DELETE", f"/v1/vector_stores/{restricted.name}", key=stranger)[0] == 200
    assert server.call("GET", f"/v1/vector_stores/{restricted.name}", key=keys["researcher"])[0] == 200


def test_another_tenants_facts_cannot_be_read_or_judged(
    server: Server, keys: dict[str, str], restricted: Restricted
) -> None:
    for query in (f"trace_id={restricted.trace_id}", f"answer_id={restricted.answer_id}"):
        assert server.call("GET", f"/v1/events?{query}", key=keys["auditor"])[1]["data"]
        assert server.call("GET", f"/v1/events?{query}", key=keys["stranger"])[1]["data"] == []
    every = server.call("GET", "/v1/events", key=keys["stranger"])[1]["data"]
    assert restricted.answer_id not in {event["subject"] for event in every}
    body = {"answer_id": restricted.answer_id, "rating": "down"}
    assert code(server.call("POST", "/v1/feedback", body, keys["stranger"])) == (404, "not_found")
    assert server.call("POST", "/v1/feedback", body, keys["researcher"])[0] == 201


def test_sessions_are_remembered_for_the_same_tenant_and_groups_only(server: Server, keys: dict[str, str]) -> None:
    session = f"s-{uuid.uuid4().hex}"

    def prompt_tokens(name: str) -> int:
        body = ask(CHAT, "Hello there.", session_id=session, max_tokens=4, temperature=0)
        status, answer = server.call("POST", "/v1/chat/completions", body, keys[name])
        assert status == 200, answer
        return int(answer["usage"]["prompt_tokens"])

    first = prompt_tokens("worker")
    assert prompt_tokens("worker") > first
    for name in ("stranger", "researcher"):
        assert prompt_tokens(name) == first


def test_answers_are_not_shared_between_tenants_or_groups(server: Server, keys: dict[str, str]) -> None:
    body = ask("document-qa", "How big a pot fits the Cinder?", options={"collections": ["handbook"]})

    def cached(name: str) -> str:
        return server.raw("POST", "/v1/chat/completions", body, keys[name])[1].get("x-cache", "")

    assert cached("worker") == "miss"
    assert cached("worker") == "hit"
    assert cached("seller") == "miss"
    assert cached("stranger") != "hit"


def models(server: Server, key: str) -> set[str]:
    return {model["id"] for model in server.call("GET", "/v1/models", key=key)[1]["data"]}


def stores(server: Server, key: str) -> set[str]:
    return {store["id"] for store in server.call("GET", "/v1/vector_stores?limit=100", key=key)[1]["data"]}
