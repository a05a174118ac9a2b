"""What was said around a case: the turns of its session, and what was said in the case itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.features.desk.store.records import Case, CaseMessage
from mainspring.stores.sessions.conversations import Sessions
from mainspring.stores.sessions.turns import TurnMessage


@dataclass(frozen=True, slots=True)
class TranscriptLine:
    """A line of a transcript: who (``customer``, ``agent``, ``person``, ``note``) said what, and when."""

    id: str
    author: str
    text: str
    at: float
    by_name: str = ""


async def transcript(sessions: Sessions, case: Case, said: Sequence[CaseMessage]) -> list[TranscriptLine]:
    """All of it, in order. A turn that the case has itself is not shown twice."""
    own = {each.trace_id for each in said if each.trace_id and each.author in ("customer", "person")}
    lines = [TranscriptLine(each.id, each.author, each.text, each.at, each.by_name) for each in said]
    if case.session:
        turns = await sessions.all_messages(case.tenant, case.session)
        lines += [line for each in turns if each.trace_id not in own and (line := _spoken(each)) is not None]
    return sorted(lines, key=lambda line: line.at)


def _spoken(turn: TurnMessage) -> TranscriptLine | None:
    author = {"user": "customer", "assistant": "agent"}.get(turn.message.role)
    if author is None or not turn.message.content.strip():
        return None
    return TranscriptLine(f"{turn.turn}:{turn.position}", author, turn.message.content, turn.at)
