"""Document question answering: retrieve, decide whether the documents say anything, then show or write the answer.

Extractive answers are sentences of the documents, verbatim. Generative ones are written by a model over the same
passages; each sentence is checked against them and carries its best source and the score, or a mark that it has
none.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.errors import DeadlineExceeded, InvalidRequest, NotFound, Unsupported
from mainspring.path import replay
from mainspring.rag import extract, terms
from mainspring.rag.cite import cite
from mainspring.rag.evidence import evidence
from mainspring.rag.extract import Passage
from mainspring.rag.generate import REFUSAL, Writer
from mainspring.rag.retrieve import Filters, Hit, Retriever
from mainspring.rag.selection import SearchOptions
from mainspring.settings import RagSettings
from mainspring.stores import ids
from mainspring.stores.collections import Collection, Collections
from mainspring.types import (
    ChatRequest,
    Context,
    Event,
    EventRecord,
    Finish,
    Head,
    Progress,
    Request,
    Response,
    Text,
    Usage,
)

_OPTIONS = ("mode", "top_k", "collections", "filters")
_MODES = ("auto", "extractive", "generative")
_MAX_TOP_K = 50
_SEARCH = SearchOptions(rerank=True)
# So many words of English are about one token, for a limit that was given in tokens.
_WORDS_A_TOKEN = 0.7
# A question with fewer content words than this leans on the one before it.
_STANDS_ALONE = 2


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request, understood."""

    question: str
    mode: str
    top_k: int
    names: tuple[str, ...]
    filters: Filters | None
    max_tokens: int | None


@dataclass(frozen=True, slots=True)
class Findings:
    """What a question found: the hits that count, their sentences by score, the texts, the evidence in [0, 1]."""

    question: str
    hits: Sequence[Hit]
    passages: Sequence[Passage]
    texts: dict[str, str]
    evidence: float


class DocumentAnswerer:
    """Answers from one ``collection``, or from those that the request names, or from all that the asker may see.

    ``writer`` writes generative answers (None: there is no chat model). ``grounded`` says that its model can be
    trusted to keep to sources: then ``auto`` means generative.
    """

    def __init__(
        self,
        retriever: Retriever,
        collections: Collections,
        settings: RagSettings,
        *,
        collection: Collection | None = None,
        name: str = "document-qa",
        writer: Writer | None = None,
        grounded: bool = False,
    ) -> None:
        self._retriever = retriever
        self._collections = collections
        self._settings = settings
        self._collection = collection
        self._name = collection.name if collection else name
        self._writer = writer
        self._grounded = grounded

    @property
    def sampled(self) -> bool:
        """Whether the same question may get different answers."""
        return self._mode(self._settings.mode) == "generative"

    def fingerprint(self, request: Request, context: Context) -> str | None:
        """Changes with the collections, the embedding model, the settings, and what the asker may see."""
        if not isinstance(request, ChatRequest):
            return None
        written = ""
        try:
            mode = self._asked(request).mode
        except InvalidRequest:
            return None
        if mode == "generative" and self._writer is not None:
            found = self._writer.fingerprint(request, context)
            if found is None:
                return None
            written = found
        if self._collection is not None:
            versions = {self._collection.id: self._collections.version(self._collection)}
        else:
            versions = self._collections.versions(context.principal.tenant)
        embedder = self._retriever.embedder
        facts = (
            sorted(versions.items()),
            getattr(embedder, "fingerprint", embedder.name),
            self._settings.model_dump_json(),
            sorted(context.principal.groups),
            mode,
            written,
        )
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    async def respond(self, request: Request, context: Context) -> Response:
        """Answer once the passages are found (extractive) or the first words are written (generative).

        Raises ``InvalidRequest`` naming the option at fault, ``NotFound`` for a collection that the asker cannot
        see, ``DeadlineExceeded``, ``Conflict`` where a collection has another embedding model, and what the
        generating model raises.
        """
        if not isinstance(request, ChatRequest):
            raise InvalidRequest(f"{self._name} answers chat requests only", param="model")
        asked = self._asked(request)
        _refuse_unsupported(request, asked)
        try:
            async with asyncio.timeout(context.remaining()):
                found = await self.find(asked, context)
        except TimeoutError:
            raise DeadlineExceeded("the deadline passed while the documents were searched") from None
        refused = not found.passages or found.evidence < self._settings.refuse_below
        head = Head(model=self._name)
        if refused or asked.mode == "extractive" or self._writer is None:
            chosen = [] if refused else self._choose(found, asked)
            self._record(asked, context, found, refused, chosen)
            return Response(head, replay(self._extracted(asked, found, chosen)))
        self._record(asked, context, found, refused, ())
        response = await self._writer.write(request, found.question, found.hits, found.passages, found.texts, context)
        return response.with_head(model=self._name)

    async def find(self, asked: _Asked, context: Context) -> Findings:
        """Search, and score the sentences of what was found."""
        chosen = await self._scope(asked.names, context)
        candidates = await self._retriever.candidates(
            chosen, asked.question, asked.top_k, asked.filters, groups=context.principal.groups, options=_SEARCH
        )
        shown = _shown(candidates, asked.top_k)
        texts = await self._retriever.texts(shown)
        vector = await self._retriever.vector(asked.question)
        passages = await extract.passages(asked.question, shown, candidates, texts, self._retriever.embedder, vector)
        return Findings(asked.question, shown, passages, texts, evidence(asked.question, candidates, passages))

    async def _scope(self, names: Sequence[str], context: Context) -> list[Collection]:
        principal = context.principal
        if self._collection is not None:
            if not self._collection.visible_to(principal.groups) or self._collection.tenant != principal.tenant:
                raise NotFound(f"there is no collection {self._collection.name}")
            return [self._collection]
        if names:
            return [await self._collections.get(principal.tenant, each, groups=principal.groups) for each in names]
        found = await self._collections.list(principal.tenant, groups=principal.groups)
        usable = [each for each in found if each.embedder == self._retriever.embedder.name]
        if not usable:
            raise NotFound("there are no documents to answer from", remedy="Run `mainspring ingest PATH` first")
        return usable

    def _asked(self, request: ChatRequest) -> _Asked:
        options = dict(request.options)
        for name in options:
            if name not in _OPTIONS:
                raise Unsupported(f"{self._name} has no option {name}", param=f"options.{name}")
        if self._collection is not None and "collections" in options:
            raise Unsupported(
                f"{self._name} is one collection", remedy="Ask document-qa for several", param="options.collections"
            )
        mode = options.get("mode", self._settings.mode)
        if mode not in _MODES:
            raise InvalidRequest(f"mode must be one of {', '.join(_MODES)}", param="options.mode")
        top_k = options.get("top_k", self._settings.top_k)
        if not isinstance(top_k, int) or isinstance(top_k, bool) or not 1 <= top_k <= _MAX_TOP_K:
            raise InvalidRequest(f"top_k must be a number from 1 to {_MAX_TOP_K}", param="options.top_k")
        if mode == "generative" and self._writer is None:
            raise Unsupported("no chat model is loaded to write answers", param="options.mode")
        return _Asked(
            question(request),
            self._mode(mode),
            top_k,
            _names(options.get("collections", ())),
            _filters(options.get("filters")),
            request.sampling.max_tokens,
        )

    def _mode(self, mode: str) -> str:
        if mode == "auto":
            return "generative" if self._grounded and self._writer is not None else "extractive"
        return mode if self._writer is not None else "extractive"

    def _choose(self, found: Findings, asked: _Asked) -> list[Passage]:
        words = self._settings.max_words
        if asked.max_tokens is not None:
            words = min(words, max(1, int(asked.max_tokens * _WORDS_A_TOKEN)))
        chosen = extract.choose(found.passages, max_sentences=self._settings.max_sentences, max_words=words)
        return extract.in_order(chosen)

    def _extracted(self, asked: _Asked, found: Findings, chosen: Sequence[Passage]) -> list[Event]:
        """The events of an extractive answer; every quote is checked against the stored text here."""
        events: list[Event] = [Progress("retrieve", f"{len(found.hits)} passages")]
        text = ""
        for number, passage in enumerate(chosen, 1):
            citation = cite(number, passage, found.texts[passage.hit.document_id])
            lone = passage.kind != "sentence" or (number > 1 and chosen[number - 2].kind != "sentence")
            before = "" if number == 1 else "\n" if lone else " "
            text += f"{before}{passage.text} [{number}]"
            events += [Text(f"{before}{passage.text} [{number}]"), citation]
        if not chosen:
            text = REFUSAL
            events.append(Text(REFUSAL))
        read, written = self._retriever.embedder.count_tokens([asked.question, text])
        return [*events, Usage(prompt_tokens=read, completion_tokens=written), Finish("stop")]

    def _record(
        self, asked: _Asked, context: Context, found: Findings, refused: bool, cited: Sequence[Passage]
    ) -> None:
        """Add the fact of this retrieval to what the request settles."""
        facts: dict[str, Any] = {
            "collections": sorted({hit.collection_id for hit in found.hits}),
            "mode": asked.mode,
            "evidence": round(found.evidence, 4),
            "refused": refused,
            "hits": [_facts(hit) for hit in found.hits],
            "cited": [{"document_id": each.hit.document_id, "start": each.start, "end": each.end} for each in cited],
        }
        context.allowance.records.append(
            EventRecord(
                id=ids.new("evt_"),
                at=time.time(),
                tenant=context.principal.tenant,
                trace_id=context.trace.trace_id,
                kind="retrieval",
                subject="",
                facts=facts,
                consent=context.consent,
                retention=context.retention,
            )
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


def _shown(candidates: Sequence[Hit], top_k: int) -> list[Hit]:
    """The best ``top_k``, and the best of each of the first three documents: no document crowds out all others."""
    shown = list(candidates[:top_k])
    first: dict[str, Hit] = {}
    for hit in candidates:
        first.setdefault(hit.document_id, hit)
    extra = [hit for hit in list(first.values())[: min(3, top_k)] if hit not in shown]
    return shown + extra


def _facts(hit: Hit) -> dict[str, Any]:
    return {
        "chunk_id": hit.chunk_id,
        "document_id": hit.document_id,
        "score": round(hit.score, 4),
        "dense": round(hit.dense_score, 4),
        "lexical": None if hit.lexical_score is None else round(hit.lexical_score, 4),
        "dense_rank": hit.dense_rank,
        "lexical_rank": hit.lexical_rank,
    }


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


def _refuse_unsupported(request: ChatRequest, asked: _Asked) -> None:
    sampling = request.sampling
    if request.tools and request.tool_choice != "none":
        raise Unsupported("questions to documents take no tools", param="tools")
    if sampling.grammar is not None:
        raise Unsupported("answers from documents take no response format", param="response_format")
    if sampling.n != 1:
        raise Unsupported("a question to documents has one answer", param="n")
    if asked.mode == "extractive":
        for name, given in (("logprobs", sampling.logprobs is not None), ("stop", bool(sampling.stop))):
            if given:
                raise Unsupported(f"extractive answers take no {name}", param=name)
