"""An interaction: one answer to a user with all that became known of it. It is a row of the lake's clean zone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Thumb = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Interaction:
    """All events of one answer, joined. Times are Unix seconds, money is in nano-US-dollars, durations in seconds.

    ``messages`` are the request's (``role``, ``content``, tool calls as JSON), ``answer`` is the text that was sent.
    ``passages`` were shown to the model, ``cited`` are the numbers of those that the answer cites. ``edited`` is the
    text that a person wrote in its place. ``regenerated`` is the id of the answer that the user asked for instead of
    this one, in the same session and with the same question. ``event_ids`` are all events that the row is made of;
    erasure finds rows by ``event_ids``, ``tenant`` and ``subject``.
    """

    tenant: str
    answer_id: str
    trace_id: str
    at: float
    event_ids: tuple[str, ...]
    messages: tuple[Mapping[str, Any], ...]
    answer: str
    subject: str = ""
    session_id: str = ""
    key_id: str = ""
    application: str = ""
    model: str = ""
    model_version: str = ""
    prompt: str = ""
    arm: str = ""
    status: str = ""
    finish: str = ""
    consent: bool = False
    segment: str = ""
    language: str = ""
    passages: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    cited: tuple[int, ...] = ()
    refused: bool | None = None
    thumb: Thumb | None = None
    comment: str = ""
    edited: str | None = None
    regenerated: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, float] = field(default_factory=dict)
    """Mean scores of people's labels by criterion, and ``approved`` (1 or 0)."""
    guards: tuple[str, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_nanousd: int = 0
    duration_s: float | None = None
    ttft_s: float | None = None
    synthetic: bool = False
    """The request was a test, a replay or a red team's attack."""
