"""Stored chat completions over HTTP, by the official client: whose they are, how they are found, and when they go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import openai
import pytest
from openai.types import chat
from pydantic import TypeAdapter

from tests.cli.command import data
from tests.conftest import Server
from tests.http.test_access import run

CHAT = "smollm2-135m-instruct"
Client = Any


@pytest.fixture(scope="module")
def clients(server: Server) -> Iterator[tuple[Client, Client]]:
    """Two keys of a tenant of their own; the second one's groups are the first one's."""
    made = [
        data(run(server, "keys", "create", name, "--tenant", "stored", "--scope", "chat", "--json"))["secret"]
        for name in ("one", "two")
    ]
    clients = [openai.OpenAI(base_url=f"{server.url}/v1", api_key=secret, max_retries=0) for secret in made]
    yield clients[0], clients[1]
    for each in clients:
        each.close()


def store(client: Client, text: str, stream: bool = False, **fields: Any) -> str:
    """The id of a completion that is stored."""
    messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": text}]
    asked = {"model": CHAT, "messages": messages, "max_tokens": 4, "temperature": 0, "store": True, **fields}
    answer = client.chat.completions.create(**asked, stream=stream)
    return str([chunk.id for chunk in answer][-1] if stream else answer.id)


def listed(client: Client, **fields: Any) -> list[str]:
    return [each.id for each in client.chat.completions.list(**fields)]


def test_what_was_asked_for_with_store_is_listed_and_nothing_else(clients: tuple[Client, Client]) -> None:
    client, other = clients
    kept = [store(client, f"Say {word}.", stream=word == "b") for word in "abc"]
    store(client, "Say d.", store=False)
    store(client, "Say e.", store=None)
    assert listed(client) == kept
    assert listed(client, order="desc", limit=2) == kept[::-1]
    first = client.chat.completions.list(limit=2)
    assert (first.has_more, [each.id for each in first.get_next_page()]) == (True, kept[2:])
    assert listed(other) == []
    assert listed(client, model="document-qa") == []


def test_a_completion_is_read_again_as_it_was_answered(clients: tuple[Client, Client]) -> None:
    client, _ = clients
    answer = client.chat.completions.create(
        model=CHAT,
        messages=[{"role": "user", "content": "Say hello."}],
        max_tokens=4,
        temperature=0,
        store=True,
        metadata={"team": "a"},
    )
    found = client.chat.completions.retrieve(answer.id)
    assert found.choices[0].message.content == answer.choices[0].message.content
    assert (found.usage.total_tokens, found.metadata) == (answer.usage.total_tokens, {"team": "a"})
    assert found.choices[0].finish_reason == answer.choices[0].finish_reason
    TypeAdapter(chat.ChatCompletion).validate_json(json.dumps(found.to_dict()), strict=True)


def test_the_messages_are_those_that_were_sent(clients: tuple[Client, Client]) -> None:
    client, _ = clients
    said = client.chat.completions.messages.list(store(client, "Say yes."), order="asc").data
    assert [(each.role, each.content) for each in said] == [("system", "Be short."), ("user", "Say yes.")]


def test_metadata_select_and_change(clients: tuple[Client, Client]) -> None:
    client, _ = clients
    first = store(client, "Say f.", metadata={"team": "blue's", "run": "1"})
    second = store(client, "Say g.", metadata={"team": "blue's", 'a"b': "%"})
    assert listed(client, metadata={"team": "blue's"}) == [first, second]
    assert listed(client, metadata={"team": "blue's", "run": "1"}) == [first]
    assert listed(client, metadata={'a"b': "%"}) == [second]
    assert listed(client, metadata={"team": "green"}) == []
    changed = client.chat.completions.update(first, metadata={"team": "green"})
    assert changed.metadata == {"team": "green"}
    assert listed(client, metadata={"team": "green"}) == [first]
    assert listed(client, metadata={"run": "1"}) == []


def test_nobody_elses_are_seen_changed_or_deleted(clients: tuple[Client, Client], server: Server) -> None:
    client, other = clients
    mine = store(client, "Say mine.")
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key, max_retries=0) as admin:
        for stranger in (other, admin):
            theirs: Client = stranger.chat.completions
            for act in (theirs.retrieve, partial(theirs.update, metadata={}), theirs.delete, theirs.messages.list):
                with pytest.raises(openai.NotFoundError):
                    act(mine)
    assert client.chat.completions.retrieve(mine).id == mine


def test_what_is_deleted_is_gone_with_its_text(clients: tuple[Client, Client]) -> None:
    client, _ = clients
    gone = store(client, "Say gone.")
    assert client.chat.completions.delete(gone).deleted
    assert gone not in listed(client)
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.retrieve(gone)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(gone)


def test_an_erasure_takes_completions_and_their_metadata(clients: tuple[Client, Client], server: Server) -> None:
    client, _ = clients
    mine = store(client, "Say Ada.", user="ada", metadata={"who": "ada"})
    shown = run(server, "subjects", "show", "ada", "--tenant", "stored")
    assert [each["id"] for each in map(json.loads, shown.splitlines()) if each["type"] == "stored_completion"] == [mine]
    run(server, "subjects", "erase", "ada", "--tenant", "stored", "--yes")
    assert listed(client, metadata={"who": "ada"}) == []
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.retrieve(mine)
    assert "ada" not in run(server, "subjects", "show", "ada", "--tenant", "stored")
