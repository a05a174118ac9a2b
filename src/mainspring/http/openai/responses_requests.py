"""OpenAI's Responses API, incoming: bodies of ``POST /v1/responses``, checked and turned into our requests."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from mainspring.core.errors import InvalidRequest, InvalidSchema, TooLarge, Unsupported
from mainspring.core.types import ChatRequest, Grammar, Message, Sampling
from mainspring.engines.grammar.checks import JSON_OBJECT
from mainspring.http.bodies import Body, Few, Free, Many, Name, Table, bounded, json_text
from mainspring.http.fields import Hint, Refused
from mainspring.http.openai.hosted.items import ALL
from mainspring.http.openai.hosted.tools import WEB
from mainspring.http.openai.requests import PromptBody
from mainspring.http.openai.response_ids import answer_id
from mainspring.http.openai.responses_items import Item, check_outputs, messages_of_items, tool_name
from mainspring.http.openai.responses_tools import FileSearchTool, ToolBody, ToolSet, shown_tools

LOGPROBS = "message.output_text.logprobs"
RESULTS = "file_search_call.results"
INCLUDED = (LOGPROBS, RESULTS, *sorted(ALL))
"""What a response shows only where it is asked for."""
# Parts of items that no answer here has.
_NEVER = (
    "reasoning.encrypted_content",
    "web_search_call.results",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
)
_SENT_BACK = ("instructions", "metadata", "prompt", "max_tool_calls", "safety_identifier", "truncation", "tool_choice")
_STEERS = "used by models whose template or provider supports it; other models ignore it and name it in the header"
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
Penalty = Annotated[float, Field(ge=-2, le=2)]


class ToolReference(Body):
    """A tool that ``tool_choice`` names."""

    type: Name
    name: Name | None = None
    namespace: Name | None = None
    server_label: str | None = None


class ResponsesToolChoice(Body):
    """``tool_choice`` as an object: one tool, or those that are allowed."""

    type: Name
    name: Name | None = None
    namespace: Name | None = None
    server_label: str | None = None
    mode: Literal["auto", "required"] | None = None
    tools: Annotated[list[ToolReference], Field(max_length=128, fail_fast=True)] | None = None


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
    verbosity: Annotated[str, Field(min_length=1, max_length=32, description=_STEERS)] | None = None


class ReasoningOptions(Body):
    """Thoughts are shown as they are, so a summary of any kind is the thoughts themselves."""

    effort: Annotated[str, Field(min_length=1, max_length=32, description=_STEERS)] | None = None
    summary: Annotated[str | None, Hint("thoughts are shown as they are")] = None
    generate_summary: Annotated[str | None, Hint("thoughts are shown as they are")] = None
    context: Annotated[str | None, Hint("models do not read earlier thoughts")] = None
    mode: Annotated[str | None, Hint("models here have one mode")] = None


class ResponsesStreamOptions(Body):
    include_obfuscation: Annotated[bool | None, Hint("frames are not padded")] = None
    include_usage: Annotated[bool | None, Hint("the last event has the usage")] = None


class ConversationReference(Body):
    id: Name


class AskedBody(Body):
    """What a response and a count of its tokens are made of."""

    model: Name
    input: str | Many[Item] | None = None
    instructions: str | None = None
    previous_response_id: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    conversation: Name | ConversationReference | None = None
    tools: Annotated[list[ToolBody], Field(max_length=128, fail_fast=True)] | None = None
    tool_choice: Literal["auto", "none", "required"] | ResponsesToolChoice | None = None
    parallel_tool_calls: bool | None = None
    text: TextOptions | None = None
    reasoning: ReasoningOptions | None = None
    truncation: Literal["auto", "disabled"] | None = None

    @property
    def conversation_id(self) -> str | None:
        """The conversation that it belongs to."""
        named = self.conversation
        return named.id if isinstance(named, ConversationReference) else named

    def turn(self, found: Sequence[Item] = ()) -> tuple[Message, ...]:
        """The new messages; ``found`` are the items that it refers to. Raises ``InvalidRequest`` and ``Unsupported``
        naming the item."""
        if isinstance(self.input, str):
            return (Message("user", self.input),)
        if not self.input:
            raise InvalidRequest("input is empty", param="input")
        known = {each.id: each for each in found}
        return messages_of_items([known.get(each.id, each) if known else each for each in self.input])

    def messages(
        self, history: Sequence[Message], max_messages: int, found: Sequence[Item] = ()
    ) -> tuple[Message, ...]:
        """All messages, those of ``history`` before the new ones. Raises ``InvalidRequest``, ``Unsupported``,
        ``TooLarge``."""
        if self.conversation is not None and self.previous_response_id is not None:
            problem = "conversation and previous_response_id cannot be combined"
            raise InvalidRequest(problem, param="conversation")
        turn = self.turn(found)
        messages = (*(Message("system", text) for text in [self.instructions] if text), *history, *turn)
        if len(messages) > max_messages:
            raise TooLarge(f"input has {len(messages)} messages, but at most {max_messages} are allowed", param="input")
        return messages

    def tool_set(self) -> ToolSet:
        """The tools that the model may call. Raises ``InvalidRequest`` and ``Unsupported`` naming the tool."""
        return ToolSet.of(self.tools or ())

    def choice(self, tools: ToolSet) -> tuple[ToolSet, str]:
        """The tools that are allowed, and how one is chosen: ``auto``, ``none``, ``required`` or a tool's name.
        Raises ``InvalidRequest`` and ``Unsupported``."""
        choice = self.tool_choice
        if choice == "required" and not (tools.functions or tools.searches or tools.hosted):
            raise InvalidRequest("tool_choice 'required' needs tools", param="tool_choice")
        if not isinstance(choice, ResponsesToolChoice):
            return tools, str(choice or "auto")
        if choice.type != "allowed_tools":
            if (forced := _hosted(choice, tools)) is not None:
                return forced, "auto"
            return tools, _named(choice, tools)
        hosted = [each for each in (_hosted(asked, tools) for asked in choice.tools or ()) if each is not None]
        names = {_named(each, tools) for each in choice.tools or () if _hosted(each, tools) is None}
        if hosted and not names:
            names = {""}
        if not names:
            raise InvalidRequest("tool_choice.tools is empty", param="tool_choice.tools")
        functions = tuple(each for each in tools.functions if each.name in names)
        searches = tools.searches if "file_search" in names else ()
        kept = tuple(each for n, each in enumerate(tools.hosted) if any(found.hosted[n].forced for found in hosted))
        allowed = ToolSet(functions, tools.custom, tools.spaces, searches, tools.unused, kept)
        return allowed, str(choice.mode or "auto")

    def grammar(self) -> Grammar | None:
        """The constraint on the text. Raises ``InvalidRequest`` and ``InvalidSchema``."""
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

    def counted(self, history: Sequence[Message], max_messages: int, found: Sequence[Item] = ()) -> ChatRequest:
        """As a request whose tokens can be counted."""
        tools, choice = self.choice(self.tool_set())
        sampling = Sampling(grammar=self.grammar())
        if not self.input and history:
            # What went before is enough.
            told = [Message("system", text) for text in [self.instructions] if text]
            messages: tuple[Message, ...] = (*told, *history)
        else:
            messages = self.messages(history, max_messages, found)
        return ChatRequest(self.model, messages, sampling, tools.functions, _left(choice, tools))


class InputTokensBody(AskedBody):
    """``POST /v1/responses/input_tokens``."""

    personality: Annotated[str | None, Hint("models here have one personality")] = None


class CompactBody(AskedBody):
    """``POST /v1/responses/compact``: the model summarizes a conversation."""

    prompt_cache_key: Annotated[str | None, Hint("prompts are cached by their beginning")] = None
    prompt_cache_retention: Annotated[str | None, Hint("prompts are cached while there is space")] = None
    prompt_cache_options: Annotated[Any, Hint("prompts are cached by their beginning")] = None
    service_tier: Annotated[str | None, Hint("there is one tier")] = None
    image: Annotated[Any, Hint("no model here reads images")] = None
    user: Annotated[str, Field(max_length=512)] | None = None


class ResponsesBody(AskedBody):
    """``POST /v1/responses``. ``presence_penalty``, ``frequency_penalty``, ``top_k``, ``min_p``, ``seed``, ``stop``,
    ``session_id`` and ``options`` are extensions, as in chat completions."""

    max_output_tokens: Annotated[int, Field(gt=0)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    include: Few[str] | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: ResponsesStreamOptions | None = None
    background: bool | None = None
    background_options: Annotated[Any, Hint("background work starts immediately")] = None
    max_tool_calls: Annotated[int, Field(ge=1)] | None = None
    metadata: Table[str] | None = None
    user: Annotated[str, Field(max_length=512)] | None = None
    safety_identifier: Annotated[str, Field(max_length=512)] | None = None
    prompt_cache_key: Annotated[str | None, Hint("prompts are cached by their beginning")] = None
    prompt_cache_retention: Annotated[str | None, Hint("prompts are cached while there is space")] = None
    prompt_cache_options: Annotated[Any, Hint("prompts are cached by their beginning")] = None
    service_tier: Annotated[str | None, Hint("there is one tier")] = None
    access_programs: Annotated[Any, Hint("every key that may use a model has full access to it")] = None
    client_metadata: Annotated[Any, Hint("it describes the client")] = None
    image: Annotated[Any, Hint("no model here reads images")] = None
    context_management: Annotated[
        Any, Refused("conversations are not compacted during an answer", "Use POST /v1/responses/compact", unless=([],))
    ] = None
    moderation: Annotated[Any, Refused("no verdict is added to a response", "Use POST /v1/moderations")] = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    top_k: Annotated[int, Field(ge=1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: str | Few[str] | None = None
    session_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")] | None = None
    options: Table[Any] | None = None
    prompt: PromptBody | None = None

    def repeated(self) -> dict[str, Any]:
        """The request fields that a response repeats."""
        found = self.model_dump(include=set(_SENT_BACK), exclude_none=True, by_alias=True)
        if self.tools:
            found["tools"] = shown_tools(self.tools)
        format_ = self.text.format if self.text else None
        if format_ is not None:
            body = format_.model_dump(exclude_none=True, by_alias=True)
            if format_.type == "json_schema":
                body = {"description": None, "strict": False, **body}
            found["text"] = {"format": body}
        if self.reasoning is not None and self.reasoning.effort in _EFFORTS:
            found["reasoning"] = {"effort": self.reasoning.effort, "summary": None}
        if isinstance(self.prompt_cache_key, str):
            found["prompt_cache_key"] = self.prompt_cache_key[:512]
        if self.conversation_id is not None:
            found["conversation"] = {"id": self.conversation_id}
        return found

    def request(self, history: Sequence[Message], max_messages: int, found: Sequence[Item] = ()) -> ChatRequest:
        """As a ``ChatRequest`` after ``history``; ``found`` are the items that the input refers to. Raises
        ``InvalidRequest``, ``Unsupported``, ``TooLarge``."""
        self._refuse()
        messages = self.messages(history, max_messages, found)
        if self.session_id is None:
            check_outputs(messages)
        tools, choice = self.choice(self.tool_set())
        return ChatRequest(
            model=self.model,
            messages=messages,
            sampling=self._sampling(),
            tools=tools.functions,
            tool_choice=_left(choice, tools),
            parallel_tool_calls=self.parallel_tool_calls is not False,
            session_id=self.session_id,
            user=self.user or self.safety_identifier,
            store=self.store is not False,
            options=bounded(self.options or {}, "options"),
            previous=None if self.previous_response_id is None else answer_id(self.previous_response_id),
            prompt=None if self.prompt is None else self.prompt.use(),
            variables=self._variables(),
            hosted=() if choice == "none" else tools.hosted,
            max_hosted_calls=self.max_tool_calls,
        )

    def _variables(self) -> dict[str, str]:
        """What steers a model that reads it."""
        told = {
            "reasoning_effort": self.reasoning.effort if self.reasoning else None,
            "verbosity": self.text.verbosity if self.text else None,
        }
        return {name: value for name, value in told.items() if value is not None}

    def searches(self) -> tuple[FileSearchTool, ...]:
        """The searches to make, as many as are allowed."""
        tools, choice = self.choice(self.tool_set())
        return () if choice == "none" else tools.searches[: self.max_tool_calls]

    def _refuse(self) -> None:
        continued = "previous_response_id" if self.previous_response_id is not None else "conversation"
        if self.session_id is not None and (self.previous_response_id or self.conversation):
            raise InvalidRequest(f"session_id and {continued} cannot be combined", param="session_id")
        for name in self.include or ():
            if name not in (*INCLUDED, *_NEVER):
                raise Unsupported(f"include supports {', '.join(INCLUDED)}, not {name!r}", param="include")

    def _sampling(self) -> Sampling:
        stops = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        if len(stops) > 16 or any(not text or len(text) > 256 for text in stops):
            raise InvalidRequest("stop may have at most 16 strings of 1 to 256 characters", param="stop")
        logprobs = self.top_logprobs
        if LOGPROBS in (self.include or ()):
            logprobs = logprobs or 0
        elif logprobs == 0:
            logprobs = None
        return Sampling(
            max_tokens=self.max_output_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            min_p=self.min_p,
            presence_penalty=self.presence_penalty,
            frequency_penalty=self.frequency_penalty,
            seed=self.seed,
            stop=stops,
            logprobs=logprobs,
            grammar=self.grammar(),
        )


def _left(choice: str, tools: ToolSet) -> str:
    """How the model is to choose once the searches are made."""
    names = {tool.name for tool in tools.functions}
    if choice in names or choice in ("auto", "none"):
        return choice
    return "required" if choice == "required" and (names or tools.hosted) and not tools.searches else "auto"


def _hosted(choice: ResponsesToolChoice | ToolReference, tools: ToolSet) -> ToolSet | None:
    """``tools`` with the hosted one forced that is meant; None: it is not among them."""
    kind = "web_search" if choice.type in WEB else choice.type
    found = [
        each.kind == kind and (kind != "mcp" or each.options["server_label"] == choice.server_label)
        for each in tools.hosted
    ]
    if not any(found):
        return None
    named = {"name": choice.name} if choice.name is not None else {}
    hosted = tuple(
        dataclasses.replace(each, forced=True, options={**each.options, **named}) if meant else each
        for each, meant in zip(tools.hosted, found, strict=True)
    )
    return dataclasses.replace(tools, hosted=hosted)


def _named(choice: ResponsesToolChoice | ToolReference, tools: ToolSet) -> str:
    """The name of the tool that is meant. Raises ``InvalidRequest`` and ``Unsupported``."""
    if choice.type == "file_search" and tools.searches:
        return "file_search"
    if choice.type not in ("function", "custom"):
        raise Unsupported(
            f"tool_choice names a tool of type {choice.type!r}, which is not among tools",
            remedy="Name a function, or use auto",
            param="tool_choice",
        )
    name = tool_name(choice.name or "", choice.namespace)
    if name not in {tool.name for tool in tools.functions}:
        raise InvalidRequest(f"tool_choice names {name!r}, which is not among tools", param="tool_choice")
    return name
