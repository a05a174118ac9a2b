"""Azure's clients: their paths, their header, and the deployment that names the model."""

from __future__ import annotations

import json
from typing import Any

import httpx
import openai
import pytest

from mainspring.core.types import ChatRequest, Context, Finish, Request, Response, Text
from mainspring.gateway.edge.azure import as_openai
from mainspring.http.request_body import _with_model
from tests.gateway.asgi import ask, gateway
from tests.serving.house import Recited

CHAT = {"model": "other", "messages": [{"role": "user", "content": "Hi"}]}


class Noted(Recited):
    """Keeps the model that each request names."""

    def __init__(self) -> None:
        super().__init__(Text("Hello"), Finish("stop"))
        self.models: list[str] = []

    async def respond(self, request: Request, context: Context) -> Response:
        assert isinstance(request, ChatRequest)
        self.models.append(request.model)
        return await super().respond(request, context)


@pytest.mark.parametrize(
    ("path", "found", "model"),
    [
        ("/openai/v1/models", "/v1/models", None),
        ("/openai/files/file-1/content", "/v1/files/file-1/content", None),
        ("/openai/deployments/m/chat/completions", "/v1/chat/completions", "m"),
        ("/openai/deployments/org/m/completions", "/v1/completions", "org/m"),
        ("/openai/v1/deployments/m/audio/speech", "/v1/audio/speech", "m"),
        ("/openai/deployments//embeddings", "/v1/deployments//embeddings", None),
        ("/v1/models", "/v1/models", None),
        ("/openai", "/openai", None),
    ],
)
def test_azures_paths_are_openais(path: str, found: str, model: str | None) -> None:
    scope: dict[str, Any] = {"type": "http", "path": path, "raw_path": path.encode()}
    moved = as_openai(scope)
    assert (moved["path"], moved["raw_path"]) == (found, found.encode())
    assert scope["path"] == path
    assert moved.get("state", {}).get("deployment") == model


@pytest.mark.parametrize("body", [b"{}", b" { } ", b'{"a": 1}', b'{"model": "x"}\n', b'{"a": {"b": [1]}}'])
def test_the_deployment_is_the_model(body: bytes) -> None:
    assert json.loads(_with_model(body, 'a "b"')) == {**json.loads(body), "model": 'a "b"'}


@pytest.mark.parametrize("body", [b"", b"[{}", b'{"a": 1', b'{"a": 1,}', b'{"a": "}', b'[1, {"a": 1}', b"}", b"{"])
def test_what_is_no_object_stays_unreadable(body: bytes) -> None:
    with pytest.raises(json.JSONDecodeError):
        json.loads(_with_model(body, "m") or b"{")


async def test_the_path_decides_and_the_key_may_be_in_azures_header() -> None:
    noted = Noted()
    path = "/openai/deployments/m/chat/completions?api-version=2024-10-21"
    reply = await ask(gateway(noted), "POST", path, CHAT, headers={"authorization": "", "api-key": "ms-chat"})
    assert reply.status == 200
    bare = {"messages": CHAT["messages"]}
    assert (await ask(gateway(noted), "POST", path, bare)).status == 200
    assert noted.models == ["m", "m"]
    assert (await ask(gateway(noted), "POST", path, CHAT, headers={"authorization": "", "api-key": "no"})).status == 401


async def test_azures_official_client_works_unchanged() -> None:
    noted = Noted()
    transport: Any = httpx.AsyncClient(transport=httpx.ASGITransport(gateway(noted)), base_url="http://here")
    client = openai.AsyncAzureOpenAI(
        azure_endpoint="http://here", api_key="ms-all", api_version="2024-10-21", http_client=transport
    )
    said = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
    assert said.choices[0].message.content == "Hello"
    assert said._request_id
    assert (await client.models.list()).data == []
    newest = openai.AsyncOpenAI(base_url="http://here/openai/v1/", api_key="ms-all", http_client=transport)
    await newest.chat.completions.create(model="n", messages=[{"role": "user", "content": "Hi"}])
    assert noted.models == ["m", "n"]
