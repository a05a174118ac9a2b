"""Anthropic's request bodies (``POST /v1/messages``), checked and turned into our requests.

Parts of Anthropic's API that nothing here supports (server tools, images, thinking budgets) are refused by name.
``cache_control`` is accepted: prompt prefixes are cached without being asked to. Reasoning of earlier turns is not sent
to the model again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from mainspring.core.errors import InvalidRequest, InvalidSchema, TooLarge, Unsupported
from mainspring.core.types import ChatRequest, Grammar, Message, Sampling, Tool, ToolCall
from mainspring.http.bodies import Body, Free, Many, Name, Table, bounded, json_text
from mainspring.http.fields import Types

_THOUGHTS = ("thinking", "redacted_thinking")
# Fields of a tool that change nothing here: its arguments come when they are whole.
_HARMLESS = ("cache_control", "eager_input_streaming")


class Block(BaseModel):
    """One block of a message's content; which fields it has depends on its ``type``."""

    model_config = ConfigDict(extra="allow")
    type: Annotated[str, Types(("text", "tool_use", "tool_result", *_THOUGHTS))]
    text: str | None = None
    id: str | None = None
    name: str | None = None
    input: Free | None = None
    tool_use_id: str | None = None
    content: str | Many[Block] | None = None
    is_error: bool | None = None


class AnthropicMessage(BaseModel):
    """A message. ``system`` is taken where clients send it within ``messages``."""

    model_config = ConfigDict(extra="ignore")
    role: Literal["user", "assistant", "system"]
    content: str | Many[Block]


class AnthropicTool(BaseModel):
    """A tool that the client runs itself (type ``custom`` or none). Server tools are refused."""

    model_config = ConfigDict(extra="allow")
    type: Annotated[str | None, Types(("custom",))] = None
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{1,128}$")]
    description: str | None = None
    input_schema: Free | None = None
    strict: bool | None = None


class ToolChoice(Body):
    type: Literal["auto", "any", "tool", "none"]
    name: Name | None = None
    disable_parallel_tool_use: bool | None = None


class Metadata(BaseModel):
    model_config = ConfigDict(extra="ignore")
    user_id: Annotated[str, Field(max_length=512)] | None = None


class Thinking(Body):
    """Whether reasoning is shown. No engine here takes a reasoning budget or can stop a model from reasoning."""

    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: int | None = None
    display: Literal["summarized", "omitted"] | None = None


class OutputFormat(Body):
    type: Literal["json_schema"]
    schema_: Free = Field(alias="schema")


class OutputConfig(Body):
    """``format`` constrains the answer to a JSON schema."""

    format: OutputFormat | None = None


class CountBody(Body):
    """``POST /v1/messages/count_tokens``: what a request would send."""

    model: Name
    messages: Annotated[Many[AnthropicMessage], Field(min_length=1)]
    system: str | Many[Block] | None = None
    tools: Annotated[list[AnthropicTool], Field(max_length=128, fail_fast=True)] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    cache_control: Table[Any] | None = None

    def request(self, max_messages: int) -> ChatRequest:
        """As a ``ChatRequest``. Raises ``InvalidRequest``, ``Unsupported``, ``TooLarge``."""
        if len(self.messages) > max_messages:
            raise TooLarge(f"messages holds {len(self.messages)}, at most {max_messages} are read", param="messages")
        messages = [Message("system", text) for text in [self._instructions()] if text]
        for index, message in enumerate(self.messages):
            messages += _messages(message, f"messages[{index}]")
        tools = tuple(_tool(index, tool) for index, tool in enumerate(self.tools or ()))
        choice = self.tool_choice
        return ChatRequest(
            model=self.model,
            messages=tuple(messages),
            sampling=self._sampling(),
            tools=tools,
            tool_choice=_choice(choice, tools),
            parallel_tool_calls=not (choice and choice.disable_parallel_tool_use),
        )

    @property
    def shows_thoughts(self) -> bool:
        """Whether the caller wants the model's reasoning."""
        thinking = self.thinking
        return thinking is None or not (thinking.type == "disabled" or thinking.display == "omitted")

    def _instructions(self) -> str:
        if isinstance(self.system, list):
            return "\n\n".join(_text(block, f"system[{index}]") for index, block in enumerate(self.system))
        return self.system or ""

    def _sampling(self) -> Sampling:
        return Sampling(grammar=self._grammar())

    def _grammar(self) -> Grammar | None:
        if self.thinking is not None and self.thinking.type == "enabled":
            raise Unsupported(
                "no engine here takes a thinking budget",
                remedy="Models that think do so by themselves: leave thinking out, or send adaptive",
                param="thinking",
            )
        wanted = self.output_config.format if self.output_config else None
        if wanted is None:
            return None
        return Grammar("json_schema", json_text(wanted.schema_, "output_config.format", InvalidSchema))


class MessagesBody(CountBody):
    """``POST /v1/messages``. ``session_id`` and ``options`` are extensions, as in chat completions."""

    max_tokens: Annotated[int, Field(gt=0)]
    metadata: Metadata | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    stop_sequences: Annotated[list[str], Field(max_length=16, fail_fast=True)] | None = None
    stream: bool | None = None
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=1)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    session_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")] | None = None
    options: Table[Any] | None = None

    def request(self, max_messages: int) -> ChatRequest:
        """As a ``ChatRequest``. Raises ``InvalidRequest``, ``Unsupported``, ``TooLarge``."""
        request = super().request(max_messages)
        return ChatRequest(
            model=request.model,
            messages=request.messages,
            sampling=request.sampling,
            tools=request.tools,
            tool_choice=request.tool_choice,
            parallel_tool_calls=request.parallel_tool_calls,
            session_id=self.session_id,
            user=self.metadata.user_id if self.metadata else None,
            options=bounded(self.options or {}, "options"),
        )

    def _sampling(self) -> Sampling:
        stops = tuple(self.stop_sequences or ())
        if any(not text or len(text) > 256 for text in stops):
            raise InvalidRequest("stop_sequences takes strings of 1 to 256 characters", param="stop_sequences")
        return Sampling(
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            stop=stops,
            grammar=self._grammar(),
        )


def _choice(choice: ToolChoice | None, tools: tuple[Tool, ...]) -> str:
    if choice is None or choice.type in ("auto", "none"):
        return choice.type if choice else "auto"
    if not tools:
        raise InvalidRequest(f"tool_choice {choice.type!r} needs tools", param="tool_choice")
    if choice.type == "any":
        return "required"
    if choice.name not in {tool.name for tool in tools}:
        raise InvalidRequest(f"tool_choice names {choice.name!r}, which is not among tools", param="tool_choice")
    return str(choice.name)


def _tool(index: int, spec: AnthropicTool) -> Tool:
    if spec.type not in (None, "custom"):
        raise Unsupported(
            f"tools[{index}] is of type {spec.type!r}, which runs on Anthropic's servers",
            remedy="Send tools with an input_schema, which your client runs",
            param=f"tools[{index}].type",
        )
    if spec.input_schema is None:
        raise InvalidRequest(f"tools[{index}].input_schema is missing", param=f"tools[{index}].input_schema")
    for name, value in (spec.model_extra or {}).items():
        # Only the model calls tools here, so ``allowed_callers`` needs no handling.
        if value and value != ["direct"] and name not in _HARMLESS:
            raise Unsupported(f"tools[{index}].{name} is not known here", param=f"tools[{index}].{name}")
    parameters = bounded(spec.input_schema, f"tools[{index}].input_schema")
    return Tool(spec.name, spec.description or "", parameters, bool(spec.strict))


def _messages(message: AnthropicMessage, param: str) -> Iterator[Message]:
    """One message of theirs as ours: results of tools are messages of their own, in the order of the blocks."""
    if isinstance(message.content, str):
        yield Message(message.role, message.content)
        return
    if not message.content:
        raise InvalidRequest(f"{param}.content is empty", param=f"{param}.content")
    texts: list[str] = []
    calls: list[ToolCall] = []
    for index, block in enumerate(message.content):
        place = f"{param}.content[{index}]"
        if block.type == "tool_use" and message.role == "assistant":
            calls.append(_call(block, place))
        elif block.type == "tool_result" and message.role == "user":
            if texts:
                yield Message("user", "".join(texts))
                texts = []
            yield _result(block, place)
        elif block.type not in _THOUGHTS:
            texts.append(_text(block, place))
    if texts or calls:
        yield Message(message.role, "".join(texts), tool_calls=tuple(calls))


def _call(block: Block, place: str) -> ToolCall:
    if not block.id or not block.name:
        raise InvalidRequest(f"{place} of type tool_use needs id and name", param=place)
    arguments = bounded(block.input or {}, place)
    return ToolCall(block.id, block.name, orjson.dumps(arguments).decode())


def _result(block: Block, place: str) -> Message:
    if not block.tool_use_id:
        raise InvalidRequest(f"{place} of type tool_result needs tool_use_id", param=place)
    content = block.content or ""
    if isinstance(content, list):
        content = "".join(_text(part, f"{place}.content[{index}]") for index, part in enumerate(content))
    said = f"Error: {content}" if block.is_error else content
    return Message("tool", said, tool_call_id=block.tool_use_id)


def _text(block: Block, place: str) -> str:
    if block.type != "text":
        raise Unsupported(f"{place} is of type {block.type!r}; only text is read", param=place)
    if block.text is None:
        raise InvalidRequest(f"{place}.text is missing", param=f"{place}.text")
    return block.text
