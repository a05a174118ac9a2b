"""Estimates the tokens of a request before any tokenizer has seen it."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from mainspring.core.settings.serving.scaling import ScalingPlan
from mainspring.core.types import ChatRequest, CompletionRequest, Message, Request, RerankRequest

CHARACTERS_A_TOKEN = 4
TOKENS_A_MESSAGE = 4
# The most that templates add: to a message its role and its marks, to all of them a system message of their own.
MOST_A_MESSAGE = 8
TOKENS_A_TEMPLATE = 64
TOKENS_AN_IMAGE = 1_600
"""The most that OpenAI's and Anthropic's models count for a picture of usual size."""


def text_tokens(text: str) -> int:
    """Tokens of ``text``, at four characters each, rounded up."""
    return -(-len(text) // CHARACTERS_A_TOKEN)


def message_tokens(messages: Iterable[Message]) -> int:
    """Tokens of ``messages`` with their tool calls and what a template adds to each."""
    return sum(
        TOKENS_A_MESSAGE
        + text_tokens(message.content)
        + sum(text_tokens(call.arguments) for call in message.tool_calls)
        + TOKENS_AN_IMAGE * len(message.images)
        for message in messages
    )


def prompt_tokens(request: Request) -> int:
    """Tokens that ``request`` sends."""
    if isinstance(request, ChatRequest):
        tools = sum(text_tokens(f"{tool.name}{tool.description}{tool.parameters}") for tool in request.tools)
        return message_tokens(request.messages) + tools
    if isinstance(request, CompletionRequest):
        return text_tokens(request.said)
    if isinstance(request, RerankRequest):
        return len(request.documents) * text_tokens(request.query) + sum(map(text_tokens, request.documents))
    return sum(map(text_tokens, request.inputs))


def most_prompt_tokens(request: Request) -> int:
    """The maximum of tokens that ``request`` may send, for money: no token is shorter than a byte, and an unknown
    template adds some to each message and some to the whole."""
    texts = [*_texts(request)]
    template = TOKENS_A_TEMPLATE if isinstance(request, ChatRequest) else 0
    images = sum(len(message.images) for message in request.messages) if isinstance(request, ChatRequest) else 0
    said = sum(len(text.encode("utf-8", "replace")) for text in texts)
    return said + MOST_A_MESSAGE * len(texts) + template + TOKENS_AN_IMAGE * images


def _texts(request: Request) -> Iterable[str]:
    if isinstance(request, ChatRequest):
        for message in request.messages:
            yield message.content
            yield from (call.arguments for call in message.tool_calls)
        yield from (f"{tool.name}{tool.description}{tool.parameters}" for tool in request.tools)
    elif isinstance(request, CompletionRequest):
        yield request.said
    elif isinstance(request, RerankRequest):
        yield from (f"{request.query}{document}" for document in request.documents)
    else:
        yield from request.inputs


def answer_tokens(request: Request, default_output: int) -> int:
    """Tokens that each answer to ``request`` may have at most."""
    if not isinstance(request, ChatRequest | CompletionRequest):
        return 0
    return default_output if request.sampling.max_tokens is None else request.sampling.max_tokens


def output_tokens(request: Request, default_output: int, *, most: int | None = None) -> int:
    """Tokens that one call of ``request`` may write at most, in answers of at most ``most``."""
    each = answer_tokens(request, default_output)
    return sequences(request) * (each if most is None else min(each, most))


def request_tokens(request: Request, default_output: int, *, most: int | None = None) -> int:
    """Tokens that a request may take at most, output included, in answers of at most ``most``."""
    return (prompt_tokens(request) + output_tokens(request, default_output, most=most)) * answers(request)


def sequences(request: Request) -> int:
    """The number of sequences that one call of ``request`` writes."""
    if not isinstance(request, ChatRequest | CompletionRequest):
        return 1
    return max(request.sampling.n, request.sampling.beams, 1)


def answers(request: Request) -> int:
    """The number of answers that the model writes for the request's one; an invalid plan is refused later."""
    plan = _plan(request)
    return 1 if plan is None else plan.calls


def calls(request: Request) -> int:
    """The number of model calls for the answers: a judge reads each answer again."""
    plan = _plan(request)
    return answers(request) * (2 if plan is not None and plan.score == "judge" else 1)


def _plan(request: Request) -> ScalingPlan | None:
    wish = request.options.get("scaling") if isinstance(request, ChatRequest) else None
    if not isinstance(wish, dict):
        return None
    try:
        return ScalingPlan.model_validate(wish)
    except ValidationError:
        return None
