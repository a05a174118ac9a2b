"""Reads a request for an answer from documents: its question, its options, and what cannot be honoured."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, replace
from typing import get_args

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.settings import RagSettings
from mainspring.core.types import IGNORED_HEADER, ChatRequest, Event, Message, Notice, Response
from mainspring.rag.answer import small_talk
from mainspring.rag.answer.write import answer_form
from mainspring.rag.parse.language import NAMES
from mainspring.rag.query import wishes
from mainspring.rag.query.understand import Technique, techniques
from mainspring.rag.search import filters as filtering
from mainspring.rag.search.retrieve import Filters
from mainspring.rag.search.selection import GraphMode
from mainspring.serving.ring.whole_answers import with_unread

_OPTIONS = ("mode", "top_k", "collections", "filters", "graph", "techniques")
_MODES = ("auto", "extractive", "generative")
# Everyday names for them.
_ALIASES = {"verbatim": "extractive", "written": "generative"}
_MAX_TOP_K = 50
MOST_READ = 4_000
"""Characters of a message that are read."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request, understood. ``mode`` is one of ``auto``, ``extractive``, ``generative``, and ``free`` says whether the
    asker left it open; ``history`` are the messages before the question, ``condensed`` says whether the question was
    rewritten to stand alone. ``wished`` is the question with its words about the form of the answer ("in Spanish"),
    which are not searched for and not in ``question`` (empty: it has none); ``more`` is how often more of the answer
    is asked for."""

    question: str
    mode: str
    top_k: int
    names: tuple[str, ...]
    filters: Filters | None
    max_tokens: int | None
    history: tuple[Message, ...] = ()
    condensed: bool = False
    graph: GraphMode = "off"
    techniques: tuple[Technique, ...] = ()
    free: bool = True
    wished: str = ""
    more: int = 0

    @property
    def leaning(self) -> bool:
        """Whether it is searched together with an earlier question."""
        return self.condensed and "\n" in self.question

    def standing(self, whole: str, condensed: bool) -> Question:
        """The same with ``whole`` as the question: what is wished of the answer's form is set apart from it."""
        searched = answer_form.subject(wishes.searched(whole))
        wished = whole if searched != whole else ""
        return replace(self, question=searched, wished=wished, condensed=condensed, more=wishes.more(whole))

    def unmet(self) -> list[Event]:
        """What an answer in the documents' own words says of a wish for another language or easier words."""
        wished = answer_form.wish(self.wished)
        unmet = (
            f"in {NAMES[wished.language]}" if wished.language != "en" else "in easier words" if wished.simple else ""
        )
        said = f"These are the documents' own words: no chat model wrote an answer {unmet}."
        return [Notice("own_words", said)] if unmet else []


def understood(request: ChatRequest, settings: RagSettings, *, name: str, one: bool) -> Question:
    """The question of ``request`` to the responder ``name``; ``one``: it is a single collection.

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
    mode = _ALIASES.get(mode, mode) if isinstance(mode, str) else mode
    if mode not in _MODES:
        raise InvalidRequest(f"mode must be one of {', '.join((*_MODES, *_ALIASES))}", param="options.mode")
    top_k = options.get("top_k", settings.top_k)
    if not isinstance(top_k, int) or isinstance(top_k, bool) or not 1 <= top_k <= _MAX_TOP_K:
        raise InvalidRequest(f"top_k must be a number from 1 to {_MAX_TOP_K}", param="options.top_k")
    text, history = question(request)
    text = small_talk.without_courtesy(ends_of(text))
    history = tuple(replace(each, content=ends_of(each.content)) for each in history)
    graph = options.get("graph", "off")
    if graph not in get_args(GraphMode):
        raise InvalidRequest(f"graph must be one of {', '.join(get_args(GraphMode))}", param="options.graph")
    return Question(
        text,
        mode,
        top_k,
        _names(options.get("collections", ())),
        _filters(options.get("filters")),
        request.sampling.max_tokens,
        history,
        graph=graph,
        techniques=_techniques(options.get("techniques", ())),
        free=mode == "auto",
    )


def ends_of(text: str) -> str:
    """``text``, or the first and the last half of what is read of a longer one. Each sentence of the documents is
    compared with all that a question has: no answer may take so long that other tenants feel it."""
    if len(text) <= MOST_READ:
        return text
    return f"{text[: MOST_READ // 2]}\n{text[-MOST_READ // 2 :]}"


def question(request: ChatRequest) -> tuple[str, tuple[Message, ...]]:
    """The last user message and the previous ones. Raises ``InvalidRequest`` if there is none."""
    for place in range(len(request.messages) - 1, -1, -1):
        message = request.messages[place]
        if message.role == "user" and message.content.strip():
            before = request.messages[:place]
            return message.content.strip(), tuple(each for each in before if each.role in ("user", "assistant"))
    raise InvalidRequest("there is no user message to answer", param="messages")


def _names(value: object) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise InvalidRequest("collections must be a list of names", param="options.collections")
    return tuple(names)


def _filters(value: object) -> Filters | None:
    return filtering.parse(value, "options.filters")


def _techniques(value: object) -> tuple[Technique, ...]:
    found = techniques(value, "options.techniques")
    for name in ("condense", "decompose"):
        if name in found:
            remedy = "Follow-ups and the parts of questions are seen to without it"
            raise InvalidRequest(f"{name} is not a technique of answers", remedy=remedy, param="options.techniques")
    return found


def refuse_unsupported(request: ChatRequest, mode: str) -> None:
    """Raises ``Unsupported`` naming a parameter that answers in ``mode`` (extractive, generative) do not support.
    Optional tools are ignored."""
    sampling = request.sampling
    if any(message.images for message in request.messages):
        raise Unsupported("a question to documents must be text", remedy="Leave its pictures out", param="messages")
    if request.tools and request.tool_choice not in ("auto", "none"):
        remedy = "Leave tool_choice at auto: the documents answer, and the tools are not called"
        raise Unsupported("answers from documents call no tools", remedy=remedy, param="tool_choice")
    if sampling.grammar is not None:
        raise Unsupported("answers from documents take no response format", param="response_format")
    if sampling.n != 1:
        raise Unsupported("a question to documents has one answer", param="n")
    if mode == "extractive":
        for name, given in (("logprobs", sampling.logprobs is not None), ("stop", bool(sampling.stop))):
            if given:
                raise Unsupported(f"extractive answers take no {name}", param=name)
        if request.prompt is not None and not request.prompt.default:
            remedy = "Ask for options.mode generative"
            raise Unsupported("no model writes an extractive answer: it takes no prompt", remedy=remedy, param="prompt")


def with_unused(request: ChatRequest, mode: str, response: Response) -> Response:
    """``response`` with a header that names ignored fields: tools, which documents do not call, and in extractive
    ``mode`` parameters that steer a model."""
    if mode == "extractive":
        return with_unread(request, response)
    if not request.tools or request.tool_choice == "none":
        return response
    return response.with_head(headers={**response.head.headers, IGNORED_HEADER: "tools"})


def with_notice(response: Response, code: str, said: str) -> Response:
    """``response`` with a note in front."""

    async def noticed(events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
        yield Notice(code, said)
        async for event in events:
            yield event

    return response.through(noticed)
