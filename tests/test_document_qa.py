"""Document question answering from end to end, with the official client: upload, ask, follow up, cite, open the
passage, change the document, revoke it. (The guide's eighth example.)"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.cli.command import data
from tests.conftest import Server
from tests.http.test_access import run

FIRST = """# Sailing club rules

## Boats

The dinghy Marigold may be hired for 12 hours. A deposit of £40 is due when the boat is collected.

## Winter

In winter all boats lie in the shed. The shed is opened by the harbour master on Saturdays.
"""
SECOND = FIRST.replace("12 hours", "8 hours")
OLD = "# Sailing club rules (archive)\n\n## Boats\n\nThe dinghy Marigold may be hired for 24 hours.\n"


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    made = run(server, "keys", "create", "sailor", "--tenant", "club", "--scope", "chat", "--scope", "ingest", "--json")
    secret: str = data(made)["secret"]
    return secret


@pytest.fixture(scope="module")
def client(server: Server, key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0) as made:
        yield made


def attach(client: openai.OpenAI, store: str, name: str, text: str) -> str:
    """Upload a file, put it into the store and wait until it is read."""
    file = client.files.create(file=(name, text.encode()), purpose="assistants")
    client.vector_stores.files.create(store, file_id=file.id)
    end = time.monotonic() + 60
    while client.vector_stores.files.retrieve(file.id, vector_store_id=store).status == "in_progress":
        assert time.monotonic() < end
        time.sleep(0.05)
    return file.id


def ask(client: openai.OpenAI, *said: str, model: str = "club-rules") -> tuple[str, dict[str, Any]]:
    """The answer's text and its extensions; ``said`` are the user's and the assistant's words in turn."""
    roles = ("user", "assistant")
    messages: Any = [{"role": roles[number % 2], "content": text} for number, text in enumerate(said)]
    message = client.chat.completions.create(model=model, messages=messages).choices[0].message
    return message.content or "", dict(message.model_extra or {})


def test_upload_ask_follow_up_cite_open_change_and_revoke(server: Server, client: openai.OpenAI, key: str) -> None:
    store = client.vector_stores.create(name="club-rules").id
    file_id = attach(client, store, "rules.md", FIRST)

    question = "How long may the dinghy Marigold be hired?"
    text, extra = ask(client, question)
    assert "12 hours" in text
    citation = extra["citations"][0]
    assert (citation["source"], citation["file_id"], citation["vector_store_id"]) == ("rules.md", file_id, store)

    followed, more = ask(client, question, text, "And what deposit is due for it?")
    assert "£40" in followed
    assert more["citations"][0]["file_id"] == file_id

    # Open the passage: exactly what was quoted, and what stands around it.
    place = f"/v1/vector_stores/{store}/files/{file_id}/content"
    span = f"?start={citation['start']}&end={citation['end']}&around=60"
    status, page = server.call("GET", place + span, key=key)
    assert status == 200
    assert page["data"] == [{"type": "text", "text": citation["quote"]}]
    whole = client.vector_stores.files.content(file_id, vector_store_id=store).data[0].text
    assert whole == FIRST.strip()
    assert page["before"] + citation["quote"] + page["after"] in whole
    assert page["after"].strip().startswith("A deposit of £40")

    # What only one part of the question finds, and what the documents disagree in.
    text, extra = ask(client, f"{question} Which comet was seen from Jupiter?")
    assert extra["missing"] == ["Which comet was seen from Jupiter?"]
    assert "12 hours" in text
    old_id = attach(client, store, "rules-archive.md", OLD)
    _, extra = ask(client, question)
    assert {claim["value"] for claim in extra["conflicts"][0]["claims"]} == {"12 hours", "24 hours"}
    client.vector_stores.files.delete(old_id, vector_store_id=store)

    # The document changes: the answer with it, at once, and the old passage is nowhere.
    client.vector_stores.files.delete(file_id, vector_store_id=store)
    second_id = attach(client, store, "rules.md", SECOND)
    text, extra = ask(client, question)
    assert "8 hours" in text
    assert "12 hours" not in text
    assert {each["file_id"] for each in extra["citations"]} == {second_id}
    assert server.call("GET", place + span, key=key)[0] == 404

    # The other tenant has neither the model, nor the passage.
    assert server.call("GET", f"/v1/vector_stores/{store}/files/{second_id}/content")[0] == 404
    client.vector_stores.files.delete(second_id, vector_store_id=store)
    text, extra = ask(client, question)
    assert text.startswith("The documents do not say.")
    assert (extra["answered"], extra["citations"]) == (False, [])


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("start=5&end=4", "end"),
        ("start=-1", "start"),
        ("start=999999", "start"),
        ("end=999999", "end"),
        ("around=20001", "around"),
        ("start=x", "start"),
    ],
)
def test_passages_that_are_not_there(server: Server, query: str, param: str) -> None:
    store = next(each for each in server.call("GET", "/v1/vector_stores")[1]["data"] if each["name"] == "handbook")
    files = server.call("GET", f"/v1/vector_stores/{store['id']}/files")[1]["data"]
    status, page = server.call("GET", f"/v1/vector_stores/{store['id']}/files/{files[0]['id']}/content?{query}")
    assert (status, page["error"]["param"]) == (400, param)


def test_a_stream_carries_the_notes(server: Server) -> None:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key)
    question = "How big a pot can I put on the Cinder? Which comet was seen from Jupiter?"
    stream = client.chat.completions.create(
        model="handbook", messages=[{"role": "user", "content": question}], stream=True
    )
    missing = [part for chunk in stream for part in (chunk.choices[0].delta.model_extra or {}).get("missing", [])]
    assert missing == ["Which comet was seen from Jupiter?"]
    client.close()


def test_a_search_is_summarised(server: Server) -> None:
    body = {"query": "warranty on burrs", "summarize": True}
    status, page = server.call("POST", "/v1/vector_stores/handbook/search", body)
    assert status == 200
    assert page["summary"]["kind"] == "extractive"
    assert page["summary"]["citations"]
