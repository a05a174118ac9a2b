"""The requests to a responder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "developer", "user", "assistant", "tool"]
GrammarKind = Literal["json_schema", "regex", "ebnf"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that an assistant message made. ``arguments`` is the JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


PICTURE = "\ufffc"
"""Stands in a message's text where a picture is (Unicode's object replacement character), so that what rewrites the
text leaves pictures in their places."""


@dataclass(frozen=True, slots=True)
class Image:
    """A picture in a message: ``url`` is an ``https:`` or a ``data:`` URL, ``detail`` is the level of detail (empty:
    the model's default)."""

    url: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. ``content`` is plain text, with a ``PICTURE`` for each of ``images``."""

    role: Role
    content: str
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    images: tuple[Image, ...] = ()

    @property
    def pieces(self) -> tuple[str | Image, ...]:
        """Text and images in their order. Images without a place in the text come last."""
        if not self.images:
            return (self.content,)
        texts = self.content.split(PICTURE)
        found: list[str | Image] = []
        for number, text in enumerate(texts):
            found += [text] if text else []
            found += self.images[number : number + 1] if number < len(texts) - 1 else self.images[number:]
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call. ``parameters`` is a JSON schema; with ``strict``, a call whose arguments do
    not fit it counts as text."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = False


@dataclass(frozen=True, slots=True)
class HostedTool:
    """A tool that the server runs for a request: ``web_search``, ``mcp`` or ``code_interpreter``. ``options`` are the
    caller's, with secrets that nothing stores; ``forced``: the model must call it first."""

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Grammar:
    """A constraint on the generated text: a JSON schema (as JSON text), a regular expression or a grammar (EBNF)."""

    kind: GrammarKind
    source: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are sampled. ``None`` leaves the engine's default; an engine refuses parameters that it does not
    support.

    ``temperature`` 0 is greedy. ``logprobs`` is the number of alternatives a token (0: the chosen one only, None:
    none). ``beams`` above 1 is beam search. ``logit_bias`` is added to the logits of tokens, which are numbers of the
    model's vocabulary: -100 forbids one, 100 forces it. With ``prompt_logprobs``, an empty ``Text`` with the values of
    the prompt's tokens comes first; the first token has NaN, because nothing precedes it.
    """

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    n: int = 1
    logprobs: int | None = None
    beams: int = 1
    ignore_eos: bool = False
    grammar: Grammar | None = None
    logit_bias: tuple[tuple[int, float], ...] = ()
    prompt_logprobs: bool = False


@dataclass(frozen=True, slots=True)
class PromptUse:
    """The prompt of the registry that a request uses.

    ``wanted`` is a version's number or a label (empty: ``production``). The other fields are set when it is resolved:
    ``version`` and ``sha256`` of the prompt, its ``rendered`` messages, and ``asked``: the request's messages without
    it. ``default``: the settings name it, not the request.
    """

    name: str
    wanted: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    version: int = 0
    sha256: str = ""
    rendered: tuple[Message, ...] = ()
    asked: tuple[Message, ...] = ()
    default: bool = False

    @property
    def text(self) -> str:
        """The rendered messages as one text, for applications that have a prompt of their own."""
        return "\n\n".join(message.content for message in self.rendered)


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A conversation to be continued by the model, application or collection named ``model``.

    ``options`` are the application's own (``mode``, ``top_k`` of document-qa, say). ``again`` is the fault of an
    earlier answer, which this request repairs. ``previous`` is the answer that the conversation continues; its turns
    already precede the new messages. ``tool_choice`` is ``auto``, ``none``, ``required`` or the name of one tool;
    without ``parallel_tool_calls`` an answer calls one at most. The answer ``continues`` the last message, which is the
    assistant's. ``prompt`` is the prompt of the registry that it uses. ``variables`` are further inputs of the chat
    template (``reasoning_effort``, ``verbosity``, ``enable_thinking`` and others of the model). The server runs
    ``hosted`` tools, at most ``max_hosted_calls`` times.
    """

    model: str
    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    parallel_tool_calls: bool = True
    continues: bool = False
    session_id: str | None = None
    user: str | None = None
    store: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    previous: str | None = None
    again: str = ""
    prompt: PromptUse | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    hosted: tuple[HostedTool, ...] = ()
    max_hosted_calls: int | None = None


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """Raw text to be continued, with no chat template: up to where ``suffix`` begins, if there is one.

    ``options`` are the application's own, as in a ``ChatRequest``; models have none. Without ``store`` neither its text
    nor the answer's is stored. ``source``: it is source code to complete, and nothing in it is an instruction.
    """

    model: str
    prompt: str
    sampling: Sampling = Sampling()
    user: str | None = None
    suffix: str = ""
    store: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    source: bool = False

    @property
    def said(self) -> str:
        """All of its text."""
        return f"{self.prompt}\n{self.suffix}" if self.suffix else self.prompt


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """Texts to be embedded. ``kind`` is for models that embed queries and passages differently."""

    model: str
    inputs: tuple[str, ...]
    kind: Literal["query", "passage"] = "passage"
    user: str | None = None


@dataclass(frozen=True, slots=True)
class RerankRequest:
    """Documents to be scored for their relevance to ``query``."""

    model: str
    query: str
    documents: tuple[str, ...]
    user: str | None = None


Request = ChatRequest | CompletionRequest | EmbedRequest | RerankRequest
