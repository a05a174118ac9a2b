"""What a key asked for stays its owner's when the key is replaced, again and again."""

from __future__ import annotations

import openai
import pytest

from mainspring.core.types import Principal
from tests.cli.command import data
from tests.conftest import Server
from tests.http.test_access import run

CHAT = "smollm2-135m-instruct"


def test_the_keys_of_a_person_are_those_replaced_and_not_those_above() -> None:
    assert Principal("t", "key_1", lineage=("key_0",)).own_keys == {"key_1"}
    assert Principal("t", "key_3", lineage=("key_0", "key_1", "key_2"), identity="key_1").own_keys == {
        "key_1",
        "key_2",
        "key_3",
    }


def test_stored_answers_are_read_continued_and_deleted_with_the_key_that_replaced_theirs(server: Server) -> None:
    made = data(run(server, "keys", "create", "turning", "--tenant", "turning", "--scope", "chat", "--json"))
    other = data(run(server, "keys", "create", "other", "--tenant", "turning", "--scope", "chat", "--json"))

    def client(secret: str) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{server.url}/v1", api_key=secret, max_retries=0)

    with client(made["secret"]) as first:
        completion = first.chat.completions.create(
            model=CHAT, messages=[{"role": "user", "content": "Say hello."}], max_tokens=4, store=True
        ).id
        answer = first.responses.create(model=CHAT, input="Say hello.", max_output_tokens=16).id
        waited = first.responses.create(model=CHAT, input="Say yes.", max_output_tokens=16, background=True).id
    replaced = made
    for _ in range(2):
        key = replaced.get("id") or replaced["key"]["id"]
        replaced = data(run(server, "keys", "rotate", key, "--tenant", "turning", "--json"))
    with client(replaced["secret"]) as last, client(other["secret"]) as stranger:
        assert last.chat.completions.retrieve(completion).id == completion
        assert [each.id for each in last.chat.completions.list()] == [completion]
        assert last.responses.retrieve(waited).id == waited
        more = last.responses.create(model=CHAT, input="And?", previous_response_id=answer, max_output_tokens=16)
        assert more.previous_response_id == answer
        with pytest.raises(openai.NotFoundError):
            stranger.chat.completions.retrieve(completion)
        with pytest.raises(openai.NotFoundError):
            stranger.responses.retrieve(waited)
        last.chat.completions.delete(completion)
        with pytest.raises(openai.NotFoundError):
            last.chat.completions.retrieve(completion)
