"""What happened in a conversation, in a few sentences: a model's, if they can be checked, or the customer's own."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mainspring.core.errors import MainspringError
from mainspring.core.path import collect
from mainspring.core.types import ChatRequest, Context, Message, Responder, Sampling
from mainspring.features.desk.store.records import Case
from mainspring.features.desk.transcripts import TranscriptLine
from mainspring.serving.memory.base import exchanges
from mainspring.serving.memory.extract import notes_of
from mainspring.stores.sessions.turns import TurnMessage

EXTRACTIVE = "extractive"
_SENTENCES, _TOKENS, _SHOWN = 4, 120, 6000
_ASKED = (
    "You help a person of customer support to take over a conversation. Say in at most three short sentences what the "
    "customer wants, what was done, and what is open. Use only what the conversation says."
)
# What a summary must not invent: numbers, and names such as those of orders.
_DETAIL = re.compile(r"[A-Z]{1,5}-\d+|\d[\d.,:/-]*")
# What points at the sources of an answer, which are not shown here.
_MARK = re.compile(r"(?<!\s)\s{0,9}\[\d{1,3}(?:, ?\d{1,3})*\]")


def extracted(case: Case, lines: Sequence[TranscriptLine]) -> str:
    """The sentences that carry the most, in order. Why the case was opened comes first."""
    said = [
        TurnMessage(each.id, 0, each.at, "", Message("user" if each.author == "customer" else "assistant", each.text))
        for each in lines
        if each.author in ("customer", "agent", "person")
    ]
    notes = notes_of(exchanges(said, len(said)))
    best = sorted(sorted(notes, key=lambda note: -note.weight)[:_SENTENCES], key=notes.index)
    # An agent that gives no subject of its own gives the beginning of its reason.
    told = [] if case.subject in case.reason else [f"{case.subject.rstrip('.')}."]
    if case.reason:
        told.append(f"Handed over because: {case.reason.rstrip('.')}.")
    words = {"user": "Customer", "assistant": "Answered"}
    texts = [(words[each.speaker], _MARK.sub("", each.text)) for each in best]
    told += [f"{who}: {text}" for who, text in texts if text not in f"{case.subject} {case.reason}"]
    return "\n".join(dict.fromkeys(told))


async def written(
    model: str, responder: Responder, case: Case, lines: Sequence[TranscriptLine], context: Context
) -> str:
    """A model's summary; empty if it fails, or says numbers that the conversation does not."""
    talk = "\n".join(f"{each.author}: {each.text}" for each in lines if each.author != "note")[-_SHOWN:]
    told = f"Case: {case.subject}\nReason: {case.reason}\n\nConversation:\n{talk}"
    said = (Message("system", _ASKED), Message("user", told))
    request = ChatRequest(model, said, sampling=Sampling(temperature=0, max_tokens=_TOKENS), store=False)
    try:
        answer = await collect(await responder.respond(request, context))
    except MainspringError:
        return ""
    text = answer.text.strip()
    whole = f"{told} {case.number}"
    invented = [each for each in _DETAIL.findall(text) if each.rstrip(".,:") not in whole]
    return "" if invented else text
