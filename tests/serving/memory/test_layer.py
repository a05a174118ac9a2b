from __future__ import annotations

from collections.abc import Sequence

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.core.settings import SessionsSettings
from mainspring.core.types import ChatRequest, Context, Message, Request, Response, Text, ToolCall
from mainspring.serving.memory.layer import Session
from mainspring.stores.sessions.conversations import Conversation
from tests.serving.house import Build, Recited, conversation, visitor


class Fixed:
    def __init__(self, *turns: Sequence[Message]) -> None:
        self._turns = turns

    async def read(
        self, tenant: str, session_id: str, *, limit: int, first: int = 0, summary: bool = False
    ) -> Conversation:
        return conversation(self._turns, limit, first)

    async def reserve(self, tenant: str, session_id: str, tokens: int, budget: int, *, lease_s: float) -> int | None:
        return None


class Seeing(Recited):
    def __init__(self) -> None:
        super().__init__(Text("x"))
        self.requests: list[ChatRequest] = []

    async def respond(self, request: Request, context: Context) -> Response:
        assert isinstance(request, ChatRequest)
        self.requests.append(request)
        return await super().respond(request, context)


async def seen(history: Sequence[Sequence[Message]], *new: Message, max_tokens: int = 1000) -> list[tuple[str, str]]:
    """What the model is shown: of turns, and of new messages."""
    inner = Seeing()
    session = Session(inner, Fixed(*history), SessionsSettings.model_construct(max_tokens=max_tokens))
    context = visitor()
    await session.respond(ChatRequest("chat", new, session_id="s"), context)
    assert context.settlement.turn == new
    return [(message.role, message.content) for message in inner.requests[0].messages]


async def test_history_goes_first(house: Build) -> None:
    home = house()
    await home.ask("One", session_id="s")
    await home.ask("Two", session_id="s")
    contents = [message.content for message in home.engine.seen[1].messages]
    assert contents == ["One", "All is well.", "Two"]
    turns = [[message.content for message in turn.messages] for _, turns in home.events.commits for turn in turns]
    assert turns == [["One", "All is well."], ["Two", "All is well."]]


async def test_tenants_groups_and_names_keep_apart(house: Build) -> None:
    home = house()
    await home.ask("One", visitor("acme", ["a"]), session_id="s")
    for context, name in [
        (visitor("other", ["a"]), "s"),
        (visitor("acme"), "s"),
        (visitor("acme", ["a", "b"]), "s"),
        (visitor("acme", ["a"]), "t"),
    ]:
        await home.ask("Two", context, session_id=name)
        assert len(home.engine.seen[-1].messages) == 1


async def test_the_latest_instructions_hold() -> None:
    history = [[Message("system", "Be brief."), Message("user", "1"), Message("assistant", "one")]]
    assert (await seen(history, Message("user", "2")))[0] == ("system", "Be brief.")
    again = await seen(history, Message("system", "Be long."), Message("user", "2"))
    assert [role for role, _ in again] == ["system", "user", "assistant", "user"]
    assert again[0] == ("system", "Be long.")


async def test_history_is_cut_at_a_users_message() -> None:
    history = [
        [Message("user", "a" * 400), Message("assistant", "", tool_calls=(ToolCall("c", "f", "{}"),))],
        [Message("tool", "b" * 40, tool_call_id="c"), Message("assistant", "c" * 40)],
        [Message("user", "d" * 40), Message("assistant", "e" * 40)],
    ]
    kept = await seen(history, Message("user", "f"), max_tokens=70)
    assert [content[0] for _, content in kept] == ["d", "e", "f"]
    assert await seen(history, Message("user", "f"), max_tokens=5) == [("user", "f")]


@pytest.mark.parametrize("name", ["", "x" * 257])
async def test_a_session_id_is_bounded(name: str) -> None:
    with pytest.raises(InvalidRequest):
        await Session(Recited(), Fixed()).respond(ChatRequest("chat", (), session_id=name), visitor())
