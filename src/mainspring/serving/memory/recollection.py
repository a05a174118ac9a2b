"""What is known about a person across sessions, as requests and agents see it: facts that a memory recalls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol, runtime_checkable

from mainspring.core.types import Context


@dataclass(frozen=True, slots=True)
class Remembered:
    """A fact or preference of the caller that bears on a question. ``at`` is when it was said (Unix seconds), ``score``
    in [0, 1] how much it has to do with the question."""

    id: str
    text: str
    at: float
    score: float = 0.0

    @property
    def line(self) -> str:
        """The fact with its day, in one line."""
        day = datetime.fromtimestamp(self.at, UTC).date().isoformat()
        return f"- {' '.join(self.text.split())} ({day})"


@dataclass(frozen=True, slots=True)
class Asking:
    """The person whose memory a request means, and the requested use of it.

    ``user`` is the user whom the caller's application names (empty: the caller), ``session_id`` the session (empty:
    none). ``wanted`` is ``on``, ``recall`` (learn nothing), ``session`` (learn for this session only), ``off``, or
    empty: as the person agreed and the settings say.
    """

    user: str = ""
    session_id: str = ""
    wanted: str = ""


class MemorySource(Protocol):
    """Recalls and learns facts about the caller, within what the caller agreed to."""

    async def recalls(self, context: Context, asking: Asking) -> bool:
        """Whether facts may be recalled. Raises ``InvalidRequest`` and ``Forbidden`` for a request that cannot be
        met."""
        ...

    async def recall(self, query: str, context: Context, asking: Asking) -> Sequence[Remembered]:
        """The facts that bear on ``query``, best first; none without consent. Raises as ``recalls`` does."""
        ...

    def learn(self, said: Sequence[str], context: Context, asking: Asking, answer_id: str = "") -> None:
        """Take the facts in what the caller ``said``, in the background; nothing without consent."""
        ...


@runtime_checkable
class PersonMemory(Protocol):
    """The memory of a person as the person directs it."""

    async def agreed(self, context: Context, user: str) -> bool:
        """Whether the person agreed that facts are remembered across sessions."""
        ...

    async def decide(self, context: Context, user: str, consent: Literal["granted", "refused"]) -> None:
        """Write down what the person decides; a refusal deletes everything."""
        ...

    async def known(self, context: Context, asking: Asking) -> Sequence[Remembered]:
        """What is remembered of the person, oldest first: across sessions, and in this one."""
        ...

    async def search(
        self, query: str, context: Context, asking: Asking, *, across: bool = True, limit: int = 20
    ) -> Sequence[Remembered]:
        """The facts by what they have to do with ``query``, best first."""
        ...

    async def keep(self, text: str, context: Context, asking: Asking, *, session_only: bool = False) -> str:
        """Remember ``text``; returns the stored facts. Raises ``NoConsent`` and ``GuardRefused``."""
        ...

    async def forget(self, memory_id: str, context: Context, asking: Asking) -> int:
        """Delete a fact with its history. Raises ``NotFound``."""
        ...

    async def forget_all(self, context: Context, asking: Asking) -> int:
        """Delete every fact of the person; how many."""
        ...


@dataclass(slots=True)
class Recollection:
    """The memory of this system; None: it has none. The feature with the memory registers itself here."""

    source: MemorySource | None = None
