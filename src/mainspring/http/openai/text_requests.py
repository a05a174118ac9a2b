"""OpenAI's request bodies of plain text: completions, embeddings and reranking."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mainspring.core.errors import InvalidRequest, TooLarge, Unsupported
from mainspring.core.types import CompletionRequest, EmbedRequest, RerankRequest
from mainspring.http.bodies import Body, Few, Name, Texts
from mainspring.http.openai.requests import SamplingBody


class CompletionBody(SamplingBody):
    """``POST /v1/completions``."""

    prompt: str | Few[str]
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    echo: bool | None = None
    suffix: str | None = None
    best_of: int | None = None

    def requests(self) -> list[CompletionRequest]:
        """One request a prompt. Raises ``Unsupported`` for ``echo`` and ``best_of``."""
        if self.echo:
            raise Unsupported("echo is not supported", param="echo")
        if self.best_of not in (None, 1, self.n):
            raise Unsupported("best_of is not supported", remedy="Use n", param="best_of")
        prompts = [self.prompt] if isinstance(self.prompt, str) else self.prompt
        if not 1 <= len(prompts) <= 32:
            raise InvalidRequest("prompt takes 1 to 32 texts", param="prompt")
        sampling = self.sampling(self.max_tokens, self.logprobs, None)
        return [CompletionRequest(self.model, each, sampling, self.user, self.suffix or "") for each in prompts]


class RerankDocument(Body):
    """A document as an object."""

    text: str


class EmbeddingBody(Body):
    """``POST /v1/embeddings``. ``input_type`` is an extension for models that tell queries from passages."""

    model: Name
    input: str | Texts
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    user: Annotated[str, Field(max_length=512)] | None = None
    input_type: Literal["query", "passage"] = "passage"

    def request(self, max_inputs: int) -> EmbedRequest:
        """As an ``EmbedRequest``. Raises ``InvalidRequest``, ``TooLarge``."""
        inputs = (self.input,) if isinstance(self.input, str) else tuple(self.input)
        if not inputs or any(not text for text in inputs):
            raise InvalidRequest("input must hold at least one text, none of them empty", param="input")
        if len(inputs) > max_inputs:
            raise TooLarge(f"input holds {len(inputs)} texts, at most {max_inputs} are read", param="input")
        return EmbedRequest(self.model, inputs, self.input_type, self.user)


class RerankBody(Body):
    """``POST /v1/rerank``, in the style of Cohere and Jina."""

    model: Name
    query: Annotated[str, Field(min_length=1, max_length=8192)]
    documents: Annotated[list[str | RerankDocument], Field(min_length=1, max_length=1000, fail_fast=True)]
    top_n: Annotated[int, Field(ge=1)] | None = None
    return_documents: bool = False
    user: Annotated[str, Field(max_length=512)] | None = None

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
