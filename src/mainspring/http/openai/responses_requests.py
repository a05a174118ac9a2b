"""OpenAI's Responses API, incoming: bodies of ``POST /v1/responses``, checked and turned into our requests.

Features that nothing here supports (background work, tools that run on OpenAI's servers, reasoning effort) are refused
by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mainspring.core.errors import InvalidRequest, InvalidSchema, TooLarge, Unsupported
from mainspring.core.types import ChatRequest, Grammar, Message, Sampling, Tool, ToolCall
from mainspring.engines.grammar.checks import JSON_OBJECT
from mainspring.http.bodies import Body, ContentPart, Few, Free, Many, Name, ServiceTier, Table, bounded, json_text
from mainspring.http.fields import Types
from mainspring.http.openai.requests import PromptBody, StreamOptions

_REPEATED = ("instructions", "metadata", "prompt", "tools", "tool_choice", "text")
_LOGPROBS = "message.output_text.logprobs"
# Values of ``include`` that change nothing here: reasoning is never encrypted.
_HARMLESS = ("reasoning.encrypted_content",)


class Item(BaseModel):
    """One input item: a message (with or without ``type``), a function call, its output, or earlier thoughts."""

    model_config = ConfigDict(extra="allow")
    type: Annotated[str, Types(("message", "function_call", "function_call_output", "reasoning"))] = "message"
    role: Literal["system", "developer", "user", "assistant"] | None = None
    content: str | Many[ContentPart] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | Many[ContentPart] | None = None


class FunctionTool(BaseModel):
    """A function that the client runs. Other types of tools are refused."""

    model_config = ConfigDict(extra="allow")
    type: Annotated[str, Types(("function",))]
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{1,64}$")] | None = None
    description: str | None = None
    parameters: Free | None = None
    strict: bool | None = None


class ResponsesNamedTool(Body):
    type: Literal["function"]
    name: Name


class TextFormat(Body):
    """The text's format; ``regex`` is an extension, as in chat completions."""

    type: Literal["text", "json_object", "json_schema", "regex"]
    name: Name | None = None
    description: str | None = None
    schema_: Free | None = Field(None, alias="schema")
    strict: bool | None = None
    pattern: Annotated[str, Field(max_length=4096)] | None = None


class TextOptions(Body):
    format: TextFormat | None = None
    verbosity: str | None = None


class Reasoning(Body):
    """Thoughts are shown as they are: ``summary`` ``auto`` asks for the best there is, which is that."""

    effort: str | None = None
    summary: str | None = None


class ResponsesBody(Body):
    """``POST /v1/responses``. ``top_k``, ``min_p``, ``seed``, ``stop``, ``session_id`` and ``options`` are extensions,
    as in chat completions."""

    model: Name
    input: str | Many[Item]
    instructions: str | None = None
    previous_response_id: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    max_output_tokens: Annotated[int, Field(gt=0)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    tools: Annotated[list[FunctionTool], Field(max_length=128, fail_fast=True)] | None = None
    tool_choice: Literal["auto", "none", "required"] | ResponsesNamedTool | None = None
    parallel_tool_calls: bool | None = None
    text: TextOptions | None = None
    reasoning: Reasoning | None = None
    include: Few[str] | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    background: bool | None = None
    truncation: Literal["auto", "disabled"] | None = None
    max_tool_calls: int | None = None
    metadata: Table[str] | None = None
    user: Annotated[str, Field(max_length=512)] | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    service_tier: ServiceTier | None = None
    top_k: Annotated[int, Field(ge=1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: str | Few[str] | None = None
    session_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")] | None = None
    options: Table[Any] | None = None
    prompt: PromptBody | None = None

    def repeated(self) -> dict[str, Any]:
        """The request fields that a response repeats."""
        return self.model_dump(include=set(_REPEATED), exclude_none=True, by_alias=True)

    def turn(self) -> tuple[Message, ...]:
        """The new messages. Raises ``InvalidRequest`` and ``Unsupported`` naming the item."""
        if isinstance(self.input, str):
            return (Message("user", self.input),)
        if not self.input:
            raise InvalidRequest("input is empty", param="input")
        return _messages(self.input)

    def request(self, history: Sequence[Message], max_messages: int) -> ChatRequest:
        """As a ``ChatRequest`` after ``history``. Raises ``InvalidRequest``, ``Unsupported``, ``TooLarge``."""
        self._refuse()
        messages = (*(Message("system", text) for text in [self.instructions] if text), *history, *self.turn())
        if len(messages) > max_messages:
            raise TooLarge(f"input holds {len(messages)} messages, at most {max_messages} are read", param="input")
        tools = tuple(_tool(index, tool) for index, tool in enumerate(self.tools or ()))
        return ChatRequest(
            model=self.model,
            messages=messages,
            sampling=self._sampling(),
            tools=tools,
            tool_choice=self._tool_choice(tools),
            parallel_tool_calls=self.parallel_tool_calls is not False,
            session_id=self.session_id,
            user=self.user or self.safety_identifier,
            store=self.store is not False,
            options=bounded(self.options or {}, "options"),
            previous=self.previous_response_id,
            prompt=None if self.prompt is None else self.prompt.use(),
        )

    def _refuse(self) -> None:
        if self.background:
            raise Unsupported("background responses are not supported", remedy="Use stream: true", param="background")
        if self.truncation == "auto":
            remedy = "Shorten the input, or use session_id, whose history is shortened"
            raise Unsupported("truncation auto is not supported", remedy=remedy, param="truncation")
        if self.max_tool_calls is not None:
            raise Unsupported("max_tool_calls counts tools that run on a server; none do", param="max_tool_calls")
        if self.reasoning is not None and self.reasoning.effort not in (None, "none"):
            raise Unsupported("no engine here takes a reasoning effort", param="reasoning.effort")
        if self.reasoning is not None and self.reasoning.summary not in (None, "auto"):
            raise Unsupported("no engine here sums its thoughts up", param="reasoning.summary")
        if self.text is not None and self.text.verbosity not in (None, "medium"):
            raise Unsupported("no engine here takes a verbosity", param="text.verbosity")
        if self.session_id is not None and self.previous_response_id is not None:
            raise InvalidRequest("session_id and previous_response_id exclude each other", param="session_id")
        for name in self.include or ():
            if name not in (_LOGPROBS, *_HARMLESS):
                raise Unsupported(f"include takes {_LOGPROBS}, not {name!r}", param="include")

    def _sampling(self) -> Sampling:
        stops = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        if len(stops) > 16 or any(not text or len(text) > 256 for text in stops):
            raise InvalidRequest("stop takes at most 16 strings of 1 to 256 characters", param="stop")
        logprobs = self.top_logprobs
        if logprobs is None and _LOGPROBS in (self.include or ()):
            logprobs = 0
        return Sampling(
            max_tokens=self.max_output_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            min_p=self.min_p,
            seed=self.seed,
            stop=stops,
            logprobs=logprobs,
            grammar=self._grammar(),
        )

    def _grammar(self) -> Grammar | None:
        wanted = self.text.format if self.text else None
        if wanted is None or wanted.type == "text":
            return None
        if wanted.type == "json_object":
            return JSON_OBJECT
        if wanted.type == "regex":
            if not wanted.pattern:
                raise InvalidRequest("text.format regex needs the field pattern", param="text.format")
            return Grammar("regex", wanted.pattern)
        if wanted.schema_ is None:
            raise InvalidRequest("text.format json_schema needs the field schema", param="text.format")
        return Grammar("json_schema", json_text(wanted.schema_, "text.format", InvalidSchema))

    def _tool_choice(self, tools: tuple[Tool, ...]) -> str:
        choice = self.tool_choice
        name = choice.name if isinstance(choice, ResponsesNamedTool) else None
        if name is not None and name not in {tool.name for tool in tools}:
            raise InvalidRequest(f"tool_choice names {name!r}, which is not among tools", param="tool_choice")
        if choice == "required" and not tools:
            raise InvalidRequest("tool_choice 'required' needs tools", param="tool_choice")
        return name if name is not None else str(choice or "auto")


def _tool(index: int, spec: FunctionTool) -> Tool:
    if spec.type != "function":
        raise Unsupported(
            f"tools[{index}] is of type {spec.type!r}; only functions, which your client runs, are known",
            param=f"tools[{index}].type",
        )
    if spec.name is None:
        raise InvalidRequest(f"tools[{index}].name is missing", param=f"tools[{index}].name")
    extra = (spec.model_extra or {}).items()
    # Only the model calls tools here, so the field needs no handling.
    if unknown := next((name for name, value in extra if value and value != ["direct"]), None):
        raise Unsupported(f"tools[{index}].{unknown} is not known here", param=f"tools[{index}].{unknown}")
    parameters = bounded(spec.parameters or {"type": "object", "properties": {}}, f"tools[{index}].parameters")
    return Tool(spec.name, spec.description or "", parameters, bool(spec.strict))


def _messages(items: Sequence[Item]) -> tuple[Message, ...]:
    """Items as messages; calls join the assistant's message before them."""
    messages: list[Message] = []
    for index, item in enumerate(items):
        place = f"input[{index}]"
        if item.type == "message":
            messages.append(_message(item, place))
        elif item.type == "function_call":
            call = _call(item, place)
            if messages and messages[-1].role == "assistant":
                last = messages.pop()
                messages.append(Message("assistant", last.content, tool_calls=(*last.tool_calls, call)))
            else:
                messages.append(Message("assistant", "", tool_calls=(call,)))
        elif item.type == "function_call_output":
            if not item.call_id or item.output is None:
                raise InvalidRequest(f"{place} needs call_id and output", param=place)
            messages.append(Message("tool", _text(item.output, f"{place}.output"), tool_call_id=item.call_id))
        elif item.type != "reasoning":
            raise Unsupported(f"{place} is of type {item.type!r}, which is not read", param=place)
    if not messages:
        raise InvalidRequest("input has no message", param="input")
    return tuple(messages)


def _message(item: Item, place: str) -> Message:
    if item.role is None or item.content is None:
        raise InvalidRequest(f"{place} needs role and content", param=place)
    return Message(item.role, _text(item.content, f"{place}.content"))


def _call(item: Item, place: str) -> ToolCall:
    if not item.call_id or not item.name:
        raise InvalidRequest(f"{place} needs call_id and name", param=place)
    return ToolCall(item.call_id, item.name, item.arguments or "{}")


def _text(content: str | list[ContentPart], place: str) -> str:
    if isinstance(content, str):
        return content
    for part in content:
        if part.type not in ("input_text", "output_text", "text", "refusal"):
            raise Unsupported(f"{place} has a part of type {part.type!r}; only text is read", param=place)
    return "".join(part.text or "" for part in content)
