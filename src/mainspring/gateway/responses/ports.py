"""What the routes of responses need of features: work in the background, and conversations."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from mainspring.core.types import ChatRequest, Context, Message, Principal, Responder
from mainspring.http.openai.responses_encode import Shell

Ended = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Called with the response object of an answer before its end is sent."""


class BackgroundState(Protocol):
    """What is known of a response in the background; ``created_at`` is in Unix seconds."""

    @property
    def id(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def created_at(self) -> float: ...
    @property
    def is_open(self) -> bool: ...
    @property
    def is_lost(self) -> bool:
        """Whether its process is dead, as far as one can tell, and ended before it did."""
        ...


class BackgroundRun(Protocol):
    """A response that this process generates or generated a short time ago."""

    @property
    def body(self) -> Mapping[str, Any]: ...
    @property
    def over(self) -> bool: ...
    @property
    def said(self) -> Sequence[Message]:
        """The messages that it was asked with."""
        ...

    def read(self, after: int) -> AsyncGenerator[Mapping[str, Any], None]:
        """The events behind the one numbered ``after``, until there are no more."""
        ...


@runtime_checkable
class BackgroundResponses(Protocol):
    """Responses in the background."""

    async def start(
        self,
        responder: Responder,
        request: ChatRequest,
        context: Context,
        shell: Shell,
        ended: Ended | None = None,
    ) -> BackgroundRun:
        """Begin one; ``shell`` without its id. Raises ``RateLimited`` if the tenant has too many in progress."""
        ...

    def run(self, principal: Principal, answer_id: str) -> BackgroundRun | None:
        """One of this process."""
        ...

    async def state(self, principal: Principal, answer_id: str) -> BackgroundState | None:
        """What is known of one, wherever it is made."""
        ...

    async def cancel(self, principal: Principal, answer_id: str) -> None:
        """Stop one, wherever it is made."""
        ...

    async def forget(self, principal: Principal, answer_id: str) -> None:
        """Delete what is known of one."""
        ...


@runtime_checkable
class ConversationStore(Protocol):
    """Conversations, each of its key."""

    async def items_of(self, principal: Principal, conversation_id: str) -> Sequence[Mapping[str, Any]]:
        """All items, oldest first. Raises ``NotFound``."""
        ...

    async def add_items(
        self, principal: Principal, conversation_id: str, bodies: Sequence[Mapping[str, Any]], answer_id: str = ""
    ) -> Sequence[Mapping[str, Any]]:
        """Append items. Raises ``NotFound`` and ``TooLarge``."""
        ...
