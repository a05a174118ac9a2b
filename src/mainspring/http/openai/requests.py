"""OpenAI's request bodies, checked and converted to our requests.

Unknown fields are refused with the nearest known name: a parameter that is silently ignored is worse than an error.
What happens to each known field is marked at it, see ``http.fields``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from mainspring.core.errors import InvalidRequest, InvalidSchema, TooLarge
from mainspring.core.types import (
    ChatRequest,
    Grammar,
    PromptUse,
    Sampling,
    Tool,
)
from mainspring.engines.chat.template import OWN
from mainspring.engines.grammar.checks import JSON_OBJECT
from mainspring.http.bodies import (
    AtMost,
    Body,
    Few,
    Free,
    Many,
    Metadata,
    Name,
    Table,
    bounded,
    json_text,
)
from mainspring.http.fields import Hint, Refused
from mainspring.http.openai.chat_messages import WireMessage, conversation
from mainspring.http.openai.responses_tools import ToolBody, custom
from mainspring.serving.prompts.registry import values

_CACHED = "prompt prefixes are always cached"
_STEERS = "used by models whose template or provider supports it; other models ignore it and name it in the header"
_MODERATED = "the policies of the guards check what is asked and answered"


class FunctionSpec(Body):
    """A function that the model may call."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{1,64}$")]
    description: str | None = None
    parameters: Free | None = None
    strict: bool | None = None


class GrammarSpec(Body):
    definition: Annotated[str, Field(min_length=1, max_length=65_536)]
    syntax: Literal["lark", "regex"]


class CustomFormat(Body):
    type: Literal["text", "grammar"]
    grammar: GrammarSpec | None = None


class CustomSpec(Body):
    """A tool of free text that the model may call."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{1,64}$")]
    description: str | None = None
    format: CustomFormat | None = None

    def tool(self, place: str) -> Tool:
        """The function that stands for it. Raises ``InvalidRequest``."""
        wanted = self.format
        told = {"type": "text"} if wanted is None else {"type": wanted.type}
        if wanted is not None and wanted.grammar is not None:
            told |= {"syntax": wanted.grammar.syntax, "definition": wanted.grammar.definition}
        return custom(ToolBody(type="custom", description=self.description, format=told), self.name, place)


class ToolSpec(Body):
    """A tool of a request: a function, or a tool of free text."""

    type: Literal["function", "custom"]
    function: FunctionSpec | None = None
    custom: CustomSpec | None = None

    @model_validator(mode="after")
    def _whole(self) -> ToolSpec:
        if getattr(self, self.type) is None:
            raise ValueError(f"a tool of the type {self.type} needs the field {self.type}")
        return self


class NamedFunction(Body):
    name: Name


class NamedTool(Body):
    """``tool_choice`` that names one tool."""

    type: Literal["function", "custom"]
    function: NamedFunction | None = None
    custom: NamedFunction | None = None

    @model_validator(mode="after")
    def _whole(self) -> NamedTool:
        if not self.name:
            raise ValueError(f"a tool of the type {self.type} is named in the field {self.type}")
        return self

    @property
    def name(self) -> str:
        """The tool that is named."""
        named = self.custom if self.type == "custom" else self.function
        return "" if named is None else named.name


class AllowedNames(Body):
    mode: Literal["auto", "required"]
    tools: Annotated[list[NamedTool], Field(min_length=1, max_length=128, fail_fast=True)]


class AllowedTools(Body):
    """``tool_choice`` that offers the model some of the tools only."""

    type: Literal["allowed_tools"]
    allowed_tools: AllowedNames


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


class StreamOptions(Body):
    include_usage: bool = False
    include_obfuscation: Annotated[Any, Hint("frames are not padded: use TLS")] = None


TokenNumber = Annotated[str, Field(pattern=r"^[0-9]{1,9}$")]
Bias = Annotated[float, Field(ge=-100, le=100)]


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
    logit_bias: Annotated[dict[TokenNumber, Bias], Field(max_length=1024), AtMost(1024)] | None = None
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
            raise InvalidRequest("stop may have at most 16 strings of 1 to 256 characters", param="stop")
        return stops

    def sampling(
        self, max_tokens: int | None, logprobs: int | None, grammar: Grammar | None, choices: int | None = None
    ) -> Sampling:
        """These fields as ``Sampling``."""
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
            n=choices or self.n or 1,
            logprobs=logprobs,
            beams=self.num_beams or 1,
            ignore_eos=bool(self.ignore_eos),
            grammar=grammar,
            logit_bias=tuple((int(token), bias) for token, bias in (self.logit_bias or {}).items()),
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
    tool_choice: Literal["auto", "none", "required"] | NamedTool | AllowedTools | None = None
    parallel_tool_calls: bool | None = None
    functions: Annotated[list[FunctionSpec], Field(max_length=128, fail_fast=True)] | None = None
    reasoning_effort: Annotated[str, Field(min_length=1, max_length=32, description=_STEERS)] | None = None
    verbosity: Annotated[str, Field(min_length=1, max_length=32, description=_STEERS)] | None = None
    chat_template_kwargs: Annotated[Table[Any] | None, Field(description=_STEERS)] = None
    function_call: Literal["auto", "none"] | NamedFunction | None = None
    response_format: ResponseFormat | None = None
    metadata: Metadata | None = None
    store: bool | None = None
    safety_identifier: Annotated[str, Field(max_length=512)] | None = None
    session_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")] | None = None
    options: Table[Any] | None = None
    prompt: PromptBody | None = None
    service_tier: Annotated[Any, Hint("the key and the header x-priority say how a request is served")] = None
    prediction: Annotated[Any, Hint("it would change the speed of the answer, not its content")] = None
    prompt_cache_key: Annotated[Any, Hint(_CACHED)] = None
    prompt_cache_options: Annotated[Any, Hint(_CACHED)] = None
    prompt_cache_retention: Annotated[Any, Hint(_CACHED)] = None
    modalities: Annotated[Any, Refused("only text is written", "Ask for text", (["text"],))] = None
    audio: Annotated[Any, Refused("only text is written")] = None
    moderation: Annotated[Any, Refused(_MODERATED, "Send the text to /v1/moderations")] = None
    web_search_options: Annotated[Any, Refused("models here do not search the web", "Ask a collection")] = None

    @property
    def kind(self) -> Literal["chat", "functions"]:
        """The form in which tools are called."""
        return "functions" if self.functions else "chat"

    @property
    def custom(self) -> frozenset[str]:
        """The names of the tools of free text."""
        return frozenset(each.custom.name for each in self.tools or () if each.custom is not None)

    def request(self, max_messages: int) -> ChatRequest:
        """As a ``ChatRequest``. Raises ``InvalidRequest``, ``Unsupported``, ``TooLarge``."""
        if len(self.messages) > max_messages:
            raise TooLarge(
                f"messages has {len(self.messages)} entries, but at most {max_messages} are allowed", param="messages"
            )
        if None not in (self.max_tokens, self.max_completion_tokens) and self.max_tokens != self.max_completion_tokens:
            problem = "max_tokens and max_completion_tokens are two names of one bound, and differ"
            raise InvalidRequest(problem, param="max_completion_tokens")
        if self.top_logprobs and not self.logprobs:
            raise InvalidRequest("top_logprobs needs logprobs: true", param="top_logprobs")
        logprobs = (self.top_logprobs or 0) if self.logprobs else None
        tools, choice = self._tools()
        return ChatRequest(
            model=self.model,
            messages=conversation(self.messages),
            sampling=self.sampling(self.max_completion_tokens or self.max_tokens, logprobs, self._grammar()),
            tools=tools,
            tool_choice=choice,
            parallel_tool_calls=self.parallel_tool_calls is not False and not self.functions,
            session_id=self.session_id,
            user=self.user or self.safety_identifier,
            store=self.store is not False,
            options=bounded(self.options or {}, "options"),
            prompt=None if self.prompt is None else self.prompt.use(),
            variables=self._variables(),
        )

    def _variables(self) -> Mapping[str, Any]:
        """What a template may read besides the messages. Raises ``InvalidRequest`` for what only the server sets."""
        variables = {**bounded(self.chat_template_kwargs or {}, "chat_template_kwargs")}
        if own := next((name for name in variables if name in OWN), None):
            param = f"chat_template_kwargs.{own}"
            raise InvalidRequest(f"{param} is set by the server", remedy="Leave it out", param=param)
        fields = {"reasoning_effort": self.reasoning_effort, "verbosity": self.verbosity}
        return variables | {name: value for name, value in fields.items() if value is not None}

    def _tools(self) -> tuple[tuple[Tool, ...], str]:
        """The tools, and which of them may or must be called. The deprecated functions are tools."""
        if self.functions and self.tools:
            raise InvalidRequest("functions is the old form of tools: send only one of them", param="functions")
        choice = self.function_call if self.functions else self.tool_choice
        param = "function_call" if self.functions else "tool_choice"
        tools = tuple(map(_tool, self.functions or ())) + self._offered()
        names = {tool.name for tool in tools}
        named = _named(choice)
        if unknown := next((name for name in named if name not in names), None):
            raise InvalidRequest(f"{param} names {unknown!r}, which is not among tools", param=param)
        if isinstance(choice, AllowedTools):
            allowed = tuple(tool for tool in tools if tool.name in named)
            return allowed, choice.allowed_tools.mode
        if choice == "required" and not tools:
            raise InvalidRequest("tool_choice 'required' needs tools", param="tool_choice")
        return tools, named[0] if named else str(choice or "auto")

    def _offered(self) -> tuple[Tool, ...]:
        found = []
        for number, each in enumerate(self.tools or ()):
            if each.custom is not None:
                found.append(each.custom.tool(f"tools[{number}].custom"))
            elif each.function is not None:
                found.append(_tool(each.function))
        return tuple(found)

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


def _named(choice: Any) -> list[str]:
    match choice:
        case NamedFunction():
            return [choice.name]
        case NamedTool():
            return [choice.name]
        case AllowedTools():
            return [each.name for each in choice.allowed_tools.tools]
        case _:
            return []


def _tool(spec: FunctionSpec) -> Tool:
    parameters = bounded(spec.parameters or {"type": "object", "properties": {}}, "tools")
    return Tool(spec.name, spec.description or "", parameters, bool(spec.strict))
