"""Document question answering: retrieve, decide whether the documents say anything, then show or write the answer.

Extractive answers are sentences of the documents, verbatim. Generative ones are written by a model over the same
passages; each sentence is checked against them and carries its best source and the score, or a mark that it has
none.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from mainspring.core.errors import DeadlineExceeded, InvalidRequest, Unsupported
from mainspring.core.facts.retrievals import ReadingFacts
from mainspring.core.path import replay
from mainspring.core.settings import RagSettings
from mainspring.core.types import (
    Answered,
    ChatRequest,
    Context,
    Event,
    Finish,
    Head,
    Notice,
    Progress,
    Request,
    Response,
    Text,
    Usage,
)
from mainspring.engines.base import Reranker
from mainspring.rag.answer import refusal, small_talk
from mainspring.rag.answer.answer_notes import Notes
from mainspring.rag.answer.asked_collections import asked_collections, listed
from mainspring.rag.answer.bridge import bridged, within
from mainspring.rag.answer.cite import Numbers, cite
from mainspring.rag.answer.context import Sift, sifted
from mainspring.rag.answer.evidence import confirm, near_misses
from mainspring.rag.answer.evidence.calibration import Calibration
from mainspring.rag.answer.evidence.exact_names import ExactName
from mainspring.rag.answer.evidence.features import features
from mainspring.rag.answer.evidence.score import evidence
from mainspring.rag.answer.findings import Findings, near_hits, record, shown_hits
from mainspring.rag.answer.findings import named as told_of
from mainspring.rag.answer.generate import REFUSAL, AnswerWriter
from mainspring.rag.answer.question import Question, refuse_unsupported, understood, with_notice, with_unused
from mainspring.rag.answer.verbatim import display, extract, unit_rerank
from mainspring.rag.answer.verbatim.choice_weights import REVISION, SHIPPED, ChoiceWeights
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.answer.write.first_sentence import Unwritten, in_time
from mainspring.rag.graph import citations as told
from mainspring.rag.graph.graphs import Graphs
from mainspring.rag.graph.results import GraphResult, Theme
from mainspring.rag.parse import language
from mainspring.rag.query import condense
from mainspring.rag.query.model import ModelAsk
from mainspring.rag.query.plan import QueryPlan, Steps
from mainspring.rag.query.question_parts import Lookup, look, parts, shown
from mainspring.rag.query.understand import MAX_TOKENS, Understanding
from mainspring.rag.query.understand import QueryQuestion as Query
from mainspring.rag.search.retrieve import Retriever
from mainspring.rag.search.selection import SearchOptions
from mainspring.serving.money.charged_models import ChargedModels, paid
from mainspring.stores.documents.collections import Collection, Collections
from mainspring.telemetry.tracing import Tracing, span_of

_SEARCH = SearchOptions(rerank=True)
# The number of English words per token, for a limit given in tokens.
_WORDS_A_TOKEN = 0.7


class DocumentAnswerer:
    """Answers from one ``collection``, from the collections that the request names, or from all that the asker may see.

    ``writer`` writes generative answers (None: there is no chat model). ``grounded``: its model is trusted to keep to
    sources, so that ``auto`` means generative. ``ask`` makes the model that rewrites follow-ups in a context (None:
    rules rewrite them). ``calibration`` replaces the built-in evidence and ``rag.refuse_below``. ``charged`` charges
    the asker for the texts that a search reads (None: it is free), ``understanding`` applies the techniques of a
    request (None: there are none), ``sift`` selects the passages that the writer may read (None: all). ``reader`` is a
    cross-encoder that reads the best sentences again (None: words and cosines decide), ``choice`` weighs them.
    ``near_misses`` says whether the best sentences answer (None: rules alone refuse near misses), ``confirmer`` has
    a chat model say it of each (None: there is none that may).
    """

    def __init__(
        self,
        retriever: Retriever,
        collections: Collections,
        settings: RagSettings,
        *,
        collection: Collection | None = None,
        name: str = "document-qa",
        writer: AnswerWriter | None = None,
        grounded: bool = False,
        ask: Callable[[Context], ModelAsk] | None = None,
        calibration: Calibration | None = None,
        graphs: Graphs | None = None,
        charged: ChargedModels | None = None,
        understanding: Understanding | None = None,
        sift: Sift | None = None,
        reader: Reranker | None = None,
        choice: ChoiceWeights = SHIPPED,
        near_misses: Reranker | None = None,
        confirmer: confirm.Confirm | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._tracing, self._retriever = tracing, retriever
        self._collections = collections
        self._settings = settings
        self.collection = collection
        self._name = collection.name if collection else name
        self._writer = writer
        self._grounded = grounded
        self._ask = ask
        self._calibration = calibration
        self._refuse_below = settings.refuse_below if calibration is None else calibration.threshold
        self._graphs = graphs
        self._charged = charged
        self._understanding = understanding
        self._sift = sift
        self._reader = reader
        self._choice = choice
        self._near_misses = near_misses if settings.read_below else None
        self._confirm = confirmer

    @property
    def instruction(self) -> str:
        """The instruction of its writer; empty: there is no writer."""
        return "" if self._writer is None else self._writer.instruction

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
            # A prompt with the same words from another version counts as another prompt.
            use = request.prompt
            written = found if use is None else repr((found, use.name, use.version, use.rendered))
        if self.collection is not None:
            versions = {self.collection.id: self._collections.version(self.collection)}
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
            self._calibration,
            (self._choice, REVISION),
            [None if each is None else each.fingerprint for each in (self._reader, self._near_misses, self._confirm)],
        )
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    async def respond(self, request: Request, context: Context) -> Response:
        """Answer once the passages are found (extractive) or the first words are written (generative).

        Raises ``InvalidRequest`` with the faulty option, ``NotFound`` for a collection that the asker cannot see,
        ``DeadlineExceeded``, ``Conflict`` if a collection has another embedding model, and the generating model's
        errors.
        """
        if not isinstance(request, ChatRequest):
            raise InvalidRequest(f"{self._name} answers chat requests only", param="model")
        asked = self._asked(request)
        refuse_unsupported(request, asked.mode)
        return with_unused(request, asked.mode, await self._answered(request, asked, context))

    async def _answered(self, request: ChatRequest, asked: Question, context: Context) -> Response:
        if (kind := small_talk.talk(asked.question)) is not None:
            return await self._talked(kind, asked, context)
        try:
            async with asyncio.timeout(context.remaining()):
                asked = await self._condensed(asked, context)
                look = await self._look(asked, context)
        except TimeoutError:
            raise DeadlineExceeded("the deadline passed while the documents were searched") from None
        found = look.found
        if asked.graph == "global" and found.walked is not None and asked.mode == "extractive":
            context.settlement.records.append(record(context, asked.mode, found, False, ()))
            return Response(Head(model=self._name), replay(self._themes(asked, found.walked.themes)))
        refused = found.refused(self._refuse_below, self._settings.read_below, self._settings.confirm_below)
        if refused or asked.mode == "extractive" or self._writer is None:
            return self._quoted(asked, look, refused, context)
        if asked.free and self._writer.quotes(asked.wished or found.question, found.passages):
            return self._quoted(replace(asked, mode="extractive"), look, False, context)
        return await self._written(self._writer, request, asked, look, context)

    def _quoted(
        self, asked: Question, look: Lookup, refused: bool, context: Context, reading: ReadingFacts | None = None
    ) -> Response:
        """An answer in the documents' own words, or a refusal."""
        chosen = [] if refused else self._choose(look, asked)
        quoted = chosen or refusal.closest(look.found.passages, look.found.evidence)
        self._record(context, asked, look, refused, quoted, reading)
        return self._noticed(asked, look, Response(Head(self._name), replay(self._extracted(asked, look, chosen))))

    async def _written(
        self, writer: AnswerWriter, request: ChatRequest, asked: Question, look: Lookup, context: Context
    ) -> Response:
        """An answer that ``writer`` writes; quotes if it cannot; a refusal if it may read nothing, or refuses."""
        passages, texts = look.found.passages, look.found.texts
        question = asked.wished or look.found.question
        with span_of(self._tracing, "assemble", context) as span:
            reading = await writer.read(request, question, look.found.hits, passages, texts)
            if self._sift is not None:
                reading = await sifted(reading, self._sift, span.context)
        if not reading.sources:
            return self._quoted(asked, look, True, context, reading.facts())
        notes = Notes(question, passages, texts, look.missing)
        writing = writer.write(request, question, reading, passages, texts, context, notes)
        response = await (in_time(writing, self._settings.write_within_s) if asked.free else writing)
        if isinstance(response, Unwritten):
            quoted = asked if response is Unwritten.REFUSED else replace(asked, mode="extractive")
            return self._quoted(quoted, look, response is Unwritten.REFUSED, context, reading.facts())
        self._record(context, asked, look, False, (), reading.facts())
        return self._noticed(asked, look, response.with_head(model=self._name).through(refusal.judged))

    async def _talked(self, kind: small_talk.Talk, asked: Question, context: Context) -> Response:
        """The answer to a message that is not a question for a search, from the catalogue of documents."""
        known = await listed(self.collection, asked.names, self._collections, self._retriever, context)
        said, named = await small_talk.reply(kind, known.documents, self._retriever.text)
        if named:
            names = [document.document_id for document in named]
            context.settlement.records.append(told_of(context, asked.mode, known.ids, names))
        return Response(Head(self._name), replay(self._ended(asked, [Answered(True), Text(said)])))

    def _noticed(self, asked: Question, look: Lookup, response: Response) -> Response:
        """``response`` with a note in front."""
        texts = [hit.text for hit in look.found.hits if not hit.foreign]
        said = language.unfamiliar(self._retriever.embedder, asked.question, texts)
        return with_notice(response, "unfamiliar_language", said) if said else response

    async def _condensed(self, asked: Question, context: Context) -> Question:
        """The question of a follow-up, rewritten to stand alone."""
        if not asked.history:
            return asked.standing(asked.question, False)
        steps = Steps()
        with steps.step("condense") as step:
            ask = self._ask(context) if self._ask is not None else None
            question = await condense.condensed(asked.question, asked.history, ask, step, MAX_TOKENS)
        return asked.standing(question, step.changed)

    async def _look(self, asked: Question, context: Context) -> Lookup:
        """Search for the question, and for each of its parts."""
        # The search for a follow-up includes the previous question, which is not asked again.
        pieces = [] if asked.leaning or asked.graph == "global" else parts(asked.question)
        whole, *each = await asyncio.gather(
            self.find(asked, context),
            *(self.find(replace(asked, question=piece.searched), context) for piece in pieces),
        )
        if not pieces and whole.lacks and not asked.leaning:
            return await bridged(whole, lambda text, code=None: self.find(replace(asked, question=text), context, code))
        return look(asked.question, whole, list(zip(pieces, each, strict=True)), self._refuse_below)

    async def find(self, asked: Question, context: Context, code: ExactName | None = None) -> Findings:
        """Search, and score the sentences of the hits. If only those with ``code`` are wanted, nothing is read where no
        hit has it, and what else the documents lack does not matter."""
        chosen = await asked_collections(self.collection, asked.names, self._collections, self._retriever, context)
        plan = await self._plan(asked, chosen, context)
        question, top_k = plan.text, plan.top_k or asked.top_k
        candidates = await self._retriever.candidates(
            chosen,
            question,
            top_k,
            asked.filters,
            groups=context.principal.groups,
            plan=plan,
            options=_SEARCH,
            context=context,
            charged=self._charged,
            worth=partial(within, code) if code and asked.graph == "off" else None,
        )
        walked: GraphResult | None = None
        if asked.graph != "off" and self._graphs is not None:
            groups = context.principal.groups
            graphs = self._graphs if self._charged is None else self._graphs.charged(context, self._charged)
            walked = await graphs.find(
                asked.graph, chosen, question, candidates, top_k, groups=groups, filters=asked.filters
            )
            candidates = walked.hits
        if code and not within(code, candidates):
            return Findings(question, [], [], {}, 0.0)
        hits = shown_hits(candidates, top_k)
        with span_of(self._tracing, "select", context) as span:
            texts = await self._retriever.texts(hits)
            reader = self._retriever.reading(self._retriever.embedder, span.context, self._charged)
            vector = (await reader.embed([question], "query")).vectors[0]
            beside = near_hits(candidates, hits)
            passages = await extract.passages(question, hits, candidates, texts, reader, vector, beside, self._choice)
            sorter, teller = (paid(each, self._charged, span.context) for each in (self._reader, self._near_misses))
            passages = await unit_rerank.reread(question, passages, sorter, self._choice)
            if self._confirm is not None and self._confirms(asked, asked.wished or question, passages):
                passages = await self._confirm.read(question, passages, span.context)
            lacks = () if code else await refusal.lacks(question, passages, candidates, [*hits, *beside], texts, reader)
            # What lacks something is refused, whatever a reader says.
            teller = None if code or lacks else teller
            passages, answers = await near_misses.read(question, passages, teller, asked.wished)
        told = features(question, candidates, passages)
        likely = self._calibration.evidence(told) if self._calibration else evidence(question, candidates, passages)
        return Findings(question, hits, passages, texts, likely, told, walked, plan.steps, lacks, answers)

    async def _plan(self, asked: Question, chosen: Sequence[Collection], context: Context) -> QueryPlan:
        """The text that is searched instead of the question."""
        if not asked.techniques:
            return QueryPlan.of(asked.question)
        if self._understanding is None:
            raise Unsupported(f"{self._name} does not support techniques", param="options.techniques")
        ask = self._ask(context) if self._ask is not None else None
        query = Query(asked.question, chosen, context.principal.groups, top_k=asked.top_k)
        return await self._understanding.plan(query, asked.techniques, ask=ask, param="options.techniques")

    def _asked(self, request: ChatRequest) -> Question:
        asked = understood(request, self._settings, name=self._name, one=self.collection is not None)
        if asked.mode == "generative" and self._writer is None:
            raise Unsupported("no chat model is loaded to write answers", param="options.mode")
        return replace(asked, mode=self._mode(asked.mode))

    def _mode(self, mode: str) -> str:
        if mode == "auto":
            return "generative" if self._grounded and self._writer is not None else "extractive"
        return mode if self._writer is not None else "extractive"

    def _confirms(self, asked: Question, question: str, passages: Sequence[Passage]) -> bool:
        """Whether the chat model reads the passages first: it costs seconds, which a quotation does not take."""
        if self._settings.confirm != "auto" or self._writer is None or not confirm.fits(question):
            return self._settings.confirm == "always" and confirm.fits(question)
        return asked.mode == "generative" and not (asked.free and self._writer.quotes(question, passages))

    def _choose(self, look: Lookup, asked: Question) -> list[Passage]:
        words, most = self._settings.max_words, self._settings.max_sentences
        if asked.max_tokens is not None:
            words = min(words, max(1, int(asked.max_tokens * _WORDS_A_TOKEN)))
        most, weights = confirm.narrowed(look.found.passages, most, self._choice)
        return shown(look, asked, max_sentences=most, max_words=words, choice=weights)

    def _record(
        self,
        context: Context,
        asked: Question,
        look: Lookup,
        refused: bool,
        cited: Sequence[Passage],
        reading: ReadingFacts | None = None,
    ) -> None:
        """Add the fact of this retrieval to the request's settlement."""
        told = record(context, asked.mode, look.found, refused, cited, reading, look.facts, asked.condensed)
        context.settlement.records.append(told)

    def _extracted(self, asked: Question, look: Lookup, chosen: Sequence[Passage]) -> list[Event]:
        """The events of an extractive answer; every quote is checked against the stored text here."""
        found, numbers = look.found, Numbers()
        events: list[Event] = [Progress("retrieve", f"{len(found.hits)} passages")]
        quoted = list(display.pieces(chosen, asked.question))
        if display.repeated(quoted, asked.history):
            events.append(Notice("repeated_answer", "This was said before: nothing else in the documents is closer."))
        events += asked.unmet() if chosen else ()
        sought = () if chosen else refusal.looked_for(asked.question, found.lacks, found.passages)
        events.append(Answered(bool(chosen), sought))
        block = False
        for piece in quoted:
            before = "" if not numbers.passages else "\n" if piece.block or block else " "
            events.append(Text(f"{before}{piece.text}", grounds="verbatim"))
            for passage in piece.passages:
                number, _ = numbers.of(passage)
                events.append(cite(number, passage, found.texts[passage.hit.document_id]))
            block = piece.block
        if not chosen:
            events.append(Text(refusal.said(sought, found.passages, found.evidence)))
        else:
            events += Notes(found.question, found.passages, found.texts, look.missing).events(numbers)
            events += told.paths(found.walked, found.hits, events)
        return self._ended(asked, events)

    def _themes(self, asked: Question, themes: Sequence[Theme]) -> list[Event]:
        """The events of an answer about the subject of the collection."""
        found = told.themes(themes)
        return self._ended(asked, [Answered(bool(found)), *(found or [Text(REFUSAL)])])

    def _ended(self, asked: Question, events: Sequence[Event]) -> list[Event]:
        text = "".join(event.text for event in events if isinstance(event, Text))
        read, written = self._retriever.embedder.count_tokens([asked.question, text])
        return [*events, Usage(prompt_tokens=read, completion_tokens=written), Finish("stop")]
