"""Policies in force, and answers under them, over a real server: what is refused looks so in every shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from tests.conftest import Server, start_server, stop_server

MODEL = "smollm2-135m-instruct"
REASON = "Let us talk about something else."
ROUTES = {name: {"arms": {"only": {"model": MODEL}}} for name in ("refused", "again", "cut")}
POLICIES = {
    "refusing": {
        "applications": ["refused"],
        # Whatever is said is above it.
        "answers": {"toxicity": "refuse", "toxicity_above": 1e-9, "reason": REASON},
    },
    "retrying": {
        "applications": ["again"],
        "answers": {"toxicity": "retry", "toxicity_above": 1e-9, "reason": REASON, "retries": 2},
    },
    "short": {"applications": ["cut"], "rules": "rules.yaml"},
}
QUESTION: list[Any] = [{"role": "user", "content": "Write three sentences about bread."}]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    rules = home / "rules.yaml"
    rules.write_text("format: {max_sentences: 1, disclaimer: No advice.}", encoding="utf-8")
    policies = json.loads(json.dumps(POLICIES).replace("rules.yaml", str(rules)))
    running = start_server(
        home,
        MAINSPRING_SERVING__ROUTES=json.dumps(ROUTES),
        MAINSPRING_GUARDS__POLICIES=json.dumps(policies),
    )
    yield running
    stop_server(running)


def test_policies_say_what_is_in_force(guarded: Server) -> None:
    status, found = guarded.call("GET", "/v1/policies")
    assert status == 200
    named = {each["id"]: each for each in found["data"]}
    assert list(named) == ["default", "refusing", "retrying", "short"]
    assert named["refusing"]["applications"] == ["refused"]
    assert named["refusing"]["version"].startswith("refusing-")
    assert named["refusing"]["guards"]["answers"]["toxicity"] == "refuse"
    assert named["short"]["rules_version"]
    assert named["default"]["rules_version"] is None
    assert guarded.call("GET", "/v1/policies/short")[1] == named["short"]
    assert guarded.call("GET", "/v1/policies/none")[0] == 404


def test_a_refused_answer_in_chat_completions(guarded: Server) -> None:
    client = openai.OpenAI(base_url=f"{guarded.url}/v1", api_key=guarded.key)
    whole = client.chat.completions.create(model="refused", messages=QUESTION, max_tokens=60, temperature=0)
    assert whole.choices[0].finish_reason == "content_filter"
    assert whole.choices[0].message.content.endswith(REASON)  # type: ignore[union-attr]
    stream = client.chat.completions.create(
        model="refused",
        messages=QUESTION,
        max_tokens=60,
        temperature=0,
        stream=True,
    )
    chunks: list[Any] = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices).endswith(REASON)
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "content_filter"
    status, events = guarded.call("GET", "/v1/events?kind=guard&limit=5")
    assert status == 200
    facts = events["data"][0]["facts"]
    assert (facts["guard"], facts["action"], facts["kind"]) == ("answer", "refuse", "toxicity")
    assert facts["policy"] == guarded.call("GET", "/v1/policies/refusing")[1]["version"]


def test_a_refused_answer_in_responses(guarded: Server) -> None:
    client = openai.OpenAI(base_url=f"{guarded.url}/v1", api_key=guarded.key)
    events = list(
        client.responses.create(model="refused", input="Write about bread.", max_output_tokens=60, stream=True)
    )
    last = events[-1]
    assert last.type == "response.incomplete"
    assert last.response.incomplete_details.reason == "content_filter"  # type: ignore[union-attr]
    assert last.response.output_text.endswith(REASON)


def test_a_refused_answer_in_messages(guarded: Server) -> None:
    client = anthropic.Anthropic(base_url=guarded.url, api_key=guarded.key)
    with client.messages.stream(model="refused", max_tokens=60, messages=QUESTION) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text.endswith(REASON)
    assert final.stop_reason == "refusal"


def test_an_answer_that_is_asked_again_is_charged_for_all(guarded: Server) -> None:
    body = {"model": "again", "messages": QUESTION, "max_tokens": 40, "temperature": 0}
    status, answer = guarded.call("POST", "/v1/chat/completions", body)
    assert status == 200, answer
    assert answer["choices"][0]["message"]["content"] == REASON
    once = guarded.call("POST", "/v1/chat/completions", {**body, "model": "refused"})[1]
    assert answer["usage"]["prompt_tokens"] > 2 * once["usage"]["prompt_tokens"]


def test_an_answer_that_is_cut_ends_with_its_disclaimer(guarded: Server) -> None:
    body = {"model": "cut", "messages": QUESTION, "max_tokens": 80, "temperature": 0}
    _, answer = guarded.call("POST", "/v1/chat/completions", body)
    text = answer["choices"][0]["message"]["content"]
    assert text.endswith("\n\nNo advice.")
    assert answer["choices"][0]["finish_reason"] == "length"


def test_rules_that_are_wrong_keep_the_server_from_starting(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="cannot be read"):
        start_server(tmp_path, MAINSPRING_GUARDS__RULES=str(tmp_path / "none.yaml"))
