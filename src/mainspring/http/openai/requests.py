"""OpenAI's request bodies, checked and converted to our requests.

Unknown fields are refused with the nearest known name: a parameter that is silently ignored is worse than an error.
Fields that change no answer anywhere (``metadata``, ``prompt_cache_key``, a ``service_tier`` of ``auto``) are accepted.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mainspring.core.errors import InvalidRequest, InvalidSchema, TooLarge, Unsupported
from mainspring.core.types import (
    ChatRequest,
    CompletionRequest,
    EmbedRequest,
    Grammar,
    Message,
    PromptUse,
    RerankRequest,
    Sampling,
    Tool,
    ToolCall,
)
from mainspring.engines.grammar.checks import JSON_OBJECT
from mainspring.http.bodies import (
    AtMost,
    Body,
    ContentPart,
    Few,
    Free,
    Many,
    Name,
    ServiceTier,
    Table,
    Texts,
    bounded,
    json_text,
)
from mainspring.serving.prompts.registry import values


class WireFunction(BaseModel):
    """The function of a tool call made by an assistant message."""

    model_config = ConfigDict(extra="ignore")
    name: Name
    arguments: str = ""


class WireToolCall(BaseModel):
    """A tool call of an assistant message."""

    model_config = ConfigDict(extra="ignore")
    id: str
    type: Literal["function"] = "function"
    function: WireFunction


class WireMessage(BaseModel):
    """A message. Answers of ours sent back as history carry more fields than we read."""

    model_config = ConfigDict(extra="ignore")
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | Many[ContentPart] | None = None
    name: str | None = None
    tool_calls: Few[WireToolCall] | None = None
    tool_call_id: str | None = None
    function_call: Table[Any] | None = None


class FunctionSpec(Body):
    """A function that the model may call."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{1,64}$")]
    description: str | None = None
    parameters: Free | None = None
    strict: bool | None = None


class ToolSpec(Body):
    """A tool of a request."""

    type: Literal["function"]
    function: FunctionSpec


class NamedFunction(Body):
    name: Name


class NamedTool(Body):
    """``tool_choice`` that names one function."""

    type: Literal["function"]
    function: NamedFunction


class SchemaSpec(Body):
    """The ``json_schema`` of a response format."""

    name: Name
    description: str | None = None
    schema_: Free = Field(alias="schema")
    strict: bool | None = None


class ResponseFormat(Body):
    """``regex`` and ``grammar`` are extensions: the answer matches ``pattern``, or what ``root`` of ``grammar`` admits
    (EBNF as llama.cpp and vLLM take it)."""

    type: Literal["text", "json_object", "json_schema", "regex", "grammar"]
    json_schema: SchemaSpec | None = None
    pattern: Annotated[str, Field(max_length=4096)] | None = None
    grammar: Annotated[str, Field(max_length=16_384)] | None = None


class StreamOptions(BaseModel):
    model_config = ConfigDict(extra="ignore")
    include_usage: bool = False


class SamplingBody(Body):
    """Sampling fields shared by chat and text completions. ``top_k`` and what follows it are extensions."""

    model: Name
    max_tokens: Annotated[int, Field(gt=0)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    stop: str | Few[str] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    n: Annotated[int, Field(ge=1, le=16)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    logit_bias: Annotated[dict[str, float], Field(max_length=1024), AtMost(1024)] | None = None
    user: Annotated[str, Field(max_length=512)] | None = None
    top_k: Annotated[int, Field(ge=1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=10)] | None = None
    num_beams: Annotated[int, Field(ge=1, le=16)] | None = None
    ignore_eos: bool | None = None

    def stops(self) -> tuple[str, ...]:
        """The stop strings. Raises ``InvalidRequest`` for empty ones or more than 16."""
        stops = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        if len(stops) > 16 or any(not text or len(text) > 256 for text in stops):
            raise InvalidRequest("stop takes at most 16 strings of 1 to 256 characters", param="stop")
        return stops

    def sampling(self, max_tokens: int | None, logprobs: int | None, grammar: Grammar | None) -> Sampling:
        """These fields as ``Sampling``. Raises ``Unsupported`` for ``logit_bias``."""
        if self.logit_bias:
            raise Unsupported("logit_bias is not supported by any engine here", param="logit_bias")
        return Sampling(
            max_tokens=max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            min_p=self.min_p,
            repetition_penalty=self.repetition_penalty,
            presence_penalty=self.presence_penalty,
            frequency_penalty=self.frequency_penalty,
            stop=self.stops(),
            seed=self.seed,
            n=self.n or 1,
            logprobs=logprobs,
            beams=self.num_beams or 1,
            ignore_eos=bool(self.ignore_eos),
            grammar=grammar,
        )

    @property
    def wants_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)


class PromptBody(Body):
    """A prompt of the registry: ``version`` is its number or a label (none: ``production``)."""

    id: Name
    version: Annotated[str, Field(min_length=1, max_length=64)] | int | None = None
    variables: Table[Any] | None = None

    def use(self) -> PromptUse:
        """Raises ``InvalidRequest`` naming a variable."""
        wanted = "" if self.version is None else str(self.version)
        return PromptUse(self.id, wanted, values(self.variables or {}))


class ChatBody(SamplingBody):
    """``POST /v1/chat/completions``. ``prompt``, ``session_id`` and ``options`` are extensions."""

    messages: Annotated[Many[WireMessage], Field(min_length=1)]
    max_completion_tokens: Annotated[int, Field(gt=0)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    tools: Annotated[list[ToolSpec], Field(max_length=128, fail_fast=True)] | None = None
    tool_choice: Literal["auto", "none", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    metadata: Table[str] | None = None
    service_tier: ServiceTier | None = None
    safety_identifier: Annotated[str, Field(max_length=512)] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    store: bool | None = None
    session_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")] | None = None
    options: Table[Any] | None = None
    prompt: PromptBody | None = None

    def request(self, max_messages: int) -> ChatRequest:
        """As a ``ChatRequest``. Raises ``InvalidRequest``, ``Unsupported``, ``TooLarge``."""
        if len(self.messages) > max_messages:
            raise TooLarge(f"messages holds {len(self.messages)}, at most {max_messages} are read", param="messages")
        if None not in (self.max_tokens, self.max_completion_tokens) and self.max_tokens != self.max_completion_tokens:
            problem = "max_tokens and max_completion_tokens are two names of one bound, and differ"
            raise InvalidRequest(problem, param="max_completion_tokens")
        if self.top_logprobs and not self.logprobs:
            raise InvalidRequest("top_logprobs needs logprobs: true", param="top_logprobs")
        logprobs = (self.top_logprobs or 0) if self.logprobs else None
        tools = tuple(_tool(tool.function) for tool in self.tools or ())
        return ChatRequest(
            model=self.model,
            messages=tuple(_message(index, message) for index, message in enumerate(self.messages)),
            sampling=self.sampling(self.max_completion_tokens or self.max_tokens, logprobs, self._grammar()),
            tools=tools,
            tool_choice=self._tool_choice(tools),
            parallel_tool_calls=self.parallel_tool_calls is not False,
            session_id=self.session_id,
            user=self.user or self.safety_identifier,
            store=self.store is not False,
            options=bounded(self.options or {}, "options"),
            prompt=None if self.prompt is None else self.prompt.use(),
        )

    def _tool_choice(self, tools: tuple[Tool, ...]) -> str:
        choice = self.tool_choice
        if choice is None:
            return "auto"
        name = choice.function.name if isinstance(choice, NamedTool) else None
        if name is not None and name not in {tool.name for tool in tools}:
            raise InvalidRequest(f"tool_choice names {name!r}, which is not among tools", param="tool_choice")
        if choice == "required" and not tools:
            raise InvalidRequest("tool_choice 'required' needs tools", param="tool_choice")
        return name if name is not None else str(choice)

    def _grammar(self) -> Grammar | None:
        wanted = self.response_format
        if wanted is None or wanted.type == "text":
            return None
        if wanted.type == "json_object":
            return JSON_OBJECT
        if wanted.type == "json_schema":
            if wanted.json_schema is None:
                raise InvalidRequest("response_format json_schema needs the field json_schema", param="response_format")
            return Grammar("json_schema", json_text(wanted.json_schema.schema_, "response_format", InvalidSchema))
        if wanted.type == "grammar":
            if not wanted.grammar:
                raise InvalidRequest("response_format grammar needs the field grammar", param="response_format")
            return Grammar("ebnf", wanted.grammar)
        if not wanted.pattern:
            raise InvalidRequest("response_format regex needs the field pattern", param="response_format")
        return Grammar("regex", wanted.pattern)


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


def _tool(spec: FunctionSpec) -> Tool:
    parameters = bounded(spec.parameters or {"type": "object", "properties": {}}, "tools")
    return Tool(spec.name, spec.description or "", parameters, bool(spec.strict))


def _message(index: int, message: WireMessage) -> Message:
    content = message.content
    if isinstance(content, list):
        content = "".join(_part_text(index, part) for part in content)
    if content is None and not message.tool_calls:
        raise InvalidRequest(f"messages[{index}].content is missing", param=f"messages[{index}].content")
    if message.function_call is not None:
        param = f"messages[{index}].function_call"
        raise Unsupported(f"{param} is what tool_calls replaced", remedy="Send tool_calls", param=param)
    if message.role == "tool" and not message.tool_call_id:
        raise InvalidRequest(f"messages[{index}] of role tool needs tool_call_id", param=f"messages[{index}]")
    calls = tuple(ToolCall(c.id, c.function.name, c.function.arguments) for c in message.tool_calls or ())
    return Message(message.role, content or "", message.name, calls, message.tool_call_id)


def _part_text(index: int, part: ContentPart) -> str:
    if part.type not in ("text", "input_text", "output_text"):
        param = f"messages[{index}].content"
        raise Unsupported(f"{param} has a part of type {part.type!r}; only text is read", param=param)
    return part.text or ""
