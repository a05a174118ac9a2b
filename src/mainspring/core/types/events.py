"""The events of an answer's stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A generated token and its natural-log probability. ``top`` holds (token, logprob) alternatives."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


Grounds = Literal["", "verbatim", "supported", "unsupported"]
"""The basis of a checked sentence: the words of a source, a source that supports it, or none."""


@dataclass(frozen=True, slots=True)
class Text:
    """Generated text. ``tokens`` counts the tokens that it came from (0 if the engine does not say). With ``grounds``
    it is a whole sentence."""

    text: str
    choice: int = 0
    tokens: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()
    grounds: Grounds = ""


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The reasoning of a model, separate from the answer. ``tokens`` as those of ``Text``."""

    text: str
    choice: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call: ``id`` and ``name`` come with the first piece of each ``index``."""

    choice: int
    index: int
    id: str | None
    name: str | None
    arguments: str


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage that supports the answer, attached and verified by the system, never by the model.

    ``start`` and ``end`` are character offsets into the parsed text of the document; ``quote`` is exactly
    ``text[start:end]``. ``support`` is the heuristic support score of generated sentences (None: verbatim).
    The passage can be opened under ``vector_store_id`` and ``file_id`` (None: the document was not uploaded).
    """

    index: int
    document_id: str
    source: str
    quote: str
    start: int
    end: int
    page: int | None = None
    heading: str = ""
    support: float | None = None
    choice: int = 0
    vector_store_id: str = ""
    file_id: str | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """A part of the question that the documents do not answer, in the question's words."""

    part: str
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Answered:
    """Whether the documents answer the question. ``sought`` names what the search did not find, in
    the question's words (empty if the documents answer, or if the question names nothing)."""

    answered: bool
    sought: tuple[str, ...] = ()
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """The statement of a cited source if sources disagree. ``citation`` is the number of its citation, ``modified_at``
    its document's time in Unix seconds; ``newest`` marks the latest of the documents (none if all have one time)."""

    citation: int
    value: str
    source: str
    modified_at: float
    newest: bool = False


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Cited sources that give different values for the same thing: found by rules, no proof that either is wrong."""

    about: str
    claims: tuple[Claim, ...]
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Notice:
    """A note to the reader of an answer, outside of the answer's text. ``code`` is stable; ``id`` names the subject if
    it has a name."""

    code: str
    text: str
    choice: int = 0
    id: str = ""


HostedKind = Literal["web_search", "mcp", "mcp_list_tools", "mcp_approval_request", "code_interpreter"]


@dataclass(frozen=True, slots=True)
class HostedCall:
    """A call of a tool that the server runs for the request: once when it begins, and once when it is ``done``.

    ``number`` counts the calls of an answer from 1. ``details`` are JSON values: ``query`` and ``sources`` (``number``,
    ``title``, ``url``, and how its ``text`` begins) of a search of the web; ``server``, ``name``, ``tool`` (the name
    that the model knows), ``arguments`` (JSON text), ``output``, ``error`` and ``approval_request_id`` of a call of an
    MCP server; its ``server`` and ``tools``; ``code``, ``logs``, ``error``, ``container_id`` and ``files`` of code.
    Before the end of a call those of its outcome are missing.
    """

    kind: HostedKind
    number: int
    details: Mapping[str, Any]
    done: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a long answer, for people who watch it."""

    stage: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Vectors:
    """Embeddings: one row a text, L2-normalised float32 of shape (texts, dimensions)."""

    rows: Any


@dataclass(frozen=True, slots=True)
class Scores:
    """Relevance in [0, 1], one a document: float32 of shape (documents,). ``spans`` is what answers in each document,
    in characters, if the model says so."""

    values: Any
    spans: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and money spent. ``cost_nanousd`` is fixed-point: billionths of a US dollar. ``saved_nanousd`` is the cost
    that a cached answer saved."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost_nanousd: int = 0
    saved_nanousd: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.cost_nanousd + other.cost_nanousd,
            self.saved_nanousd + other.saved_nanousd,
        )

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Finish:
    """One choice is complete. Everything that it acknowledges is durable before it is sent. ``stopped_by`` is the stop
    string that ended it (empty: none, or the engine does not say)."""

    reason: FinishReason
    choice: int = 0
    stopped_by: str = ""


Event = (
    Text
    | Reasoning
    | ToolCallDelta
    | Citation
    | Missing
    | Answered
    | Contradiction
    | Notice
    | HostedCall
    | Progress
    | Vectors
    | Scores
    | Usage
    | Finish
)
