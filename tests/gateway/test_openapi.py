"""Generated requests for every operation of the OpenAPI document: good ones, bad ones, and their replies."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mainspring.gateway.routes import anthropic
from mainspring.http.anthropic import encode as anthropic_encode
from mainspring.http.openai import encode
from tests.cli.command import data
from tests.conftest import Server
from tests.http.test_access import ENDLESS, OWN, SCOPES, run, upload

EXAMPLES = 5 if settings().max_examples <= 50 else 50
"""Of each operation; the nightly profile draws more."""
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
MODELS = {"/v1/embeddings": ("all-minilm-l6-v2",)}
CHAT_MODELS = ("smollm2-135m-instruct", "document-qa", "seeded")
DRAFT = "/v1/agents/draft"
ACTIONS = "/v1/code/actions"
"""A small model writes drafts for a minute. What answers from documents refuses them at once."""
REQUIRED = {"model", "messages", "prompt", "input"}
# The same requests in every run: what a random one finds belongs into a test of its own.
EVERY_RUN_THE_SAME = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


@dataclass
class Api:
    """The document, an admin key of a tenant with nothing else in it, and what its one vector store holds."""

    schema: BaseSchema
    session: requests.Session
    real: dict[str, str]


# Of the session, as its server is: a process of tests may come back to this module after others.
@pytest.fixture(scope="session")
def api(server: Server) -> Iterator[Api]:
    load_all_checks()
    key = data(run(server, "keys", "create", "generated", "--tenant", "generated", "--scope", "admin", "--json"))
    secret = key["secret"]
    file_id = upload(server, secret, "seed.md", "# Seed\n\nThe seed is sown in April.\n")
    status, store = server.call("POST", "/v1/vector_stores", {"name": "seeded", "file_ids": [file_id]}, secret)
    assert status == 200
    path = f"/v1/vector_stores/{store['id']}/files/{file_id}"
    end = time.monotonic() + 60
    while server.call("GET", path, key=secret)[1]["status"] == "in_progress" and time.monotonic() < end:
        time.sleep(0.1)
    with requests.Session() as session:
        session.headers["authorization"] = f"Bearer {secret}"
        schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
        yield Api(schema, session, {"store_id": store["id"], "file_id": file_id, "name": "seeded"})


def test_streams_without_an_end_are_shown_as_streams(api: Api) -> None:
    for route in ENDLESS:
        method, path = route.split()
        assert list(api.schema[path][method].definition.raw["responses"]["200"]["content"]) == ["text/event-stream"]


def _briefly(body: dict[str, Any]) -> None:
    """A small model that has 16,384 tokens may take minutes for a text without a meaning."""
    options = body.setdefault("options", {})
    if isinstance(options, dict) and isinstance(options.get("max_tokens", 16), int):
        options["max_tokens"] = min(options.get("max_tokens", 16), 16)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("route", [route for route in SCOPES if route not in ENDLESS])
def test_every_reply_is_as_the_document_says(server: Server, api: Api, route: str) -> None:
    method, path = route.split()
    operation = api.schema[path][method]
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    cases = st.one_of([operation.as_strategy(mode) for mode in modes])
    statuses: set[int] = set()

    def check(case: Case[Any], real: bool, kept: set[int]) -> None:
        if real:
            aim(case, api.real, kept)
        if case.path == DRAFT and isinstance(case.body, dict):
            case.body["model"] = "document-qa"
        if case.path == ACTIONS and isinstance(case.body, dict):
            _briefly(case.body)
        # The small model summarises a conversation in hundreds of tokens.
        response = case.call(session=api.session, timeout=200)
        statuses.add(response.status_code)
        case.validate_response(response, checks=CHECKS)
        if response.status_code >= 400:
            if case.path.startswith(anthropic.PREFIX):
                anthropic_encode.AnthropicErrorBody.model_validate_json(response.content)
            elif not case.path.startswith("/a2a"):
                # A2A's are held to the document's alone.
                encode.ErrorBody.model_validate_json(response.content)
        assert response.headers["x-trace-id"]

    drawn: Callable[[], None] = given(case=cases, real=st.booleans(), kept=st.sets(st.integers(0, 24), max_size=4))(
        EVERY_RUN_THE_SAME(check)
    )
    drawn()
    assert statuses - {401} or route in OWN, "no request came past the key"
    assert server.raw("GET", "/readyz")[0] == 200


def aim(case: Case[Any], real: dict[str, str], kept: set[int]) -> None:
    """Let a generated request reach what lies behind its names: objects that exist, and models that answer.

    ``kept`` are the numbers of the optional fields that stay: with all of them no body makes sense together.
    """
    if case.method != "DELETE":
        case.path_parameters = {name: real.get(name, value) for name, value in (case.path_parameters or {}).items()}
    body: Any = case.body
    if not isinstance(body, dict):
        return
    if "file_id" in body:
        body["file_id"] = real["file_id"]
    if "model" in body:
        for number, name in enumerate(sorted(body.keys() - REQUIRED)):
            if number not in kept:
                del body[name]
        models = MODELS.get(case.path, CHAT_MODELS)
        body["model"] = models[len(kept) % len(models)]
    if body.keys() & {"messages", "prompt"}:
        body.pop("max_completion_tokens", None)
        body["max_tokens"] = 3
