"""The official Python client of OpenAI: completions, embeddings, files, stores, batches, Azure, audio, images."""

import base64
import contextlib
import io
import json
import struct
import time

import openai
from checks import (
    BASE,
    COLLECTION,
    DRAWING,
    EMBEDDER,
    KEY,
    SCRIPTED,
    SMALL,
    check,
    honoured_or_refused,
    raises,
    refused,
    run,
)

client = openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0, timeout=120)


@check("completions.create")
def _():
    assert client.completions.create(model=SMALL, prompt="Once upon", max_tokens=5).choices[0].text


@check("completions.stream")
def _():
    stream = client.completions.create(model=SMALL, prompt="Once", max_tokens=5, stream=True)
    assert "".join(part.choices[0].text for part in stream)


@check("completions.list_of_prompts")
def _():
    assert len(client.completions.create(model=SMALL, prompt=["Once", "Twice"], max_tokens=3).choices) == 2


@check("completions.tokens")
def _():
    assert client.completions.create(model=SMALL, prompt=[19556, 905], max_tokens=3).choices


@check("completions.echo")
def _():
    assert client.completions.create(model=SMALL, prompt="Once", echo=True, max_tokens=3).choices[0].text[:4] == "Once"


@check("completions.logprobs")
def _():
    asked = {"model": SMALL, "prompt": "Once", "max_tokens": 3}
    assert client.completions.create(**asked, logprobs=1, temperature=0).choices[0].logprobs.token_logprobs
    # An engine may know the alternatives of greedy tokens only.
    honoured_or_refused("logprobs", lambda: client.completions.create(**asked, logprobs=1), openai.BadRequestError)


@check("embeddings.create")
def _():
    answer = client.embeddings.create(model=EMBEDDER, input=["one", "two"])
    assert len(answer.data) == 2
    assert isinstance(answer.data[0].embedding[0], float)
    assert answer.usage.prompt_tokens


@check("embeddings.float")
def _():
    assert client.embeddings.create(model=EMBEDDER, input="one", encoding_format="float").data[0].embedding


@check("embeddings.dimensions")
def _():
    asked = {"model": EMBEDDER, "input": "one"}
    made = honoured_or_refused(
        "dimensions", lambda: client.embeddings.create(**asked, dimensions=128), openai.BadRequestError
    )
    assert len(made.data[0].embedding) == 128


@check("embeddings.tokens")
def _():
    assert client.embeddings.create(model=EMBEDDER, input=[[2028, 2048], [2093]]).data


@check("moderations.create")
def _():
    answer = client.moderations.create(input=["I will kill you", "Good morning"])
    assert len(answer.results) == 2
    assert isinstance(answer.results[0].categories.violence, bool)
    assert answer.results[0].category_scores.hate >= 0


@check("moderations.parts")
def _():
    assert client.moderations.create(
        model="omni-moderation-latest", input=[{"type": "text", "text": "Good morning"}]
    ).results


@check("models.list")
def _():
    names = [model.id for model in client.models.list()]
    assert {SCRIPTED, SMALL, EMBEDDER, COLLECTION} <= set(names)


@check("models.retrieve")
def _():
    assert client.models.retrieve(SMALL).created >= 0


@check("files.lifecycle")
def _():
    made = client.files.create(file=("tea.txt", b"Green tea steeps for two minutes."), purpose="assistants")
    assert client.files.retrieve(made.id).filename == "tea.txt"
    assert client.files.content(made.id).text.startswith("Green tea")
    assert any(one.id == made.id for one in client.files.list(purpose="assistants"))
    assert client.files.delete(made.id).deleted


@check("files.purpose_user_data")
def _():
    made = client.files.create(file=io.BytesIO(b"some text"), purpose="user_data")
    assert made.purpose == "user_data"


@check("files.expires_after")
def _():
    made = client.files.create(
        file=("a.txt", b"text"), purpose="assistants", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert made.expires_at


@check("files.wrong_purpose")
def _():
    raises(openai.BadRequestError, lambda: client.files.create(file=("a.txt", b"text"), purpose="nonsense"))


@check("uploads.parts")
def _():
    upload = client.uploads.create(bytes=10, filename="a.txt", mime_type="text/plain", purpose="assistants")
    first = client.uploads.parts.create(upload.id, data=b"01234")
    second = client.uploads.parts.create(upload.id, data=b"56789")
    done = client.uploads.complete(upload.id, part_ids=[first.id, second.id])
    assert client.files.content(done.file.id).text == "0123456789"


@check("uploads.cancel")
def _():
    upload = client.uploads.create(bytes=10, filename="a.txt", mime_type="text/plain", purpose="assistants")
    assert client.uploads.cancel(upload.id).status == "cancelled"


def _store(name):
    return client.vector_stores.create(name=f"{name}-{time.time_ns()}")


@check("vector_stores.lifecycle")
def _():
    store = _store("life")
    assert client.vector_stores.retrieve(store.id).name == store.name
    assert any(one.id == store.id for one in client.vector_stores.list())
    assert client.vector_stores.update(store.id, metadata={"a": "b"}).metadata == {"a": "b"}
    assert client.vector_stores.delete(store.id).deleted


@check("vector_stores.no_name")
def _():
    assert client.vector_stores.create().id


@check("vector_stores.upload_and_poll")
def _():
    store = _store("poll")
    done = client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id, file=("tea.txt", b"Green tea steeps for two minutes.")
    )
    assert done.status == "completed"
    found = client.vector_stores.search(store.id, query="How long does green tea steep?")
    assert "two minutes" in found.data[0].content[0].text
    assert found.data[0].file_id == done.id
    client.vector_stores.delete(store.id)


@check("vector_stores.attributes_and_filters")
def _():
    store = _store("filters")
    for colour in ("green", "black"):
        made = client.files.create(file=(f"{colour}.txt", f"{colour} tea".encode()), purpose="assistants")
        client.vector_stores.files.create_and_poll(made.id, vector_store_id=store.id, attributes={"colour": colour})
    found = client.vector_stores.search(
        store.id, query="tea", filters={"type": "eq", "key": "colour", "value": "black"}, max_num_results=5
    )
    assert [one.attributes["colour"] for one in found.data] == ["black"]


@check("vector_stores.file_batches")
def _():
    store = _store("batch")
    batch = client.vector_stores.file_batches.upload_and_poll(
        store.id, files=[("one.txt", b"first text"), ("two.txt", b"second text")]
    )
    assert batch.status == "completed"
    assert batch.file_counts.completed == 2
    assert len(list(client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id))) == 2


@check("vector_stores.chunking_and_expiry")
def _():
    made = client.files.create(file=("a.txt", b"some text"), purpose="assistants")
    store = client.vector_stores.create(
        file_ids=[made.id],
        chunking_strategy={"type": "auto"},
        expires_after={"anchor": "last_active_at", "days": 3},
    )
    assert store.id


@check("vector_stores.file_content")
def _():
    store = _store("content")
    done = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=("tea.txt", b"Green tea."))
    pages = client.vector_stores.files.content(done.id, vector_store_id=store.id)
    assert "Green tea" in next(iter(pages)).text
    assert client.vector_stores.files.delete(done.id, vector_store_id=store.id).deleted


@check("batches.lifecycle")
def _():
    lines = [
        {
            "custom_id": str(number),
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": SCRIPTED, "messages": [{"role": "user", "content": f"SAY {number}"}]},
        }
        for number in range(2)
    ]
    made = client.files.create(file=("in.jsonl", "\n".join(map(json.dumps, lines)).encode()), purpose="batch")
    batch = client.batches.create(
        input_file_id=made.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"a": "b"}
    )
    for _ in range(120):
        batch = client.batches.retrieve(batch.id)
        if batch.status in ("completed", "failed"):
            break
        time.sleep(0.5)
    assert batch.status == "completed", batch
    answers = [json.loads(line) for line in client.files.content(batch.output_file_id).text.splitlines()]
    assert {one["custom_id"] for one in answers} == {"0", "1"}
    assert any(one.id == batch.id for one in client.batches.list())


@check("batches.cancel")
def _():
    line = {
        "custom_id": "1",
        "method": "POST",
        "url": "/v1/embeddings",
        "body": {"model": EMBEDDER, "input": "one"},
    }
    made = client.files.create(file=("in.jsonl", json.dumps(line).encode()), purpose="batch")
    batch = client.batches.create(input_file_id=made.id, endpoint="/v1/embeddings", completion_window="24h")
    # It may be done already.
    with contextlib.suppress(openai.ConflictError):
        assert client.batches.cancel(batch.id).status in ("cancelling", "cancelled", "completed")


@check("batches.moderations")
def _():
    line = {"custom_id": "1", "method": "POST", "url": "/v1/moderations", "body": {"input": "hello"}}
    made = client.files.create(file=("in.jsonl", json.dumps(line).encode()), purpose="batch")
    assert client.batches.create(input_file_id=made.id, endpoint="/v1/moderations", completion_window="24h").id


@check("azure.chat")
def _():
    azure = openai.AzureOpenAI(
        azure_endpoint=BASE.removesuffix("/v1"), api_key=KEY, api_version="2024-10-21", max_retries=0
    )
    answer = azure.chat.completions.create(model=SCRIPTED, messages=[{"role": "user", "content": "SAY yes"}])
    assert answer.choices[0].message.content == "yes"


@check("azure.embeddings")
def _():
    azure = openai.AzureOpenAI(
        azure_endpoint=BASE.removesuffix("/v1"), api_key=KEY, api_version="2024-10-21", max_retries=0
    )
    assert azure.embeddings.create(model=EMBEDDER, input="one").data


GONE = (openai.BadRequestError, openai.NotFoundError)
"""How a capability that is not there is refused."""
SILENCE = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36, b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16, b"data", 0)


@check("audio.transcriptions")
def _():
    sent = {"model": "whisper-1", "file": ("a.wav", SILENCE + bytes(16_000))}
    honoured_or_refused("whisper", lambda: client.audio.transcriptions.create(**sent), GONE)


@check("audio.speech")
def _():
    # A voice is a program of the system, which may be missing: the server then says 501 and which one.
    refusals = (*GONE, openai.InternalServerError)
    sent = {"model": "tts-1", "voice": "alloy", "input": "hello"}
    honoured_or_refused("espeak-ng", lambda: client.audio.speech.create(**sent), refusals)


@check("images.generate")
def _():
    made = client.images.generate(model=DRAWING, prompt="a cat", size="24x16", n=2)
    assert len(made.data) == 2
    assert image_size(made.data[0].b64_json) == (24, 16)


@check("images.edit_and_variation")
def _():
    image = base64.b64decode(client.images.generate(model=DRAWING, prompt="a cat").data[0].b64_json)
    assert image_size(client.images.edit(model=DRAWING, image=image, prompt="a dog", size="8x4").data[0].b64_json) == (
        8,
        4,
    )
    assert client.images.create_variation(model=DRAWING, image=image).data[0].b64_json


@check("images.unknown_model")
def _():
    refused("image", lambda: client.images.generate(model="gpt-image-1", prompt="a cat"), GONE)


def image_size(encoded):
    """(width, height) of a PNG."""
    data = base64.b64decode(encoded)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


if __name__ == "__main__":
    run("openai (Python)", "openai")
