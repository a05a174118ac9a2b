"""Finished answers as bytes, for the answer cache."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.core import cards
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.core.types import (
    IGNORED_HEADER,
    Answered,
    Citation,
    Claim,
    Context,
    Contradiction,
    Event,
    Finish,
    Head,
    Missing,
    Notice,
    Reasoning,
    Text,
    TokenLogprob,
    Usage,
)
from mainspring.stores.events.of_request import request_event

VERSION = 3
_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (Text, Reasoning, Citation, Missing, Answered, Contradiction, Notice, Usage, Finish)
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A stored answer: what its head said, its events, neighbouring texts joined, and the facts of the retrievals that
    it was made of."""

    head: Head
    events: list[Event]
    retrieved: list[RetrievalFacts]


def encode(head: Head, events: list[Event], retrieved: Sequence[RetrievalFacts] = ()) -> bytes:
    """Bytes that ``decode`` reads. Progress events are omitted: a replay has none. Of the head's headers the one that
    names what was ignored is kept: it is as true of the replay."""
    rows = [
        [type(event).__name__, dataclasses.asdict(event)] for event in _joined(events) if type(event).__name__ in _KINDS
    ]
    content = {"version": VERSION, "model": head.model, "arm": head.arm, "variant": head.variant, "events": rows}
    content["ignored"] = head.headers.get(IGNORED_HEADER)
    whole = cards.scrubbed({**content, "retrieved": [facts.plain() for facts in retrieved]})
    return json.dumps(whole).encode()


def decode(value: bytes) -> Answer | None:
    """The answer, or None if another version of this program wrote it."""
    content = json.loads(value)
    if content["version"] != VERSION:
        return None
    events = [_event(kind, fields) for kind, fields in content["events"]]
    ignored = content.get("ignored")
    headers = {IGNORED_HEADER: ignored} if ignored else {}
    return Answer(
        Head(content["model"], arm=content["arm"], variant=content.get("variant", ""), headers=headers),
        events,
        [RetrievalFacts.from_json(facts) for facts in content["retrieved"]],
    )


def note(context: Context, retrieved: Iterable[RetrievalFacts]) -> None:
    """Add the retrievals of a replayed answer to the facts of its receiver: the receiver's events are then as
    restricted as the first ones, and are erased with the answer's sources."""
    for facts in retrieved:
        record = request_event(context, dataclasses.replace(facts, cached=True))
        context.settlement.records.append(record)


def _event(kind: str, fields: dict[str, Any]) -> Event:
    if fields.get("logprobs"):
        fields["logprobs"] = tuple(
            TokenLogprob(each["token"], each["logprob"], tuple((token, value) for token, value in each["top"]))
            for each in fields["logprobs"]
        )
    elif "logprobs" in fields:
        fields["logprobs"] = ()
    if "sought" in fields:
        fields["sought"] = tuple(fields["sought"])
    if "claims" in fields:
        fields["claims"] = tuple(Claim(**claim) for claim in fields["claims"])
    event: Event = _KINDS[kind](**fields)
    return event


def _joined(events: list[Event]) -> list[Event]:
    joined: list[Event] = []
    run: list[Text] = []
    for event in [*events, None]:
        if isinstance(event, Text) and (not run or run[0].choice == event.choice):
            run.append(event)
            continue
        if run:
            text = "".join(piece.text for piece in run)
            logprobs = tuple(each for piece in run for each in piece.logprobs)
            joined.append(Text(text, run[0].choice, sum(piece.tokens for piece in run), logprobs))
            run = []
        if isinstance(event, Text):
            run.append(event)
        elif event is not None:
            joined.append(event)
    return joined
