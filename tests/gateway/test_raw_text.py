"""Completions that echo their prompt, the best of several, and token arrays in place of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Event, Finish, Text, TokenLogprob, Usage
from mainspring.http.openai.text_requests import CompletionBody, EmbeddingBody
from tests.conftest import Server
from tests.gateway.asgi import ask, events, gateway
from tests.serving.house import Recited

CHAT = "smollm2-135m-instruct"
EMBEDDER = "all-minilm-l6-v2"
ASK = {"model": "m", "prompt": "One, "}


def said(*choices: tuple[str, float]) -> list[Event]:
    """Choices of one token each with its log-probability."""
    texts = [Text(text, number, 1, (TokenLogprob(text, value),)) for number, (text, value) in enumerate(choices)]
    return [*texts, Usage(2, len(choices)), *(Finish("stop", number) for number in range(len(choices)))]


async def texts(body: dict[str, Any], *choices: tuple[str, float]) -> list[str]:
    answer = (await ask(gateway(Recited(*said(*choices))), "POST", "/v1/completions", {**ASK, **body})).json
    return [choice["text"] for choice in answer["choices"]]


async def test_the_prompt_is_echoed_in_front_of_each_choice() -> None:
    assert await texts({"echo": True, "n": 2}, ("two", -1.0), ("deux", -2.0)) == ["One, two", "One, deux"]
    several = {"echo": True, "prompt": ["One, ", "A, "]}
    assert await texts(several, ("two", -1.0)) == ["One, two", "A, two"]
    reply = await ask(
        gateway(Recited(*said(("two", -1.0)))), "POST", "/v1/completions", {**ASK, "echo": True, "stream": True}
    )
    pieces = [frame["choices"][0]["text"] for frame in events(reply.body) if frame != "[DONE]"]
    assert "".join(pieces) == "One, two"


async def test_the_likeliest_of_several_are_given() -> None:
    drawn = (("a", -3.0), ("b", -1.0), ("c", -2.0))
    assert await texts({"best_of": 3}, *drawn) == ["b"]
    assert await texts({"best_of": 3, "n": 2}, *drawn) == ["b", "c"]
    answer = (await ask(gateway(Recited(*said(*drawn))), "POST", "/v1/completions", {**ASK, "best_of": 3})).json
    assert answer["choices"][0]["logprobs"] is None
    assert answer["usage"]["completion_tokens"] == 3


async def letters(tokens: Sequence[int]) -> str:
    if max(tokens) > 25:
        raise InvalidRequest("that is no letter")
    return "".join(chr(97 + token) for token in tokens)


@pytest.mark.parametrize(("given", "read"), [([7, 8], ["hi"]), ([[7, 8], [1]], ["hi", "b"]), (["hi"], ["hi"])])
async def test_tokens_are_read_as_texts(given: Any, read: list[str]) -> None:
    made = await CompletionBody.model_validate({"model": "m", "prompt": given}).requests(letters)
    assert [each.prompt for each in made] == read
    body = EmbeddingBody.model_validate({"model": "m", "input": given})
    assert list((await body.request(8, letters)).inputs) == read


async def test_a_number_that_is_no_token_is_an_error_of_its_field() -> None:
    with pytest.raises(InvalidRequest) as caught:
        await EmbeddingBody.model_validate({"model": "m", "input": [26]}).request(8, letters)
    assert caught.value.param == "input"


@pytest.mark.parametrize("given", [[-1], [1.5], [[1], "a"], [1, "a"], [[]]])
def test_what_is_neither_texts_nor_tokens_is_an_error(given: Any) -> None:
    with pytest.raises(ValueError, match="prompt"):
        CompletionBody.model_validate({"model": "m", "prompt": given})


def test_tokens_of_the_real_models_mean_their_texts(server: Server) -> None:
    """The tokens of "hello world" in the embedder's vocabulary, and of a prompt in the chat model's."""

    def vectors(given: Any) -> list[float]:
        status, body = server.call("POST", "/v1/embeddings", {"model": EMBEDDER, "input": given})
        assert status == 200, body
        return list(body["data"][0]["embedding"])

    assert vectors([7592, 2088]) == vectors("hello world")
    status, body = server.call("POST", "/v1/embeddings", {"model": EMBEDDER, "input": [100_257]})
    assert (status, body["error"]["param"]) == (400, "input")
    assert "30522" in body["error"]["message"]

    asked = {"model": CHAT, "max_tokens": 4, "temperature": 0, "echo": True}
    status, body = server.call("POST", "/v1/completions", {**asked, "prompt": [19556, 905]})
    assert status == 200, body
    assert body["choices"][0]["text"].startswith("Hello world")
    status, body = server.call("POST", "/v1/completions", {**asked, "prompt": [10_000_000]})
    assert (status, body["error"]["param"]) == (400, "prompt")


def test_documents_are_ranked_under_the_paths_of_other_servers(server: Server) -> None:
    asked = {"model": "no-such-reranker", "query": "a", "documents": ["b"]}
    replies = [server.call("POST", path, asked) for path in ("/v1/rerank", "/v2/rerank", "/rerank")]
    assert [(status, body["error"]["code"]) for status, body in replies] == [(404, "model_not_found")] * 3
