"""Every answer of a real server is, strictly, of the type that the official client has for it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai import types
from openai.types import chat, responses, vector_stores
from pydantic import BaseModel, TypeAdapter

from tests.conftest import Server

CHAT = "smollm2-135m-instruct"
EMBEDDER = "all-minilm-l6-v2"
HELLO = [{"role": "user", "content": "Say hello to Ada."}]
ASK = {"model": CHAT, "messages": HELLO, "max_tokens": 8, "temperature": 0}
LOOK = {"type": "object", "properties": {"at": {"type": "string", "maxLength": 8}}, "required": ["at"]}


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key, max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def stored(client: Any) -> dict[str, str]:
    """A file, the vector store that it is in, and a response."""
    file = client.files.create(file=("ada.md", b"# Ada\n\nAda was born in 1815.\n"), purpose="assistants")
    store = client.vector_stores.create(name="typed", file_ids=[file.id])
    end = time.monotonic() + 60
    while client.vector_stores.files.retrieve(file.id, vector_store_id=store.id).status == "in_progress":
        assert time.monotonic() < end
        time.sleep(0.1)
    response = client.responses.create(model=CHAT, input="Hello", max_output_tokens=8)
    return {"file": file.id, "store": store.id, "response": response.id}


def batch(client: Any) -> Any:
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": ASK}
    file = client.files.create(file=("in.jsonl", json.dumps(line).encode()), purpose="batch")
    return client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"a": "b"}
    )


Asked = Callable[[Any, dict[str, str]], Any]
ANSWERS: dict[str, tuple[Any, Asked]] = {
    "chat": (chat.ChatCompletion, lambda at, _: at.chat.completions.create(**ASK)),
    "chat with log-probabilities": (
        chat.ChatCompletion,
        lambda at, _: at.chat.completions.create(**ASK, logprobs=True, top_logprobs=1),
    ),
    "chat that calls a tool": (
        chat.ChatCompletion,
        lambda at, _: at.chat.completions.create(
            model=CHAT,
            messages=HELLO,
            tools=[{"type": "function", "function": {"name": "look", "parameters": LOOK}}],
            tool_choice="required",
        ),
    ),
    "chat that calls a function": (
        chat.ChatCompletion,
        lambda at, _: at.chat.completions.create(
            model=CHAT, messages=HELLO, functions=[{"name": "look", "parameters": LOOK}], function_call={"name": "look"}
        ),
    ),
    "chat with documents": (
        chat.ChatCompletion,
        lambda at, _: at.chat.completions.create(
            model="document-qa", messages=[{"role": "user", "content": "How many days of leave are there?"}]
        ),
    ),
    "completion": (
        types.Completion,
        lambda at, _: at.completions.create(model=CHAT, prompt="One, two,", max_tokens=4, logprobs=0),
    ),
    "embeddings": (
        types.CreateEmbeddingResponse,
        lambda at, _: at.embeddings.create(model=EMBEDDER, input=["Hello", "Ada"], encoding_format="float"),
    ),
    "models": (list[types.Model], lambda at, _: at.models.list().data),
    "model": (types.Model, lambda at, _: at.models.retrieve(CHAT)),
    "files": (list[types.FileObject], lambda at, _: at.files.list().data),
    "file": (types.FileObject, lambda at, stored: at.files.retrieve(stored["file"])),
    "vector stores": (list[types.VectorStore], lambda at, _: at.vector_stores.list().data),
    "vector store": (types.VectorStore, lambda at, stored: at.vector_stores.retrieve(stored["store"])),
    "file of a vector store": (
        vector_stores.VectorStoreFile,
        lambda at, stored: at.vector_stores.files.retrieve(stored["file"], vector_store_id=stored["store"]),
    ),
    "search": (
        list[types.VectorStoreSearchResponse],
        lambda at, stored: at.vector_stores.search(stored["store"], query="When was Ada born?").data,
    ),
    "response": (
        responses.Response,
        lambda at, _: at.responses.create(model=CHAT, input="Hello", max_output_tokens=8),
    ),
    "response of the past": (responses.Response, lambda at, stored: at.responses.retrieve(stored["response"])),
    "moderation": (types.ModerationCreateResponse, lambda at, _: at.moderations.create(input="Hello, Ada.")),
    "batch": (types.Batch, lambda at, _: batch(at)),
    "batches": (list[types.Batch], lambda at, _: at.batches.list().data),
}
STREAMS: dict[str, tuple[Any, Asked]] = {
    "chat": (
        chat.ChatCompletionChunk,
        lambda at, _: at.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True}),
    ),
    "chat with log-probabilities": (
        chat.ChatCompletionChunk,
        lambda at, _: at.chat.completions.create(**ASK, stream=True, logprobs=True, top_logprobs=1),
    ),
    "completion": (
        types.Completion,
        lambda at, _: at.completions.create(model=CHAT, prompt="One, two,", max_tokens=4, logprobs=0, stream=True),
    ),
    "response": (
        None,
        lambda at, _: at.responses.create(model=CHAT, input="Hello", max_output_tokens=8, stream=True),
    ),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_an_answer_is_of_its_type(client: Any, stored: dict[str, str], what: str) -> None:
    kind, ask = ANSWERS[what]
    check(kind, ask(client, stored))


@pytest.mark.parametrize("what", STREAMS)
def test_each_piece_of_a_stream_is_of_its_type(client: Any, stored: dict[str, str], what: str) -> None:
    kind, ask = STREAMS[what]
    pieces = list(ask(client, stored))
    assert pieces
    for piece in pieces:
        # The client picks the type of an event by its name.
        check(kind or type(piece), piece)


def test_what_is_deleted_is_of_its_type(client: Any) -> None:
    file = client.files.create(file=("b.md", b"# B\n\nB.\n"), purpose="assistants")
    store = client.vector_stores.create(name="gone")
    check(types.VectorStoreDeleted, client.vector_stores.delete(store.id))
    check(types.FileDeleted, client.files.delete(file.id))


def check(kind: Any, answer: Any) -> None:
    """The client reads answers without checking them: ``answer`` is written as it came and read again, strictly."""
    sent = json.dumps([plain(each) for each in answer] if isinstance(answer, list) else plain(answer))
    # OpenAI's own streams have a null there until the end, which their type does not know.
    sent = sent.replace('"finish_reason": null', '"finish_reason": "stop"') if kind is types.Completion else sent
    TypeAdapter(kind).validate_json(sent, strict=True)


def plain(answer: BaseModel) -> Any:
    return json.loads(answer.model_dump_json(exclude_unset=True, warnings=False))
