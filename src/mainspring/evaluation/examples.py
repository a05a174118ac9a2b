"""Examples of a data set, and what a responder answered to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from mainspring.core.types import Message, Principal

Split = Literal["train", "validation", "test"]
"""The part of a data set that an example belongs to. All examples of a ``group`` are in one."""


@dataclass(frozen=True, slots=True)
class Example:
    """A question with what is known of its right answer.

    ``references`` are right answers, any of which will do. ``passages`` are the texts that an answer may rest on.
    ``refused`` says whether a refusal is right; None: unknown. ``tags`` are for slices: ``{"topic": "returns"}``.
    ``sources`` are the ids of the events that it was made of, ``trace_id`` is the trace of the first of them and
    ``subject`` the person whose data it is; all are empty for examples that nobody's traffic is in. ``documents`` are
    the ids of the documents, and of their collections, whose text it repeats: it goes with each of them.
    Near-duplicates have one ``group``.
    """

    id: str
    messages: tuple[Message, ...]
    references: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()
    refused: bool | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    trace_id: str = ""
    subject: str = ""
    group: str = ""
    split: Split = "test"
    documents: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further fields that a scorer reads by name, such as the tests of a programming task."""

    @property
    def question(self) -> str:
        """The last message of the user; empty if there is none."""
        return next((each.content for each in reversed(self.messages) if each.role == "user"), "")


@dataclass(frozen=True, slots=True)
class ExampleAnswer:
    """What ``model`` answered to an example: ``text``, or the ``error`` that kept it from answering.

    ``passages`` are the texts that were cited or retrieved. ``refused``: the answer says that the documents do not say.
    Times are in seconds, money in nano-US-dollars.
    """

    text: str
    model: str = ""
    passages: tuple[str, ...] = ()
    refused: bool | None = None
    error: str = ""
    answer_id: str = ""
    trace_id: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_nanousd: int = 0
    duration_s: float | None = None
    ttft_s: float | None = None


@runtime_checkable
class DataSets(Protocol):
    """Keeps data sets: immutable versions under a name, numbered from 1."""

    async def add_examples(
        self, principal: Principal, name: str, examples: Sequence[Example], *, note: str = ""
    ) -> int:
        """Make the next version of the data set ``name``: the newest one with ``examples`` added, of which those with a
        known id replace the older. Returns its number. Raises ``InvalidRequest``, ``QuotaExceeded``."""
        ...

    async def examples(self, principal: Principal, name: str, version: int | None = None) -> Sequence[Example]:
        """All examples of a version, by default of the newest. Raises ``NotFound``."""
        ...


@runtime_checkable
class ExampleDraw(Protocol):
    """Draws single examples, however large a data set is."""

    async def drawn(self, principal: Principal, name: str, version: int | None, share: float) -> Example | None:
        """The example at ``share`` (from 0 up to but not including 1) of a version's order, by default of the newest
        version. None: it has no example. Raises ``NotFound``."""
        ...


@dataclass(frozen=True, slots=True)
class DataSetVersion:
    """A version of a data set. ``examples`` are those that it was made with, of which ``erased`` are gone since.
    ``fingerprint`` is that of its content as it was made. ``groups`` are needed to read it."""

    name: str
    number: int
    examples: int
    erased: int
    fingerprint: str
    groups: frozenset[str] = frozenset()


@runtime_checkable
class ExampleStream(Protocol):
    """Reads data sets piece by piece, so that a large one is never in memory as a whole."""

    async def version(self, principal: Principal, name: str, wanted: int | str | None = None) -> DataSetVersion:
        """The version of that number or tag, by default the newest. Raises ``NotFound``."""
        ...

    async def keep(self, principal: Principal, name: str, examples: Sequence[Example], *, kind: str) -> int:
        """A data set of a ``kind`` of its own, which lists leave out; the number of its version. Raises
        ``InvalidRequest``, ``QuotaExceeded``."""
        ...

    async def picked(
        self, principal: Principal, name: str, version: int, wanted: Sequence[str]
    ) -> Mapping[str, Mapping[str, Any]]:
        """Examples of these ids as JSON. Raises ``NotFound``."""
        ...

    async def recorded(
        self, principal: Principal, *, model: str, since: float | None, until: float | None, limit: int
    ) -> Sequence[Example]:
        """Recorded answers that ``principal`` may see, latest first; ``extra["answer"]`` is the text. Times are Unix
        seconds."""
        ...

    async def drop(self, principal: Principal, name: str) -> None:
        """Delete a data set. Raises ``NotFound``."""
        ...

    def stream(self, principal: Principal, name: str, version: int | None = None) -> AsyncIterator[tuple[int, Example]]:
        """The examples of a version in their order, each with its place, which stays its own when others are erased.
        Raises ``NotFound``."""
        ...


@dataclass(frozen=True, slots=True)
class HeldExample:
    """An example of a data set. ``since`` is the first version that has it as it is now, ``version`` the newest one;
    ``current``: the data set's newest version has it, too."""

    name: str
    example: str
    split: Split
    since: int
    version: int
    current: bool


@runtime_checkable
class ExampleLineage(Protocol):
    """Finds the examples that traffic became."""

    async def made_of(self, principal: Principal, trace_id: str, limit: int) -> Sequence[HeldExample]:
        """Examples made of the events of a trace, in data sets that ``principal`` may see, by data set."""
        ...
