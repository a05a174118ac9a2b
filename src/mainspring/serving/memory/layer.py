"""Conversations that the server remembers: the relevant part of the history goes before the new messages of a
request."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

from mainspring.core import cards
from mainspring.core.errors import InvalidRequest, SessionSpent
from mainspring.core.path import Layer
from mainspring.core.settings import SessionsSettings
from mainspring.core.types import ChatRequest, Context, Message, Principal, Request, Responder, Response, Sampling
from mainspring.serving.memory.base import Composed, Count, Exchange, Material, Shares
from mainspring.serving.memory.keeper import Keeper, KeptConversation
from mainspring.serving.memory.options import OPTION, MemoryOptions, split_session_option
from mainspring.serving.memory.strategies import STRATEGIES
from mainspring.serving.memory.tokens import estimated
from mainspring.serving.ring.ports import Histories
from mainspring.serving.ring.registry import Registry
from mainspring.stores.keys.quotas import Quotas

MAX_ID_CHARACTERS = 256
# The prefix of ids of sessions that belong to the caller, not to the groups.
OWN = "own:"
# Messages that are read at most, of the latest and of the first turns.
_MESSAGES, _FIRST = 512, 8
# Tokens that a template adds around a prompt, and the shortest useful answer.
_MARGIN, _LEAST_ANSWER = 64, 16
_LEASE_S = 600.0
_SYSTEM = ("system", "developer")
NOTES = "Notes on the earlier part of this conversation, for reference:\n"
NOTED = "Noted."
RECALLED = "From earlier in this conversation, for reference:\n"


class Session(Layer):
    """Puts the history of ``session_id`` before the new messages, as the strategy of ``options.session`` or of the
    settings composes it within its budget of tokens.

    The new messages are left in the settlement's ``turn``, for Record to settle together with the answer. ``keeper``
    finds older turns and writes summaries (None: strategies go without); ``quotas`` bound how many there may be.
    """

    def __init__(
        self,
        inner: Responder,
        histories: Histories,
        settings: SessionsSettings | None = None,
        *,
        registry: Registry | None = None,
        quotas: Quotas | None = None,
        keeper: Keeper | None = None,
        default_output_tokens: int = 512,
    ) -> None:
        super().__init__(inner)
        self._histories = histories
        self._settings = settings or SessionsSettings()
        self._registry = registry
        self._keeper = keeper
        self._quotas = quotas
        self._default_output = default_output_tokens

    async def respond(self, request: Request, context: Context) -> Response:
        if not isinstance(request, ChatRequest) or (request.session_id is None and OPTION not in request.options):
            return await self.inner.respond(request, context)
        request, choice = split_session_option(request, self._settings)
        session = request.session_id or ""
        if not 0 < len(session) <= MAX_ID_CHARACTERS:
            raise InvalidRequest(f"session_id must have 1 to {MAX_ID_CHARACTERS} characters", param="session_id")
        cards.refuse(session, "session_id")
        count = estimated if self._keeper is None else self._keeper.tokens.counter(request.model)
        kept = self._kept(request, context, choice, await self._room(request, choice, count))
        composed = await self._compose(request, kept, choice, count)
        if request.store and not composed.known and self._quotas is not None:
            await self._quotas.check(kept.tenant, "sessions")
        if choice.token_budget:
            request, composed = await self._reserve(request, kept, choice, composed, count)
        if request.store:
            context.settlement.turn = request.messages
        response = await self.inner.respond(self._shown(request, context, composed), context)
        keeper = self._keeper
        if request.store and keeper is not None and (kept.strategy.summarises or kept.strategy.recalls):

            async def after() -> None:
                keeper.after(kept)

            response.on_close(after)
        return response

    def _kept(self, request: ChatRequest, context: Context, choice: MemoryOptions, tokens: int) -> KeptConversation:
        strategy = STRATEGIES[choice.strategy]
        shares = strategy.shares(tokens, self._settings.summary_tokens, self._settings.recalled_tokens)
        name = stored_name(context.principal, request.session_id or "")
        return KeptConversation(context.principal.tenant, name, request.model, strategy, shares, context)

    async def _room(self, request: ChatRequest, choice: MemoryOptions, count: Count) -> int:
        """The number of history tokens that fit: by the settings, and beside the new messages in the model's window."""
        window = None if self._keeper is None else self._keeper.tokens.window(request.model)
        if window is None:
            return choice.max_tokens
        # A cap may be as large as the window: an answer seldom takes more than a quarter.
        room = window - min(self._answer_tokens(request), max(self._default_output, window // 4)) - _MARGIN
        # A token has at least one byte: usually nothing needs to be counted.
        if (
            room - sum(len(each.content.encode("utf-8", "replace")) + 4 for each in request.messages)
            < choice.max_tokens
        ):
            room -= sum(await count(request.messages))
        return max(0, min(choice.max_tokens, room))

    def _answer_tokens(self, request: ChatRequest) -> int:
        sampling = request.sampling
        return self._default_output if sampling.max_tokens is None else sampling.max_tokens

    async def _compose(
        self, request: ChatRequest, kept: KeptConversation, choice: MemoryOptions, count: Count
    ) -> _History:
        conversation = await self._histories.read(
            kept.tenant,
            kept.session_id,
            limit=_MESSAGES,
            first=_FIRST * choice.first_turns if kept.shares.first else 0,
            summary=kept.strategy.summarises,
        )
        if conversation.revision is None or kept.shares.recent <= 0:
            return _History(Composed(), conversation.instructions, known=conversation.revision is not None)

        async def recall(query: str, before: str, tokens: int) -> Sequence[Exchange]:
            if self._keeper is None:
                return ()
            shown = {each.turn for each in conversation.recent if each.turn >= before}
            return await self._keeper.recall(kept, query, before, tokens, hidden=conversation.turns - len(shown))

        material = Material(conversation, _query(request.messages), kept.shares, count, recall, choice.first_turns)
        return _History(await kept.strategy.compose(material), conversation.instructions)

    async def _reserve(
        self,
        request: ChatRequest,
        kept: KeptConversation,
        choice: MemoryOptions,
        history: _History,
        count: Count,
    ) -> tuple[ChatRequest, _History]:
        """Reserve the request's maximum of the session's budget, or less if it is to be trimmed.

        Raises ``SessionSpent``.
        """
        new, answer = sum(await count(request.messages)), self._answer_tokens(request)
        need = new + answer + await _cost(history, count)
        left = await self._set_aside(kept, choice, need, history.known)
        if left is not None and choice.trim:
            answer = min(answer, left - new)
            if answer >= _LEAST_ANSWER:
                request = dataclasses.replace(request, sampling=_shorter(request.sampling, answer))
                shares = Shares(max(0, left - new - answer))
                trimmed = dataclasses.replace(kept, strategy=STRATEGIES["truncation"], shares=shares)
                history = await self._compose(request, trimmed, choice, count)
                need = new + answer + await _cost(history, count)
                left = await self._set_aside(kept, choice, need, history.known)
        if left is not None:
            raise SessionSpent(
                f"the session may take {choice.token_budget} tokens, {left} of them are left, "
                f"and this request may take {need}",
                remedy="Begin a new session, or fork this one at an earlier turn",
                param="session_id",
            )
        # Nothing was reserved for a session that does not exist yet, so nothing of others must be returned for it.
        kept.context.allowance.session_tokens = need if history.known else 0
        return request, history

    async def _set_aside(self, kept: KeptConversation, choice: MemoryOptions, need: int, known: bool) -> int | None:
        if not known:
            return choice.token_budget if need > choice.token_budget else None
        return await self._histories.reserve(kept.tenant, kept.session_id, need, choice.token_budget, lease_s=_LEASE_S)

    def _shown(self, request: ChatRequest, context: Context, history: _History) -> ChatRequest:
        """The request with its history. Applications, which search the conversation for the question, get turns only;
        models get notes and recalled turns as user text, so that no stored words become instructions."""
        composed = history.composed
        served = None if self._registry is None else self._registry.fixed(request.model, context.principal)
        chat = self._registry is None or (served is not None and served.kind == "chat")
        before: list[Message] = []
        new = request.messages
        if chat and composed.notes:
            before += [Message("user", NOTES + composed.notes), Message("assistant", NOTED)]
        before += [message for group in composed.first for message in group.messages]
        if chat:
            new = _with_recalled(new, composed.recalled)
        else:
            before += [message for group in composed.recalled for message in group.messages]
        before += [message for group in composed.recent for message in group.messages]
        messages = _one_system((*history.instructions, *_spoken(before), *new))
        return dataclasses.replace(request, messages=messages)


@dataclasses.dataclass(frozen=True, slots=True)
class _History:
    """The shown part of a session, and its instructions; ``known``: the session exists."""

    composed: Composed
    instructions: tuple[Message, ...] = ()
    known: bool = True


def stored_name(principal: Principal, session_id: str) -> str:
    """The stored name of a session: one set of groups cannot continue the conversation of another. A session whose id
    starts with ``OWN`` belongs to one key, or to one user with a token, within the groups."""
    return f"{owner(principal, own=session_id.startswith(OWN))}:{session_id}"


def owner(principal: Principal, *, own: bool = False) -> str:
    """The prefix of the stored names of a set of groups' sessions; with ``own``, of the caller's own sessions."""
    names = "\x00".join(sorted(principal.groups))
    if own:
        # No group has an empty name, so this name cannot be that of a set of groups.
        names = f"\x00\x00{principal.person}\x00{names}"
    return hashlib.sha256(names.encode()).hexdigest()[:16]


def _query(messages: Sequence[Message]) -> str:
    return next((each.content for each in reversed(messages) if each.role == "user"), "")


async def _cost(history: _History, count: Count) -> int:
    composed = history.composed
    shown = [each for group in (*composed.first, *composed.recalled, *composed.recent) for each in group.messages]
    notes = [Message("user", NOTES + composed.notes)] if composed.notes else []
    return sum(await count([*history.instructions, *notes, *_spoken(shown)]))


def _shorter(sampling: Sampling, most: int) -> Sampling:
    asked = sampling.max_tokens
    return dataclasses.replace(sampling, max_tokens=most if asked is None else min(asked, most))


def _spoken(messages: Sequence[Message]) -> list[Message]:
    """Without instructions: those of the latest turn that had any come first."""
    return [message for message in messages if message.role not in _SYSTEM]


def _with_recalled(new: Sequence[Message], recalled: Sequence[Exchange]) -> tuple[Message, ...]:
    """Recalled turns are placed before the last user message, after everything that stays the same between turns."""
    lines = [
        f"{each.role}: {each.content.strip()}"
        for group in recalled
        for each in group.messages
        if each.role in ("user", "assistant") and each.content.strip()
    ]
    at = next((index for index in range(len(new) - 1, -1, -1) if new[index].role == "user"), None)
    if not lines or at is None:
        return tuple(new)
    text = f"{RECALLED}{chr(10).join(lines)}\n\nNow: {new[at].content}"
    return (*new[:at], dataclasses.replace(new[at], content=text), *new[at + 1 :])


def _one_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """System messages first, and only the latest run of them: each turn of a client may bring its own."""
    instructions: list[Message] = []
    others: list[Message] = []
    latest_ended = False
    for message in messages:
        if message.role not in _SYSTEM:
            others.append(message)
            latest_ended = True
            continue
        if latest_ended:
            instructions.clear()
            latest_ended = False
        instructions.append(message)
    return (*instructions, *others)
