"""What the assistant answers without a model: small talk, its capabilities, date and time, sums, and its memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from mainspring.core.errors import GuardRefused, MainspringError
from mainspring.core.types import ChatRequest, Context, Message
from mainspring.features.assistant import arithmetic, clock, phrases
from mainspring.features.assistant.languages import Language
from mainspring.features.assistant.remembering import MemoryWish, wished
from mainspring.serving.memory.recollection import Asking, PersonMemory, Remembered
from mainspring.serving.memory.remember import NOTED
from mainspring.serving.memory.terms import words

Now = Callable[[], datetime]
# The share of the words of a wish that a fact must have to be the one that is meant.
_MEANT = 0.5
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class InstantAnswer:
    """An answer by rule, and the ``kind`` of question that it is for."""

    text: str
    kind: str


async def instant(
    request: ChatRequest,
    context: Context,
    language: Language,
    now: datetime,
    memory: PersonMemory | None,
    *,
    own: bool = True,
) -> InstantAnswer | None:
    """The answer to the latest message if a rule has one; None: a model is to answer. ``own``: these
    are the person's own words, which a memory may keep. Raises ``GuardRefused`` for a
    fact that reads like an attack."""
    text = request.messages[-1].content.strip()
    if kind := phrases.small_talk(text):
        return InstantAnswer(phrases.said(kind, language), "small_talk")
    if phrases.asks_capabilities(text):
        told = phrases.said(await _memory_state(request, context, memory), language)
        return InstantAnswer(phrases.said("can", language, memory=told), "capabilities")
    if told := clock.told(text.lstrip("¿¡ "), language, now):
        return InstantAnswer(told, "clock")
    try:
        return InstantAnswer(arithmetic.solved(text, language, _last_result(request.messages)), "arithmetic")
    except arithmetic.DividedByZero:
        return InstantAnswer(phrases.said("zero", language), "arithmetic")
    except arithmetic.NoSum:
        pass
    wish = wished(text)
    if wish is None or (wish.about and not own):
        return None
    return InstantAnswer(await _directed(wish, request, context, language, memory), "memory")


async def _memory_state(request: ChatRequest, context: Context, memory: PersonMemory | None) -> str:
    if memory is None:
        return "memory_off"
    return "memory_on" if await memory.agreed(context, request.user or "") else "memory_asks"


async def _directed(
    wish: MemoryWish, request: ChatRequest, context: Context, language: Language, memory: PersonMemory | None
) -> str:
    """Do what is wished of the memory, and say what was done."""
    if memory is None:
        return phrases.said("memory_off", language)
    asking = Asking(request.user or "", request.session_id or "")
    if wish.wish == "keep":
        return await _kept(wish.about, request, context, language, memory)
    if wish.wish == "forget":
        return await _forgotten(wish.about, context, language, memory, asking)
    if wish.wish == "forget_all":
        count = await memory.forget_all(context, asking)
        return phrases.said("forgot_all", language, count=str(count))
    if wish.wish == "known":
        found = await memory.known(context, asking)
        if not found:
            return phrases.said("nothing", language)
        return phrases.said("known", language, facts="\n".join(each.line for each in found[-_SHOWN:]))
    agrees = wish.wish == "grant"
    await memory.decide(context, asking.user, "granted" if agrees else "refused")
    return phrases.said("granted" if agrees else "refused", language)


async def _kept(fact: str, request: ChatRequest, context: Context, language: Language, memory: PersonMemory) -> str:
    asking = Asking(request.user or "", request.session_id or "")
    keeps = request.store and not context.privacy.private and not context.replay
    agreed = keeps and await memory.agreed(context, asking.user)
    if not keeps or not (agreed or asking.session_id):
        return phrases.said("told_only", language)
    try:
        kept = await memory.keep(fact, context, asking, session_only=not agreed)
    except GuardRefused:
        raise
    except MainspringError:
        return phrases.said("told_only", language)
    return phrases.said("kept" if agreed else "kept_session", language, fact=kept)


async def _forgotten(about: str, context: Context, language: Language, memory: PersonMemory, asking: Asking) -> str:
    """Forget the fact that is meant: it shares most of the words of the wish."""
    found = await memory.search(about, context, asking, limit=5)
    meant = next((each for each in found if _shared(about, each) >= _MEANT), None)
    if meant is None:
        return phrases.said("unknown", language)
    await memory.forget(meant.id, context, asking)
    return phrases.said("forgot", language, fact=meant.text)


def _shared(about: str, fact: Remembered) -> float:
    wanted, there = set(words(about)), set(words(fact.text))
    return len(wanted & there) / max(1, len(wanted))


def _last_result(messages: Sequence[Message]) -> str:
    """The result of the sum that was answered last, if nothing else was answered since."""
    said = [each.content for each in messages if each.role == "assistant" and each.content != NOTED]
    return arithmetic.result(said[-1]) if said else ""
