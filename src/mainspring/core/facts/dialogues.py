"""The facts of scripted dialogues with customers: how each message ended. None of its words are here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mainspring.core.facts.base import Facts
from mainspring.core.facts.marks import Keep, Served


@dataclass(frozen=True, slots=True, kw_only=True)
class DialogueFacts(Facts):
    """The answer to a message. ``outcome`` is ``done``, ``asked`` (a question back), ``refused`` (by a policy),
    ``passed_on`` (to people), ``unknown`` (it was not understood) or ``model`` (a model goes on). ``tasks`` are those
    of the script that the message was about, ``tools`` how many were called."""

    EVENT: ClassVar[str] = "dialogue"

    agent: Served[str] = ""
    outcome: Keep[str] = ""
    tasks: Keep[Sequence[str]] = ()
    tools: Keep[int] = 0
