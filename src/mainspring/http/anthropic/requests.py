"""Anthropic's request bodies (``POST /v1/messages``), checked and turned into our requests."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from mainspring.core.errors import InvalidRequest, InvalidSchema, TooLarge
from mainspring.core.types import ChatRequest, Context, Grammar, Message, Sampling
from mainspring.engines.chat.template import EFFORT
from mainspring.http.anthropic.blocks import AnthropicMessage, Block, Reader, Source
from mainspring.http.anthropic.context_edits import ContextManagement, Edited
from mainspring.http.anthropic.encode import ShownAnswer
from mainspring.http.anthropic.server_tools import McpServers
from mainspring.http.anthropic.tools import AnthropicTool, ToolChoice, choice_of, tools_of
from mainspring.http.bodies import Body, Free, Many, Name, Table, bounded, json_text
from mainspring.http.fields import Hint, Refused

ANYWHERE = "global"
"""The ``inference_geo`` of a request that may be answered in any region."""


class Metadata(BaseModel):
    model_config = ConfigDict(extra="ignore")
    user_id: Annotated[str, Field(max_length=512)] | None = None


class Thinking(Body):
    """Whether the model reasons, where its template can tell it, and whether that is shown. No engine here can bound
    it."""

    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: Annotated[Any, Hint("reasoning models decide how long they reason")] = None
    display: Literal["summarized", "omitted", "updates"] | None = None
    block_binding: Annotated[Any, Hint("thoughts of earlier turns are not read again")] = None


class OutputFormat(Body):
    type: Literal["json_schema"]
    schema_: Free = Field(alias="schema")


class OutputConfig(Body):
    """``format`` constrains the answer to a JSON schema. Chat templates that know an ``effort`` get it."""

    format: OutputFormat | None = None
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    task_budget: Annotated[Any, Hint("models do not get it; max_tokens limits an answer")] = None


class CountBody(Body):
    """``POST /v1/messages/count_tokens``: what a request would send."""

    _sources: tuple[Source, ...] = PrivateAttr(())
    _edits: tuple[Mapping[str, Any], ...] = PrivateAttr(())

    model: Name
    messages: Annotated[Many[AnthropicMessage], Field(min_length=1)]
    system: str | Many[Block] | None = None
    tools: Annotated[list[AnthropicTool], Field(max_length=128, fail_fast=True)] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    cache_control: Annotated[Any, Hint("prompt prefixes are always cached")] = None
    context_management: ContextManagement | None = None
    compaction: Annotated[Any, Refused("conversations are not compacted", "Ask the model for a summary")] = None
    mcp_servers: McpServers | None = None
    speed: Annotated[Any, Hint("every request runs as fast as it can")] = None
    billing_policy: Annotated[Any, Hint("costs are charged to the key")] = None
    workspace_id: Annotated[Any, Hint("the key identifies the owner of the request")] = None

    def request(self, max_messages: int) -> ChatRequest:
        """As a ``ChatRequest``. Raises ``InvalidRequest``, ``Unsupported``, ``TooLarge``."""
        if len(self.messages) > max_messages:
            raise TooLarge(
                f"messages has {len(self.messages)} entries, but at most {max_messages} are allowed", param="messages"
            )
        reader = Reader()
        system = [Message("system", text) for text in [self._instructions(reader)] if text]
        edited = Edited([*system, *reader.messages(self.messages)])
        if self.context_management is not None:
            edited = self.context_management.applied(edited.messages)
        self._sources, self._edits = tuple(reader.sources), edited.applied
        tools, hosted = tools_of(self.tools or (), self.mcp_servers or ())
        choice, last = self.tool_choice, edited.messages[-1]
        chosen, hosted = choice_of(choice, tools, hosted)
        return ChatRequest(
            model=self.model,
            messages=tuple(edited.messages),
            sampling=self._sampling(),
            tools=tools,
            tool_choice=chosen,
            parallel_tool_calls=not (choice and choice.disable_parallel_tool_use),
            hosted=hosted,
            continues=last.role == "assistant" and not last.tool_calls,
            variables=self._variables(),
        )

    @property
    def shown(self) -> ShownAnswer:
        """What to show with the answer; known once ``request`` was called."""
        edits = None if self.context_management is None else self._edits
        return ShownAnswer(self.shows_thoughts, self._sources, edits)

    @property
    def shows_thoughts(self) -> bool:
        """Whether the caller wants the model's reasoning."""
        thinking = self.thinking
        return thinking is None or not (thinking.type == "disabled" or thinking.display == "omitted")

    def _variables(self) -> dict[str, Any]:
        if self.thinking is not None and self.thinking.type == "disabled":
            return {EFFORT: "none"}
        effort = self.output_config.effort if self.output_config else None
        # High is Anthropic's default, and clients send it unasked to models that know no efforts.
        return {} if effort in (None, "high") else {EFFORT: "high" if effort in ("xhigh", "max") else effort}

    def _instructions(self, reader: Reader) -> str:
        if isinstance(self.system, list):
            return "\n\n".join(reader.text(block, f"system[{index}]") for index, block in enumerate(self.system))
        return self.system or ""

    def _sampling(self) -> Sampling:
        return Sampling(grammar=self._grammar())

    def _grammar(self) -> Grammar | None:
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
    container: Annotated[Any, Refused("nothing of a container is kept for another request")] = None
    thread: Annotated[Any, Refused("conversations are not stored", "Send all messages, or a session_id")] = None
    fallbacks: Annotated[
        Any,
        Refused(
            "a request is answered by the model that it names",
            "Set serving.routes, and use the name of the route",
            ([],),
        ),
    ] = None
    inference_geo: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")] | None = None
    fallback_credit_token: Annotated[Any, Hint("nothing is credited here")] = None
    diagnostics: Annotated[Any, Hint("the trace of a request shows what was cached")] = None

    def placed(self, context: Context) -> Context:
        """``context`` confined to the region of ``inference_geo``, which is one of ``serving.residency``. Raises
        ``InvalidRequest`` if the header asks for others."""
        geo = (self.inference_geo or ANYWHERE).lower()
        if geo == ANYWHERE:
            return context
        if context.regions and geo not in context.regions:
            problem = f"inference_geo is {geo}, and x-region asks for {', '.join(sorted(context.regions))}"
            raise InvalidRequest(problem, remedy="Send one of them", param="inference_geo")
        return dataclasses.replace(context, regions=frozenset((geo,)))

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
            hosted=request.hosted,
            continues=request.continues,
            variables=request.variables,
            session_id=self.session_id,
            user=self.metadata.user_id if self.metadata else None,
            options=bounded(self.options or {}, "options"),
        )

    def _sampling(self) -> Sampling:
        stops = tuple(self.stop_sequences or ())
        if any(not text or len(text) > 256 for text in stops):
            raise InvalidRequest("stop_sequences may only have strings of 1 to 256 characters", param="stop_sequences")
        return Sampling(
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            stop=stops,
            grammar=self._grammar(),
        )
