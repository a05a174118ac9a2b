"""Makes what answers as an application with candidates, and says why one cannot be served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from mainspring.core.errors import InvalidRequest, MainspringError, NotFound
from mainspring.core.types import Context, Principal, PromptUse, Responder
from mainspring.evaluation.judges import VersionedJudge
from mainspring.feature import Rooms
from mainspring.features.variants.arms import Prompted, Varied
from mainspring.features.variants.kinds.models import Late, is_label
from mainspring.features.variants.kinds.rerankers import TrainedReranker
from mainspring.features.variants.kinds.routers import routed
from mainspring.features.variants.shots import Shots
from mainspring.features.variants.values import (
    AnsweringValue,
    CalibrationValue,
    ExamplesValue,
    JudgeValue,
    ModelValue,
    PromptValue,
    ReaderValue,
    RerankerValue,
    RouterValue,
    VariantValue,
    read,
)
from mainspring.rag.answer.responder import DocumentAnswerer
from mainspring.rag.answer.variation import SETTINGS, Variation
from mainspring.serving.prompts.registry import PromptRegistry
from mainspring.serving.ring.registry import Served
from mainspring.serving.route.auto import NAME as AUTO
from mainspring.serving.route.auto import Auto
from mainspring.training.ports import Candidate, VersionedApplication, Versions
from mainspring.training.recipe import Makes


@dataclass(frozen=True, slots=True)
class Prepared:
    """Candidates in use together, read."""

    ids: tuple[str, ...]
    values: tuple[VariantValue, ...]
    shots: Shots | None = None


class Making:
    """Makes responders over the rooms that are open."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self.versions: Versions | None = None

    @property
    def prompts(self) -> PromptRegistry | None:
        """The tenants' prompts; None: there is no registry here."""
        return self._rooms.path.services.prompts

    async def check(self, principal: Principal, candidate: Candidate, served: Served) -> None:
        """Raises ``InvalidRequest`` with the reason why ``served`` cannot answer by means of the candidate."""
        value = read(candidate)
        documents = isinstance(served.responder, DocumentAnswerer)
        if isinstance(value, AnsweringValue):
            if not documents:
                raise _wrong(candidate, "it does not answer from documents, so it weighs no evidence")
            value.choice()
            self._check_calibration(candidate, value.calibration)
        elif isinstance(value, ModelValue) and isinstance(served.responder, VersionedApplication):
            if not is_label(value.model) or not await served.responder.knows_version(principal, value.model):
                why = f"it can answer by no version {value.model:.100}"
                raise _wrong(candidate, why, "`mainspring train versions` lists what was trained")
        elif isinstance(value, ModelValue):
            await self._check_model(principal, candidate, value.model)
            if not documents and served.name not in self._rooms.path.chat:
                raise _wrong(candidate, "it is neither a chat model nor answers from documents")
        elif isinstance(value, PromptValue | ExamplesValue):
            if isinstance(served.responder, DocumentAnswerer) and not served.responder.instruction:
                raise _wrong(candidate, "no chat model is loaded that would write its answers by a prompt")
            if served.kind not in ("chat", "application", "collection"):
                raise _wrong(candidate, f"it is of kind {served.kind} and reads no prompt")
            await self._check_words(principal, candidate, value)
        elif isinstance(value, RerankerValue):
            if not documents:
                raise _wrong(candidate, "it does not search documents")
            await self._check_version(principal, candidate, value.version, "reranker")
        elif isinstance(value, ReaderValue):
            if not documents:
                raise _wrong(candidate, "it does not answer from documents")
            if not (self._rooms.settings.rag.read_below if value.read_below is None else value.read_below):
                raise _wrong(candidate, "its read_below is 0, so that nothing would be read", "Give read_below")
            await self._check_version(principal, candidate, value.version, "reader")
        elif isinstance(value, RouterValue):
            if not isinstance(served.responder, Auto):
                raise _wrong(candidate, "it does not choose among models", f"{AUTO} does")
            try:
                routed(served.responder, value)
            except InvalidRequest as error:
                raise _wrong(candidate, error.message, error.remedy) from None
        elif isinstance(value, JudgeValue):
            judge = served.responder
            if not isinstance(judge, VersionedJudge):
                raise _wrong(candidate, "it is not a judge", f"Name judge:{value.judge}")
            if not await judge.has_judge_version(principal.tenant, value.judge, value.version):
                raise _wrong(candidate, f"there is no version {value.version} of it", "mainspring judges lists them")
        else:
            raise _wrong(candidate, f"candidates of kind {candidate.kind} cannot be served here")

    def prepared(self, candidates: Mapping[str, Candidate]) -> Prepared:
        """``candidates`` by their ids, each of another kind, read. Raises ``InvalidRequest``."""
        values = tuple(read(each) for each in candidates.values())
        examples = next((each for each in values if isinstance(each, ExamplesValue)), None)
        shots = None
        if examples is not None:
            shots = Shots(examples, self._rooms.engines.embedder, self._rooms.path.charged)
        return Prepared(tuple(candidates), values, shots)

    def responder(self, served: Served, found: Prepared, tenant: str, variant: str = "") -> Responder:
        """What answers the ``tenant`` as ``served`` by means of ``found``; its answers name ``variant``. Raises
        ``InvalidRequest`` if one of them cannot be served any more."""
        made = partial(self._made, served, found, tenant)
        late = any(isinstance(each, ModelValue) and self.trained(each.model) for each in found.values)
        return Varied(Late(made) if late else made(), served.name, found.ids, variant)

    def _made(self, served: Served, found: Prepared, tenant: str) -> Responder:
        inner, shots = self._inner(served, found.values, tenant), found.shots
        prompt = next((each for each in found.values if isinstance(each, PromptValue)), None)
        if prompt is not None or shots is not None:
            own = inner.instruction if isinstance(inner, DocumentAnswerer) else ""
            prompts = self._rooms.path.services.prompts
            assert prompts is not None
            handed = served.kind in ("application", "collection")
            inner = Prompted(inner, prompts, prompt, shots, handed=handed, own=own)
        return inner

    def _inner(self, served: Served, values: Sequence[VariantValue], tenant: str) -> Responder:
        model = next((each.model for each in values if isinstance(each, ModelValue)), "")
        if model and isinstance(served.responder, VersionedApplication):
            return served.responder.by_version(model)
        trained = None
        if self.trained(model) and self.versions is not None:
            trained = self.versions.chat_model(tenant, model)
        elif model and model not in self._rooms.path.chat:
            raise InvalidRequest(f"no chat model {model:.100} is served any more", param="candidate")
        router = next((each for each in values if isinstance(each, RouterValue)), None)
        if router is not None and isinstance(served.responder, Auto):
            return routed(served.responder, router)
        judge = next((each for each in values if isinstance(each, JudgeValue)), None)
        if judge is not None and isinstance(served.responder, VersionedJudge):
            return served.responder.judge_version(judge.version)
        if not isinstance(served.responder, DocumentAnswerer):
            asked = self._rooms.path.chat.get(model) if trained is None else trained[1]
            return served.responder if asked is None else _Asked(asked, model)
        answering = next((each for each in values if isinstance(each, AnsweringValue)), None)
        calibration = None if answering is None or answering.calibration is None else answering.calibration.made()
        choice = None if answering is None else answering.choice()
        label = next((each.version for each in values if isinstance(each, RerankerValue)), "")
        reranker = TrainedReranker(self.versions, tenant, label) if label and self.versions is not None else None
        reads = next((each for each in values if isinstance(each, ReaderValue)), None)
        reader = TrainedReranker(self.versions, tenant, reads.version) if reads and self.versions is not None else None
        below = None if reads is None else reads.read_below
        variation = Variation(calibration, choice, "" if trained else model, reranker, trained, reader, below)
        if variation == SETTINGS:
            return served.responder
        return self._rooms.library.answering(served.responder.collection, variation)

    def _check_calibration(self, candidate: Candidate, value: CalibrationValue | None) -> None:
        if value is None:
            return
        embedder, reranker = self._rooms.engines.embedder.name, self._reranker_name()
        if (value.embedder or embedder, value.reranker or reranker) != (embedder, reranker):
            fitted = f"{value.embedder or embedder} and {value.reranker or 'no reranker'}"
            served = f"{embedder} and {reranker or 'no reranker'}"
            raise _wrong(candidate, f"the calibration was fitted with {fitted}, and {served} are served")

    def trained(self, model: str) -> bool:
        """Whether it is a version of training, and no model of the settings."""
        return is_label(model) and model not in self._rooms.path.chat

    async def _check_model(self, principal: Principal, candidate: Candidate, model: str) -> None:
        if model in self._rooms.path.chat and model in self._rooms.engines.chat:
            return
        names = ", ".join(sorted(self._rooms.engines.chat)) or "none"
        if not self.trained(model) or self.versions is None:
            raise _wrong(candidate, f"no chat model {model:.100} is served", f"Chat models: {names}")
        try:
            version = await self.versions.version(principal.tenant, model)
            if version.makes not in ("chat", "adapter"):
                raise _wrong(candidate, f"{model:.100} is of the kind {version.makes}")
            # A caller without the groups of a version does not see it.
            await self._rooms.path.registry.plain(model, principal, inner=True)
            self.versions.chat_model(principal.tenant, model)
        except InvalidRequest:
            raise
        except MainspringError as error:
            raise _wrong(candidate, error.message, error.remedy) from None

    async def _check_version(self, principal: Principal, candidate: Candidate, label: str, makes: Makes) -> None:
        if not label or self.versions is None:
            why = "rerankers of the catalogue are for all tenants: the setting models.reranker names one"
            raise _wrong(candidate, why, "Name a version that was trained")
        try:
            version = await self.versions.version(principal.tenant, label)
            # A caller without the groups of a version does not see it: what an engine answers tells of its rows.
            if not version.groups <= principal.groups:
                raise NotFound(f"there is no version {label:.100}", param="version")
            if version.makes != makes:
                raise _wrong(candidate, f"{label:.100} is of the kind {version.makes}")
            await self.versions.engine(principal.tenant, version.label)
        except InvalidRequest:
            raise
        except MainspringError as error:
            raise _wrong(candidate, error.message, error.remedy) from None

    def _reranker_name(self) -> str:
        reranker = self._rooms.engines.reranker
        return "" if reranker is None else reranker.name

    async def _check_words(
        self, principal: Principal, candidate: Candidate, value: PromptValue | ExamplesValue
    ) -> None:
        if isinstance(value, PromptValue) and value.text:
            # Guards see it in each request, as any instruction of an application; what they refuse comes in never.
            try:
                await self._rooms.path.inspect([value.text], Context(principal), param="candidate.value.text")
            except MainspringError as error:
                raise _wrong(candidate, f"a guard refuses its text: {error.message}") from None
            return
        if isinstance(value, PromptValue):
            prompts = self._rooms.path.services.prompts
            if prompts is None:
                raise _wrong(candidate, "there is no registry of prompts here")
            try:
                use = await prompts.resolve(principal.tenant, PromptUse(value.prompt, str(value.version)))
            except MainspringError as error:
                raise _wrong(candidate, error.message, error.remedy) from None
            if any(message.role not in ("system", "developer") for message in use.rendered) and candidate.application:
                served = self._rooms.path.chat
                if candidate.application not in served:
                    raise _wrong(candidate, "applications take prompts of system messages only")
            return
        texts = [text for each in value.examples for text in (each.question, each.answer)]
        try:
            await self._rooms.path.inspect(texts, Context(principal), param="candidate.value.examples")
        except MainspringError as error:
            raise _wrong(candidate, f"a guard refuses its examples: {error.message}") from None


class _Asked(Varied):
    """A chat model under its own name, whatever the request calls it."""

    def __init__(self, inner: Responder, model: str) -> None:
        super().__init__(inner, model, (), "")


def _wrong(candidate: Candidate, why: str, remedy: str = "") -> InvalidRequest:
    return InvalidRequest(
        f"{candidate.application} cannot use this {candidate.kind}: {why}", remedy=remedy, param="candidate.value"
    )
