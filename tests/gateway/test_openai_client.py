"""The official client drives the whole surface of a real server with the real small engine."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import openai
import pytest

from tests.conftest import Server

CHAT = "smollm2-135m-instruct"
EMBEDDER = "all-minilm-l6-v2"
HELLO = [{"role": "user", "content": "Say hello to Ada."}]


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key, max_retries=0) as made:
        yield made


def test_chat_answers_and_counts_tokens(client: Any) -> None:
    answer = client.chat.completions.create(model=CHAT, messages=HELLO, max_tokens=12, temperature=0)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage is not None
    assert 0 < answer.usage.completion_tokens <= 12
    assert answer.usage.prompt_tokens > 10


def test_a_stream_adds_up_to_the_answer_and_ends_with_usage(client: Any) -> None:
    settings = {
        "model": CHAT,
        "messages": HELLO,
        "max_tokens": 24,
        "temperature": 0,
        "extra_body": {"options": {"cache": False}},
    }
    whole = client.chat.completions.create(**settings)
    chunks = list(client.chat.completions.create(**settings, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] in ("stop", "length")


def test_the_same_greedy_request_is_answered_from_the_cache(client: Any) -> None:
    request = {
        "model": CHAT,
        "messages": [{"role": "user", "content": "Answer with one word: yes"}],
        "temperature": 0,
        "max_tokens": 200,
    }
    first = client.chat.completions.with_raw_response.create(**request)
    second = client.chat.completions.with_raw_response.create(**request)
    assert first.headers["x-cache"] == "miss"
    if first.parse().choices[0].finish_reason == "stop":
        assert second.headers["x-cache"] == "hit"
    assert second.parse().choices[0].message.content == first.parse().choices[0].message.content
    assert second.headers["x-trace-id"] != first.headers["x-trace-id"]


def test_structured_output_is_valid(client: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model=CHAT,
        messages=[{"role": "user", "content": "Ada is 36 years old. Give her name and age as JSON."}],
        response_format={"type": "json_schema", "json_schema": {"name": "person", "schema": schema}},
        temperature=0,
        max_tokens=100,
    )
    import json

    found = json.loads(answer.choices[0].message.content or "")
    assert isinstance(found["age"], int)
    assert set(found) == {"name", "age"}


def test_several_choices_stop_and_logprobs(client: Any) -> None:
    answer = client.chat.completions.create(
        model=CHAT,
        messages=[{"role": "user", "content": "Count from 1 to 9, with commas."}],
        n=2,
        stop=["5"],
        temperature=0.7,
        seed=7,
        max_tokens=40,
        logprobs=True,
    )
    assert len(answer.choices) == 2
    for choice in answer.choices:
        assert "5" not in (choice.message.content or "")
        assert choice.logprobs is not None
        assert all(token.logprob <= 1e-6 for token in choice.logprobs.content or [])


def test_text_completion(client: Any) -> None:
    answer = client.completions.create(model=CHAT, prompt=["Once upon a time", "The capital of"], max_tokens=5)
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert all(choice.text for choice in answer.choices)


def test_tools_are_accepted(client: Any) -> None:
    tool = {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather of a city",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "maxLength": 30}},
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }
    answer = client.chat.completions.create(
        model=CHAT,
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
        tools=[tool],
        tool_choice="required",
        temperature=0,
        max_tokens=80,
    )
    calls = answer.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].function.name == "get_weather"
    assert answer.choices[0].finish_reason == "tool_calls"


def test_embeddings_in_both_encodings(client: Any) -> None:
    texts = ["A cat sat on the mat.", "A kitten rested on the rug.", "Interest rates rose again."]
    packed = client.embeddings.create(model=EMBEDDER, input=texts)
    plain = client.embeddings.create(model=EMBEDDER, input=texts, encoding_format="float")
    rows = np.array([item.embedding for item in packed.data])
    assert rows.shape == (3, 384)
    np.testing.assert_allclose(rows, np.array([item.embedding for item in plain.data]), atol=1e-2)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2
    assert packed.usage.prompt_tokens > 15


def test_models_lists_what_can_be_asked(client: Any) -> None:
    served = {model.id: model for model in client.models.list().data}
    assert {CHAT, EMBEDDER, "document-qa", "handbook"} <= served.keys()
    assert client.models.retrieve("handbook").id == "handbook"
    with pytest.raises(openai.NotFoundError, match=CHAT):
        client.chat.completions.create(model="smolm2-135m-instruct", messages=HELLO)


def test_files_and_vector_stores(client: Any) -> None:
    content = b"# Parking\n\nThe visitor car park closes at 21:40 every evening. Bicycles may stay overnight.\n"
    file = client.files.create(file=("parking.md", content), purpose="assistants")
    assert client.files.content(file.id).read() == content
    store = client.vector_stores.create(name="parking-rules", file_ids=[file.id])
    attached = _finished(client, store.id, file.id)
    assert attached.status == "completed", attached.last_error
    assert client.vector_stores.retrieve(store.id).file_counts.completed == 1

    found = client.vector_stores.search(store.id, query="When does the car park close?")
    assert "21:40" in found.data[0].content[0].text
    assert found.data[0].filename == "parking.md"

    answer = client.chat.completions.create(
        model="parking-rules", messages=[{"role": "user", "content": "When does the visitor car park close?"}]
    )
    assert "21:40" in (answer.choices[0].message.content or "")

    client.vector_stores.files.delete(file.id, vector_store_id=store.id)
    assert client.vector_stores.search(store.id, query="When does the car park close?").data == []
    assert client.vector_stores.delete(store.id).deleted
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)


def test_document_qa_refuses_what_no_document_says(client: Any) -> None:
    answer = client.chat.completions.create(
        model="document-qa",
        messages=[{"role": "user", "content": "Who won the football world cup in 1998?"}],
        extra_body={"options": {"collections": ["handbook"]}},
    )
    assert "do not say" in (answer.choices[0].message.content or "")
    extra = answer.choices[0].message.model_extra or {}
    assert (extra["answered"], extra["citations"]) == (False, [])


def test_a_session_remembers(client: Any) -> None:
    first = client.chat.completions.create(
        model=CHAT,
        messages=HELLO,
        max_tokens=8,
        extra_body={"session_id": "memory-test"},
    )
    second = client.chat.completions.create(
        model=CHAT,
        messages=HELLO,
        max_tokens=8,
        extra_body={"session_id": "memory-test"},
    )
    assert first.usage is not None
    assert second.usage is not None
    assert second.usage.prompt_tokens > first.usage.prompt_tokens + 8


def _finished(client: Any, store_id: str, file_id: str) -> Any:
    for _ in range(300):
        attached = client.vector_stores.files.retrieve(file_id, vector_store_id=store_id)
        if attached.status != "in_progress":
            return attached
        time.sleep(0.1)
    raise AssertionError("the file was not ingested")


def test_a_batch_runs_through_the_client(client: Any) -> None:
    def line(number: int, url: str, body: dict[str, Any]) -> str:
        return json.dumps({"custom_id": f"c{number}", "method": "POST", "url": url, "body": body})

    said = {"model": CHAT, "messages": HELLO, "max_tokens": 4}
    chats = [line(n, "/v1/chat/completions", said) for n in range(3)]
    chats.append(line(3, "/v1/chat/completions", {**said, "max_tokens": 0}))
    texts = [line(n, "/v1/embeddings", {"model": EMBEDDER, "input": f"text {n}"}) for n in range(2)]
    made = []
    for endpoint, lines in (("/v1/chat/completions", chats), ("/v1/embeddings", texts)):
        file = client.files.create(file=("in.jsonl", "\n".join(lines).encode()), purpose="batch")
        made.append(
            client.batches.create(
                input_file_id=file.id, endpoint=endpoint, completion_window="24h", metadata={"of": "tests"}
            )
        )
    assert {each.id for each in client.batches.list(limit=2)} >= {each.id for each in made}
    end = time.monotonic() + 60
    while any(client.batches.retrieve(each.id).status != "completed" for each in made) and time.monotonic() < end:
        time.sleep(0.2)
    chat, embedded = (client.batches.retrieve(each.id) for each in made)
    assert (chat.status, chat.request_counts.completed, chat.request_counts.failed) == ("completed", 3, 1)
    assert chat.metadata == {"of": "tests"}
    answers = [json.loads(text) for text in client.files.content(chat.output_file_id).text.splitlines()]
    assert [each["custom_id"] for each in answers] == ["c0", "c1", "c2"]
    assert all(each["response"]["body"]["choices"][0]["message"]["content"] for each in answers)
    (failed,) = [json.loads(text) for text in client.files.content(chat.error_file_id).text.splitlines()]
    assert (failed["custom_id"], failed["response"]["body"]["error"]["param"]) == ("c3", "max_tokens")
    vectors = [json.loads(text) for text in client.files.content(embedded.output_file_id).text.splitlines()]
    assert [len(each["response"]["body"]["data"][0]["embedding"]) for each in vectors] == [384, 384]
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(chat.id)
    with pytest.raises(openai.BadRequestError) as refused:
        client.batches.create(input_file_id=chat.output_file_id, endpoint="/v1/embeddings", completion_window="24h")
    assert refused.value.param == "input_file_id"
