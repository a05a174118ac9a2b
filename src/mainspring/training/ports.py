"""What features offer each other about training. A feature finds them by ``Services.fitting``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

from mainspring.core.types import Principal, Responder
from mainspring.training.recipe import Made, Makes

if TYPE_CHECKING:
    from mainspring.engines.base import Embedder, Reranker
    from mainspring.engines.chat.chat_model import ChatModel
    from mainspring.engines.encode.reader import PassageReader
    from mainspring.engines.encode.support_check import SupportCheck
    from mainspring.engines.encode.text_classes import TextClasses


@runtime_checkable
class TrainingSets(Protocol):
    """Keeps sets for training: the exports of the lake."""

    async def write_training_set(self, principal: Principal, export_id: str, folder: Path) -> Mapping[str, Any]:
        """Write ``train.jsonl``, ``validation.jsonl``, ``test.jsonl`` (those that it has), ``SIDE.lineage.jsonl`` and
        ``manifest.json`` into the folder; the export is handed out to the principal. Returns the manifest, with
        ``groups`` that readers need. Raises ``NotFound``, ``Conflict`` for one that is not complete."""
        ...


Encoder: TypeAlias = "Reranker | Embedder | PassageReader | SupportCheck | TextClasses"
"""What answers for a trained encoder, by what it makes."""
JobState = Literal["queued", "waiting", "running", "paused", "succeeded", "failed", "cancelled"]
"""``waiting``: for its night, or for its turn."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a run of training is asked for.

    ``export`` is the id of an export of the lake, ``folder`` a folder with ``train.jsonl`` and perhaps
    ``validation.jsonl`` and ``test.jsonl``: one of both. ``base`` is a name of the catalogue. ``suffix`` names the
    result. A run ends with its best checkpoint when ``seconds`` or ``usd`` are up. ``night``: it works at night alone.
    ``serve``: what it makes is served before the job is over. ``candidate``: it is for a comparison, and no application
    chooses it by itself.
    """

    recipe: str
    options: Mapping[str, Any] = field(default_factory=dict)
    export: str = ""
    folder: Path | None = None
    base: str = ""
    suffix: str = ""
    seed: int = 0
    seconds: float | None = None
    usd: float | None = None
    night: bool = False
    trace_id: str = ""
    serve: bool = False
    candidate: bool = False


@dataclass(frozen=True, slots=True)
class JobView:
    """A run as others see it. ``version`` names what it made: ``NAME@NUMBER``."""

    id: str
    state: JobState
    recipe: str
    step: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)
    version: str = ""
    error: str = ""
    seconds: float = 0.0


@runtime_checkable
class Trainer(Protocol):
    """Trains, by durable jobs."""

    async def order(self, principal: Principal, order: Order) -> JobView:
        """Queue a run; the same ``Order`` with the same ``trace_id`` twice is one run. Raises ``InvalidRequest`` naming
        the option, ``NotFound``, ``Unsupported``, ``QuotaExceeded``."""
        ...

    async def training_job(self, tenant: str, job_id: str) -> JobView:
        """Raises ``NotFound``."""
        ...

    async def cancel_training(self, principal: Principal, job_id: str) -> JobView: ...


@runtime_checkable
class OrderedTrainings(Protocol):
    """Finds runs again by what was ordered."""

    async def ordered_training(self, tenant: str, order: Order) -> JobView | None:
        """The run of exactly this order, as ``Trainer.order`` would find it; None: it was not ordered."""
        ...


@dataclass(frozen=True, slots=True)
class Version:
    """Something trained: ``name@number``, immutable. ``export`` names the rows that it was made of, ``base`` what it
    was made from. ``served``: the name under which it answers; empty: it does not by itself."""

    tenant: str
    name: str
    number: int
    makes: Makes
    made: Made
    folder: Path
    recipe: str
    job_id: str
    export: str = ""
    base: str = ""
    served: str = ""
    created_at: float = 0.0
    stale: str = ""
    """Why it should not be used any more, such as rows of it that were erased; empty: nothing is against it."""
    withdrawn: bool = False
    """It answers no more, and is served no more."""
    groups: frozenset[str] = frozenset()
    """Those that a reader of what it was made of needs, all of them."""
    candidate: bool = False
    """It was made to be compared: no application chooses it by itself."""

    @property
    def label(self) -> str:
        return f"{self.name}@{self.number}"


@runtime_checkable
class Versions(Protocol):
    """What was trained."""

    async def version(self, tenant: str, label: str) -> Version:
        """``NAME@NUMBER``, or ``NAME`` for the newest. Raises ``NotFound``."""
        ...

    def versions(self, tenant: str) -> AsyncIterator[Version]:
        """The newest first."""
        ...

    async def serve_version(self, principal: Principal, label: str) -> str:
        """Have a chat model, an encoder or a reader answer, without a restart. Returns the name under which it does.
        Raises ``NotFound``, ``Conflict``, ``Unsupported``."""
        ...

    async def withdraw_version(self, principal: Principal, label: str) -> None:
        """It answers no more, and its engine ends; can be done again. Raises ``NotFound``, ``Unsupported``."""
        ...

    def chat_model(self, tenant: str, label: str) -> tuple[ChatModel, Responder]:
        """A chat model that is served as ``NAME@NUMBER``, and what answers by it. Raises ``Conflict`` if this process
        has not loaded it."""
        ...

    async def engine(self, tenant: str, label: str) -> Encoder:
        """The loaded encoder of a version that is served; the keeper of versions closes it. Raises ``NotFound``,
        ``Conflict`` if it is not served."""
        ...


@runtime_checkable
class VersionedApplication(Protocol):
    """An application that opens versions itself, and answers by one of them where it can."""

    async def knows_version(self, principal: Principal, label: str) -> bool: ...

    def by_version(self, label: str) -> Responder:
        """The application with the version ``NAME@NUMBER`` before its own choice."""
        ...


CandidateKind = Literal["model", "prompt", "examples", "answering", "reranker", "reader", "router", "judge"]
"""What an application may use another one of: its chat model, its prompt, examples in its prompt, thresholds and
weights of answering from documents, its reranker, the reader that tells near misses, its router, a judge of its
answers."""


MOST_SOURCES = 4_000
"""Answers that a prompt may be written over: all are kept with it, so that it goes with each of them."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that may take the place of what an application uses: ``value`` says what, and never changes.

    | kind | value |
    |---|---|
    | model | ``{"model": NAME}``, or a served version's ``NAME@NUMBER`` |
    | prompt | ``{"prompt": NAME, "version": N}``, or ``{"text": TEXT, "sources": [ANSWER]}`` |
    | examples | ``{"examples": [{"question", "answer"}], "nearest": k}`` |
    | answering | ``{"calibration": {...}, "weights": {...}}`` |
    | reranker | ``{"version": LABEL}`` or ``{"model": NAME}`` |
    | reader | ``{"version": LABEL, "read_below": X}`` |
    | router | ``{"weights": {...}, "policy": NAME, "accept_above": X}`` and other thresholds |
    | judge | ``{"judge": NAME, "version": N}`` |
    """

    kind: CandidateKind
    application: str
    value: Mapping[str, Any]
    version: str = ""
    """The version of training that it is, if it is one."""
    groups: frozenset[str] = field(default=frozenset(), compare=False)
    """Those that a reader of what it was made of needs, as far as its maker knows; the door finds those of versions and
    answers itself."""

    @property
    def id(self) -> str:
        """Of its content: ``cand_`` and 24 hexadecimal digits."""
        import hashlib
        import json

        from mainspring.stores.sql import rows

        # Of what is stored: what is read again has the same id.
        told = rows.cleaned([self.kind, self.application, dict(self.value)])
        told = json.dumps(told, sort_keys=True, ensure_ascii=False)
        return f"cand_{hashlib.sha256(told.encode()).hexdigest()[:24]}"


@dataclass(frozen=True, slots=True)
class Placement:
    """What an application of a tenant uses: ``current`` (None: what the settings say), and perhaps a candidate that
    gets copies (``shadow``, a share) or traffic (``canary``, a share).

    ``currents`` has what is current of all kinds, in the order in which it came. ``current`` is the one of the
    candidate's kind; without a candidate it is the latest. ``since`` is when the arms became what they are."""

    application: str
    current: Candidate | None
    candidate: Candidate | None = None
    stage: Literal["", "shadow", "canary"] = ""
    share: float = 0.0
    since: float = 0.0
    currents: tuple[Candidate, ...] = ()


@runtime_checkable
class Door(Protocol):
    """The one door through which anything new comes to a tenant's application, and goes again. All of it is durable,
    and all processes follow within seconds."""

    async def admit(self, principal: Principal, candidate: Candidate) -> str:
        """Make a candidate askable under the name that is returned, ``APPLICATION@cand_...``, by this tenant alone.
        Raises ``InvalidRequest`` if it cannot be served, with the reason."""
        ...

    async def shadow(self, principal: Principal, candidate: Candidate, share: float) -> Placement: ...

    async def canary(self, principal: Principal, candidate: Candidate, share: float) -> Placement:
        """Give it a share of the units; its answers have the arm ``candidate``, the others' ``current``. A trial over
        the route of the application's name compares them."""
        ...

    async def promote(self, principal: Principal, candidate: Candidate) -> Placement:
        """It becomes the current one; what was current is remembered."""
        ...

    async def withdraw(self, principal: Principal, candidate: Candidate, reason: str) -> Placement:
        """It gets no more traffic."""
        ...

    async def undo(self, principal: Principal, application: str, reason: str) -> Placement:
        """What was current before becomes current again. Raises ``Conflict`` if nothing was."""
        ...

    async def placement(self, tenant: str, application: str) -> Placement: ...

    def responder(self, tenant: str, candidate: Candidate) -> Responder:
        """What answers as the application with it. Raises ``InvalidRequest``."""
        ...


@runtime_checkable
class Admissions(Protocol):
    """For those who admit candidates for a while: what was there before them, and what others use by now."""

    async def is_admitted(self, tenant: str, candidate: Candidate) -> bool: ...

    async def withdraw_unused(self, principal: Principal, application: str, candidate_id: str, reason: str) -> bool:
        """Withdraw a candidate, unless it is or was in a placement since it was admitted, or somebody else's key
        admitted it; whether it was withdrawn. Raises ``NotFound``."""
        ...

    async def version_is_used(self, tenant: str, label: str) -> bool:
        """Whether a candidate that is admitted has the version ``NAME@NUMBER``."""
        ...
