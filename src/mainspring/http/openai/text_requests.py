"""OpenAI's request bodies of plain text: completions, embeddings and reranking.

Some clients send token arrays instead of texts; ``Decode`` gives the texts of those.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from mainspring.core.errors import InvalidRequest, MainspringError, TooLarge, Unsupported
from mainspring.core.path import Answer, Choice
from mainspring.core.types import (
    CompletionRequest,
    EmbedRequest,
    Event,
    RerankRequest,
    Response,
    Text,
)
from mainspring.core.types.responses import Events
from mainspring.http.bodies import Body, Few, Name, Texts, Tokens
from mainspring.http.fields import Hint, Refused
from mainspring.http.openai.requests import SamplingBody

Decode = Callable[[Sequence[int]], Awaitable[str]]
"""The text of tokens of the model in question. Raises ``Unsupported``, ``InvalidRequest``."""
Several = str | list[str] | list[int] | list[list[int]]
MOST_CHOICES = 16


async def undecoded(_: Sequence[int]) -> str:
    """Raises ``Unsupported``: for where no tokenizer is at hand."""
    raise Unsupported("token arrays are not supported", remedy="Send text")


async def texts_of(given: Several, decode: Decode, param: str) -> list[str]:
    """One text, several, or their tokens, as texts. Raises the errors of ``decode``, naming ``param``."""
    if isinstance(given, str):
        return [given]
    several: list[Any] = [given] if given and isinstance(given[0], int) else list(given)
    try:
        return [each if isinstance(each, str) else await decode(each) for each in several]
    except MainspringError as error:
        error.param = error.param or param
        raise


class CompletionBody(SamplingBody):
    """``POST /v1/completions``."""

    prompt: str | Few[str] | Tokens | Few[Tokens]
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    echo: bool | None = None
    suffix: str | None = None
    best_of: Annotated[int, Field(ge=1, le=MOST_CHOICES)] | None = None
    store: Annotated[
        bool | None, Field(description="false: the texts are not stored; for applications this is the default")
    ] = None

    async def requests(self, decode: Decode) -> list[CompletionRequest]:
        """One request a prompt. Raises ``InvalidRequest``, ``Unsupported``."""
        prompts = await texts_of(self.prompt, decode, "prompt")
        if not 1 <= len(prompts) <= 32:
            raise InvalidRequest("prompt must be 1 to 32 texts", param="prompt")
        wanted, drawn = self.n or 1, self.best_of or self.n or 1
        if drawn < wanted:
            raise InvalidRequest(f"best_of ({drawn}) must not be less than n", param="best_of")
        if drawn > wanted and self.stream:
            problem = "best_of is only known when all answers have ended"
            raise Unsupported(problem, remedy="Leave stream or best_of out", param="best_of")
        echoes = bool(self.echo) and self.logprobs is not None
        if echoes and (self.stream or drawn > wanted):
            problem = "the log-probabilities of a prompt come with a whole answer that is not the best of several"
            raise Unsupported(problem, remedy="Leave stream and best_of, or echo or logprobs out", param="echo")
        # The best is the one whose tokens are the likeliest: all of them must be known for that.
        logprobs = self.logprobs if drawn == wanted else self.logprobs or 0
        sampling = self.sampling(self.max_tokens, logprobs, None, choices=drawn)
        if echoes:
            sampling = dataclasses.replace(sampling, prompt_logprobs=True)
        return [
            CompletionRequest(self.model, each, sampling, self.user, self.suffix or "", self.store is not False)
            for each in prompts
        ]

    def finished(self, request: CompletionRequest, answer: Answer) -> Answer:
        """``answer`` to one prompt: the ``n`` best of its choices, best first if some are left out, each behind the
        prompt if that is to be echoed."""
        wanted = self.n or 1
        if (self.best_of or wanted) > wanted:
            answer.choices = sorted(answer.choices, key=_likelihood, reverse=True)[:wanted]
            if self.logprobs is None:
                for choice in answer.choices:
                    choice.logprobs = []
        for choice in answer.choices if self.echo else ():
            choice.text = request.prompt + choice.text
        return answer

    def streamed(self, request: CompletionRequest, response: Response) -> Response:
        """``response`` with the prompt in front of each choice if it is to be echoed."""
        if not self.echo:
            return response

        async def behind(events: Events) -> AsyncGenerator[Event, None]:
            for choice in range(request.sampling.n):
                yield Text(request.prompt, choice)
            async for event in events:
                yield event

        return response.through(behind)


def _likelihood(choice: Choice) -> float:
    """The mean log-probability of a choice's tokens."""
    return sum(each.logprob for each in choice.logprobs) / len(choice.logprobs) if choice.logprobs else float("-inf")


class RerankDocument(Body):
    """A document as an object."""

    text: str


class EmbeddingBody(Body):
    """``POST /v1/embeddings``. ``input_type`` is an extension for models that tell queries from passages."""

    model: Name
    input: str | Texts | Tokens | Annotated[list[Tokens], Field(max_length=100_000, fail_fast=True)]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int | None, Field(ge=1, description="dimensions of the model; other values are refused")] = (
        None
    )
    user: Annotated[str, Field(max_length=512)] | None = None
    input_type: Literal["query", "passage"] = "passage"

    async def request(self, max_inputs: int, decode: Decode) -> EmbedRequest:
        """As an ``EmbedRequest``. Raises ``InvalidRequest``, ``TooLarge``, ``Unsupported``."""
        if isinstance(self.input, list) and len(self.input) > max_inputs and not isinstance(self.input[0], int):
            raise TooLarge(f"input has {len(self.input)} texts, but at most {max_inputs} are allowed", param="input")
        inputs = tuple(await texts_of(self.input, decode, "input"))
        if not inputs or any(not text for text in inputs):
            raise InvalidRequest("input must hold at least one text, none of them empty", param="input")
        return EmbedRequest(self.model, inputs, self.input_type, self.user)


class RerankBody(Body):
    """``POST /v1/rerank``, in the style of Cohere and Jina."""

    model: Name
    query: Annotated[str, Field(min_length=1, max_length=8192)]
    documents: Annotated[list[str | RerankDocument], Field(min_length=1, max_length=1000, fail_fast=True)]
    top_n: Annotated[int, Field(ge=1)] | None = None
    return_documents: bool = False
    user: Annotated[str, Field(max_length=512)] | None = None
    priority: Annotated[Any, Hint("the key and the header x-priority say how a request is served")] = None
    rank_fields: Annotated[Any, Refused("documents have one field, text", "Send the fields as one text")] = None
    max_tokens_per_doc: Annotated[
        Any, Refused("documents are read up to the context length of the model", "Shorten them", (4096,))
    ] = None

    def texts(self) -> tuple[str, ...]:
        """The documents' texts."""
        return tuple(each if isinstance(each, str) else each.text for each in self.documents)

    def request(self) -> RerankRequest:
        """As a ``RerankRequest``. Raises ``InvalidRequest`` for an empty query or document."""
        texts = self.texts()
        for index, text in enumerate(texts):
            if not text.strip():
                raise InvalidRequest(f"documents[{index}] is empty", param=f"documents[{index}]")
        if not self.query.strip():
            raise InvalidRequest("the query is empty", param="query")
        return RerankRequest(self.model, self.query, texts, self.user)
