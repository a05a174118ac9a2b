"""A request for an answer from documents, understood: the question, the options, and what cannot be honoured."""

from __future__ import annotations

from dataclasses import dataclass

from mainspring.errors import InvalidRequest, Unsupported
from mainspring.rag import terms
from mainspring.rag.retrieve import Filters
from mainspring.settings import RagSettings
from mainspring.types import ChatRequest

_OPTIONS = ("mode", "top_k", "collections", "filters")
_MODES = ("auto", "extractive", "generative")
_MAX_TOP_K = 50
# A question with fewer content words than this leans on the one before it.
_STANDS_ALONE = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, understood. ``mode`` is one of ``auto``, ``extractive``, ``generative``."""

    question: str
    mode: str
    top_k: int
    names: tuple[str, ...]
    filters: Filters | None
    max_tokens: int | None


def understood(request: ChatRequest, settings: RagSettings, *, name: str, one: bool) -> Asked:
    """What ``request`` asks of the responder ``name``; ``one``: it is a single collection.

    Raises ``InvalidRequest`` (``Unsupported``) naming the option at fault.
    """
    options = dict(request.options)
    for option in options:
        if option not in _OPTIONS:
            raise Unsupported(f"{name} has no option {option}", param=f"options.{option}")
    if one and "collections" in options:
        raise Unsupported(
            f"{name} is one collection", remedy="Ask document-qa for several", param="options.collections"
        )
    mode = options.get("mode", settings.mode)
    if mode not in _MODES:
        raise InvalidRequest(f"mode must be one of {', '.join(_MODES)}", param="options.mode")
    top_k = options.get("top_k", settings.top_k)
    if not isinstance(top_k, int) or isinstance(top_k, bool) or not 1 <= top_k <= _MAX_TOP_K:
        raise InvalidRequest(f"top_k must be a number from 1 to {_MAX_TOP_K}", param="options.top_k")
    return Asked(
        question(request),
        mode,
        top_k,
        _names(options.get("collections", ())),
        _filters(options.get("filters")),
        request.sampling.max_tokens,
    )


def question(request: ChatRequest) -> str:
    """The last user message, after the one before where it says too little by itself ("and in winter?")."""
    said = [message.content.strip() for message in request.messages if message.role == "user"]
    said = [text for text in said if text]
    if not said:
        raise InvalidRequest("there is no user message to answer", param="messages")
    if len(said) > 1 and len(terms.content(said[-1])) < _STANDS_ALONE:
        return f"{said[-2]}\n{said[-1]}"
    return said[-1]


def _names(value: object) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise InvalidRequest("collections must be a list of names", param="options.collections")
    return tuple(names)


def _filters(value: object) -> Filters | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InvalidRequest("filters must be an object of lists", param="options.filters")
    return {str(name): _names(values) for name, values in value.items()}


def refuse_unsupported(request: ChatRequest, mode: str) -> None:
    """Raises ``Unsupported`` naming what answers in ``mode`` (extractive, generative) do not take."""
    sampling = request.sampling
    if request.tools and request.tool_choice != "none":
        raise Unsupported("questions to documents take no tools", param="tools")
    if sampling.grammar is not None:
        raise Unsupported("answers from documents take no response format", param="response_format")
    if sampling.n != 1:
        raise Unsupported("a question to documents has one answer", param="n")
    if mode == "extractive":
        for name, given in (("logprobs", sampling.logprobs is not None), ("stop", bool(sampling.stop))):
            if given:
                raise Unsupported(f"extractive answers take no {name}", param=name)
