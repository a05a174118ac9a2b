"""What a conversation asks for just now: the user's last words, with the questions for slots that led to them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.agents.choice.questions import asked
from mainspring.agents.tools.base import BaseTool
from mainspring.core.types import Message

CONTEXT = "For context:\n"
"""How a message begins that tells an agent what the ones before it have said and found. No user has written it."""
_SHOWN = 12
"""The latest messages that the model sees when it writes arguments."""
_TAKEN_BACK = re.compile(r"^\W*(no thanks?|never ?mind|forget (it|that)|cancel that|stop|leave it)\b", re.IGNORECASE)
_GOES_ON = re.compile(
    r"^\W*(and|also|what about|how about|what if|now|then|same|again|instead|another|actually|make (it|that)|or)\b|"
    r"\b(instead|too|as well|also|again|another one|what about|how about|what if)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(r"\?\s*$|\b(please|could you|can you) (provide|tell|give|share|enter|specify)\b", re.IGNORECASE)
_FAILED = re.compile(r"^\s*(error\b|\{\s*\"error\")", re.IGNORECASE)
_SHORT = 4
_EARLIER = 3
"""Requests before this one that a follow-up may continue."""
_SOCIAL = frozenset(
    "thank thanks you very much so a lot for your help the information info that this is it its great good nice "
    "perfect awesome wonderful ok okay alright fine cool got to hear bye goodbye hello hi hey there have day no yes "
    "all i understand see appreciate was helpful excellent amazing sounds interesting".split()
)


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """``text`` is all that the user says of the request, ``latest`` the last message alone. ``pending`` is the tool
    whose slots the assistant has just asked for. ``before`` is what the user said in the requests before, and ``last``
    the tool that served the last of them; ``asked``: the assistant's last words are a question. ``done`` are the tools
    called without an error, oldest first, and ``answered`` those called since the user spoke. ``shown`` are the
    messages that the model sees."""

    text: str
    latest: str
    pending: tuple[BaseTool, tuple[str, ...]] | None
    before: str
    last: str
    asked: bool
    done: tuple[str, ...]
    answered: tuple[str, ...]
    shown: tuple[Message, ...]
    grounds: str
    """All texts from which values of arguments may come: what users and tools have said."""

    @property
    def taken_back(self) -> bool:
        return _TAKEN_BACK.search(self.latest) is not None

    @property
    def social(self) -> bool:
        """Whether the last message only greets, thanks or agrees."""
        return all(word in _SOCIAL for word in re.findall(r"[a-z]+", self.latest.lower().replace("'", "")))

    @property
    def goes_on(self) -> bool:
        """Whether the last message may only make sense after the request before it: it is very short, begins so, or
        answers the assistant."""
        short = len(self.latest.split()) <= _SHORT
        follows = bool(self.last) and (short or _GOES_ON.search(self.latest) is not None)
        return bool(self.before) and not self.social and (follows or self.asked)


def opened(messages: Sequence[Message], tools: Sequence[BaseTool]) -> OpenRequest:
    """Read a conversation whose last message is the user's or the result of a call."""
    all_said = [each for each in messages if each.role in ("user", "assistant", "tool")]
    said = [each for each in all_said if each.role != "user" or not each.content.startswith(CONTEXT)]
    at = max((index for index, each in enumerate(said) if each.role == "user"), default=-1)
    if at < 0:
        return OpenRequest("", "", None, "", "", False, (), (), (), "")
    first, pending = at, None
    while first >= 2 and said[first - 1].role == "assistant" and not said[first - 1].tool_calls:
        question = asked(said[first - 1].content, tools)
        if question is None or said[first - 2].role != "user":
            break
        pending = pending or question
        first -= 2
    calls = _calls(said)
    before = [each.content for each in said[:first] if each.role == "user"][-_EARLIER:]
    words = said[at - 1].content if at and said[at - 1].role == "assistant" else ""
    return OpenRequest(
        text=" ".join(each.content for each in said[first : at + 1] if each.role == "user"),
        latest=said[at].content,
        pending=pending,
        before=" ".join(before),
        last=next((name for where, name, _ in reversed(calls) if where < first), ""),
        asked=_ASKS.search(words) is not None,
        done=tuple(name for _, name, well in calls if well),
        answered=tuple(name for where, name, _ in calls if where > at),
        shown=tuple(all_said[-_SHOWN:]),
        grounds="\n".join(each.content for each in all_said if each.role in ("user", "tool")),
    )


def _calls(said: Sequence[Message]) -> list[tuple[int, str, bool]]:
    """Where each call with a result stands, its name, and whether it succeeded."""
    names = {call.id: call.name for each in said for call in each.tool_calls}
    results = [(at, each) for at, each in enumerate(said) if each.role == "tool"]
    found = [(at, names.get(each.tool_call_id or "", each.name or ""), each.content) for at, each in results]
    return [(at, name, not failed(content)) for at, name, content in found if name]


def failed(content: str) -> bool:
    """Whether the result of a call is an error."""
    if _FAILED.match(content) is None:
        return False
    try:
        read = json.loads(content)
    except ValueError:
        return True
    return bool(read.get("error")) if isinstance(read, dict) else True
