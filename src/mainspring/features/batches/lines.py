"""The lines of a batch: its input file read and checked, and each line answered as its route would answer it."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from mainspring.core import structure
from mainspring.core.errors import MainspringError, Unsupported
from mainspring.core.path import collect
from mainspring.core.settings import GatewaySettings
from mainspring.core.types import ChatRequest, CompletionRequest, Context, EmbedRequest, Responder
from mainspring.http.access import consenting
from mainspring.http.anthropic import encode as anthropic
from mainspring.http.anthropic.requests import MessagesBody
from mainspring.http.field_errors import invalid
from mainspring.http.openai import encode, responses_encode
from mainspring.http.openai.moderations import ModerationBody, moderations_body
from mainspring.http.openai.past_responses import PastResponses
from mainspring.http.openai.requests import ChatBody
from mainspring.http.openai.responses_requests import ResponsesBody
from mainspring.http.openai.text_requests import CompletionBody, EmbeddingBody, undecoded
from mainspring.serving.judge.moderation import Moderated

T = TypeVar("T", bound=BaseModel)
Moderate = Callable[[Sequence[str], Context], Awaitable[Moderated]]
"""Judges texts for a caller, and charges for it."""
MESSAGES = "/v1/messages"
Endpoint = Literal[
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/messages",
    "/v1/moderations",
    "/v1/responses",
]
SCOPES: Mapping[str, str] = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "chat",
    "/v1/embeddings": "embed",
    MESSAGES: "chat",
    "/v1/moderations": "chat",
    "/v1/responses": "chat",
}
MAX_ERRORS = 100
MAX_LINE = 8 * 2**20
MAX_BLANK = 10_000
_MAX_ID = 512
_FIELDS = ("custom_id", "method", "url", "body")


@dataclass(frozen=True, slots=True)
class InputLine:
    """A line of an input file; ``number`` counts from 1. Parsing needs many times the bytes of its ``text``."""

    number: int
    custom_id: str
    text: bytes

    @property
    def body(self) -> Mapping[str, Any]:
        """The request's body, parsed again."""
        found: Mapping[str, Any] = orjson.loads(self.text)["body"]
        return found


@dataclass(frozen=True, slots=True)
class InputLines:
    """An input file: its lines, or OpenAI's error objects."""

    lines: tuple[InputLine, ...] = ()
    errors: tuple[Mapping[str, Any], ...] = ()


def read(data: bytes, endpoint: str, max_lines: int, max_bytes: int = MAX_LINE) -> InputLines:
    """The lines of an input file, if all of them are good and none has more than ``max_bytes``; at most ``MAX_ERRORS``
    errors else."""
    lines: list[InputLine] = []
    errors: list[Mapping[str, Any]] = []
    seen: set[str] = set()
    for number, text in enumerate(io.BytesIO(data), 1):
        if number > max_lines + MAX_BLANK:
            return InputLines(
                errors=(_error("too_many_requests", f"more than {MAX_BLANK} lines are blank", None, number),)
            )
        if text.isspace():
            continue
        if len(lines) == max_lines:
            return InputLines(
                errors=(_error("too_many_requests", f"a batch has at most {max_lines} lines", None, number),)
            )
        found = _line(number, text, endpoint, seen) if len(text) <= max_bytes else _long(number, max_bytes)
        if isinstance(found, InputLine):
            lines.append(found)
            seen.add(found.custom_id)
        else:
            errors.append(found)
            if len(errors) == MAX_ERRORS:
                break
    if errors:
        return InputLines(errors=tuple(errors))
    if not lines:
        return InputLines(errors=(_error("empty_file", "the input file has no line", None, None),))
    return InputLines(tuple(lines))


def _line(number: int, text: bytes, endpoint: str, seen: set[str]) -> InputLine | Mapping[str, Any]:
    try:
        found = structure.loads(text, "this line")
    except orjson.JSONDecodeError:
        return _error("invalid_json_line", "this line is not valid JSON in UTF-8", None, number)
    except MainspringError as error:
        return _error("invalid_json_line", error.message, None, number)
    if not isinstance(found, dict):
        return _error("invalid_json_line", "this line is not a JSON object", None, number)
    for name in found:
        if name not in _FIELDS:
            name = name[:_MAX_ID]
            return _error("unknown_field", f"unknown field {name!r}; a line has {', '.join(_FIELDS)}", name, number)
    custom_id, body = found.get("custom_id"), found.get("body")
    if not isinstance(custom_id, str) or not 0 < len(custom_id) <= _MAX_ID:
        message = f"custom_id must be a text of 1 to {_MAX_ID} characters"
        return _error("invalid_custom_id", message, "custom_id", number)
    if custom_id in seen:
        return _error("duplicate_custom_id", f"the custom_id {custom_id!r} was used before", "custom_id", number)
    if found.get("method") != "POST":
        return _error("invalid_method", "method must be POST", "method", number)
    if found.get("url") != endpoint:
        return _error("mismatched_url", f"url must be the batch's endpoint, {endpoint}", "url", number)
    if not isinstance(body, dict):
        return _error("invalid_body", "body must be a JSON object", "body", number)
    return InputLine(number, custom_id, text)


def _long(number: int, most: int) -> Mapping[str, Any]:
    return _error("line_too_large", f"a line has at most {most} bytes, as the body of a request", None, number)


def _error(code: str, message: str, param: str | None, line: int | None) -> Mapping[str, Any]:
    return {"code": code, "message": message, "param": param, "line": line}


class LineAnswerer:
    """Answers lines through ``responder``, the request ring; ``stored`` are the responses that may be continued, and
    ``moderate`` judges texts (None: nothing does)."""

    def __init__(
        self,
        responder: Responder,
        stored: PastResponses,
        settings: GatewaySettings,
        moderate: Moderate | None = None,
    ) -> None:
        self._responder = responder
        self._moderate = moderate
        self._stored = stored
        self._settings = settings
        self._routes: Mapping[str, Callable[[Mapping[str, Any], Context], Awaitable[Any]]] = {
            "/v1/chat/completions": self._chat,
            "/v1/completions": self._completion,
            MESSAGES: self._message,
            "/v1/embeddings": self._embedding,
            "/v1/moderations": self._moderation,
            "/v1/responses": self._response,
        }

    @property
    def max_bytes(self) -> int:
        """The maximum of one line: the same as for a request's body."""
        return self._settings.max_body_bytes

    async def __call__(self, endpoint: str, body: Mapping[str, Any], context: Context) -> bytes:
        """The body of the answer, as JSON. Raises the errors of the route."""
        if body.get("stream"):
            raise Unsupported("a line of a batch cannot be streamed", param="stream")
        if body.get("session_id") is not None:
            raise Unsupported("the lines of a batch have no order, so they continue no session", param="session_id")
        return encode.dumps(await self._routes[endpoint](body, context))

    async def _chat(self, body: Mapping[str, Any], context: Context) -> Any:
        asked = _checked(ChatBody, body)
        request, context = asked.request(self._settings.max_messages), consenting(context, asked.metadata)
        return encode.chat_body(await self._answer(request, context), asked.kind)

    async def _message(self, body: Mapping[str, Any], context: Context) -> Any:
        asked = _checked(MessagesBody, body)
        request = asked.request(self._settings.max_messages)
        return anthropic.message_body(await self._answer(request, asked.placed(context)), asked.shown)

    async def _completion(self, body: Mapping[str, Any], context: Context) -> Any:
        asked = _checked(CompletionBody, body)
        requests = await asked.requests(undecoded)
        if len(requests) > 1:
            raise Unsupported("a line takes one prompt", remedy="Write one line a prompt", param="prompt")
        return encode.completion_body(asked.finished(requests[0], await self._answer(requests[0], context)))

    async def _embedding(self, body: Mapping[str, Any], context: Context) -> Any:
        asked = _checked(EmbeddingBody, body)
        answer = await self._answer(await asked.request(self._settings.max_embedding_inputs, undecoded), context)
        width = 0 if answer.vectors is None else answer.vectors.rows.shape[1]
        if asked.dimensions not in (None, width):
            raise Unsupported(f"{asked.model} has {width} dimensions", param="dimensions")
        return encode.embeddings_body(answer, asked.encoding_format)

    async def _moderation(self, body: Mapping[str, Any], context: Context) -> Any:
        texts = _checked(ModerationBody, body).texts(self._settings.max_embedding_inputs)
        if self._moderate is None:
            raise Unsupported("no moderation detectors are loaded here", param="url")
        return moderations_body(await self._moderate(texts, context))

    async def _response(self, body: Mapping[str, Any], context: Context) -> Any:
        asked = _checked(ResponsesBody, body)
        history = await self._stored.history(asked.previous_response_id, context.principal)
        request = asked.request(history, self._settings.max_messages)
        shown = responses_encode.repeated(request, asked.repeated())
        context.settlement.turn, context.settlement.shown = asked.turn(), shown
        context = consenting(context, asked.metadata)
        answer = await self._answer(request, context)
        return responses_encode.Shell.of(answer.head, shown).ended(answer)

    async def _answer(self, request: ChatRequest | CompletionRequest | EmbedRequest, context: Context) -> Any:
        return await collect(await self._responder.respond(request, context))


def _checked(kind: type[T], body: Mapping[str, Any]) -> T:
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        raise invalid(first, first["loc"]) from None


def answered(request_id: str, line: InputLine, trace_id: str, status: int, body: bytes) -> str:
    """A line of an output or error file: the answer to ``line``."""
    head = orjson.dumps({"id": request_id, "custom_id": line.custom_id}).decode()
    response = f'{{"status_code":{status},"request_id":"{trace_id}","body":{body.decode()}}}'
    return f'{head[:-1]},"response":{response},"error":null}}'


def refused(request_id: str, line: InputLine, code: str, message: str) -> str:
    """A line of an error file: ``line`` was not answered."""
    error = {"code": code, "message": message}
    return orjson.dumps({"id": request_id, "custom_id": line.custom_id, "response": None, "error": error}).decode()


def failure(error: MainspringError) -> tuple[int, bytes]:
    """Status and body of an answer that is an error."""
    return error.status, encode.dumps(encode.error_body(error))
