"""Facts of imported answers, calls and opinions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.base import Facts
from mainspring.core.facts.calls import UNCHARGED, CallFacts
from mainspring.core.facts.opinions import FeedbackFacts, LabelFacts, ScoreFacts
from mainspring.features.imports.drafts import ImportedAnswer, Importing, number

_THUMB = re.compile(r"(user[-_ ]?)?(feedback|thumbs?([-_ ]?up)?|rating|vote|like(d)?)\Z", re.IGNORECASE)
_UP, _DOWN = (
    ("up", "positive", "good", "like", "true", "yes", "thumbs up"),
    (
        "down",
        "negative",
        "bad",
        "dislike",
        "false",
        "no",
        "thumbs down",
    ),
)
_MOST_NAME = 200


def answer_facts(
    source: str,
    importing: Importing,
    *,
    model: str,
    requested: str,
    said: ImportedAnswer,
    tokens: tuple[int, int] = (0, 0),
    cost_nanousd: int = 0,
    duration_s: float | None = None,
    ttft_s: float | None = None,
    session_id: str | None = None,
    user: str = "",
    arm: str = "",
    finish: str | None = None,
    error: str = "",
) -> AnswerFacts:
    """The facts of an answer that another system gave."""
    prompt, completion = tokens
    return AnswerFacts(
        imported=source,
        status="failed" if error else "completed",
        operation="chat",
        requested=(importing.application or requested or model)[:_MOST_NAME],
        model=model[:_MOST_NAME],
        key_id=importing.key_id,
        cache="",
        prompt_tokens=prompt,
        completion_tokens=completion,
        spent_tokens=prompt + completion,
        cost_nanousd=cost_nanousd,
        finish=(finish or ("tool_calls" if said.tool_calls else "stop"),),
        citations=0,
        missing=0,
        conflicts=0,
        duration_s=duration_s,
        ttft_s=ttft_s,
        arm=arm[:_MOST_NAME],
        session_id=session_id or None,
        user=user or None,
        error="imported_error" if error else "",
    )


def call_facts(
    source: str,
    importing: Importing,
    *,
    model: str,
    provider: str = "",
    tokens: tuple[int, int] = (0, 0),
    cached: int = 0,
    cost_nanousd: int = 0,
    duration_s: float | None = None,
    ttft_s: float | None = None,
    finish: str = "stop",
    error: str = "",
) -> CallFacts:
    """The facts of a call that another system made: nobody is charged for it here."""
    return CallFacts(
        imported=source,
        model=model[:_MOST_NAME],
        provider=(provider or source)[:_MOST_NAME],
        operation="chat",
        key_id=importing.key_id,
        application=importing.application[:_MOST_NAME],
        prompt_tokens=tokens[0],
        completion_tokens=tokens[1],
        cached_tokens=cached,
        cost_nanousd=cost_nanousd,
        duration_s=duration_s or 0.0,
        ttft_s=ttft_s,
        finish=(finish,),
        depth=1,
        charged=UNCHARGED,
        error="imported_error" if error else "",
    )


def opinion(
    source: str, importing: Importing, name: str, value: Any, *, by: str = "", human: bool = False, comment: str = ""
) -> Facts | None:
    """A score of another system: a thumb if it has the name of one, a label if a person gave it within [0, 1], and a
    score else. None if it says nothing."""
    if _THUMB.match(name) and (rating := _rating(value)):
        return feedback(source, importing, rating=rating, comment=comment)
    found = float(value) if isinstance(value, bool) else number(value)
    if found is None:
        return feedback(source, importing, comment=comment) if comment else None
    scores = {name[:_MOST_NAME]: found}
    if human and 0 <= found <= 1:
        return LabelFacts(imported=source, queue=source, by=by[:_MOST_NAME], scores=scores, comment=comment)
    return ScoreFacts(imported=source, metric="imported", name=name[:_MOST_NAME], judge=by or source, scores=scores)


def feedback(
    source: str, importing: Importing, *, rating: str | None = None, comment: str = "", edited: bool = False
) -> FeedbackFacts:
    """A thumb, a comment, or an edit."""
    return FeedbackFacts(
        imported=source, key_id=importing.key_id, rating=rating, comment=comment or None, edited=edited
    )


def content(messages: Sequence[Mapping[str, Any]], said: ImportedAnswer) -> str:
    """The text of an answer's event."""
    choice = {"text": said.text, "reasoning": "", "tool_calls": [dict(each) for each in said.tool_calls]}
    made = json.dumps({"messages": list(messages), "choices": [choice]}, ensure_ascii=False)
    return made.encode("utf-8", "replace").decode()


def _rating(value: Any) -> str:
    if isinstance(value, str) and number(value) is None:
        said = value.strip().casefold()
        return "up" if said in _UP else "down" if said in _DOWN else ""
    found = float(value) if isinstance(value, bool) else number(value)
    return {1.0: "up", 0.0: "down", -1.0: "down"}.get(found, "") if found is not None else ""
