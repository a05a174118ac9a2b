"""What a chooser of tools is asked, and what it says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from mainspring.agents.choice.rules import Rule
from mainspring.agents.tools.base import BaseTool
from mainspring.core.facts.base import Facts
from mainspring.core.types import ChatRequest, Message

Way = Literal["rule", "slot", "examples", "scores", "knowledge", "served", "none", "script", "model"]
"""What decided: a rule of the agent, the answer to a question for a slot, examples of requests, the scores of what the
tools say of themselves, that the one tool that searches knowledge may serve it, that the request is served by the calls
made for it, or that no tool fits. An agent's own chooser says that its script decided, or that the model is to be
asked with all tools."""


UNABLE = frozenset({"smollm2-135m-instruct"})
"""Models that choose no better among tools than chance would, and that misread results: the best score decides for
them, and what the tools said is told as it is."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a chooser sees: the conversation with the calls made so far and their results, the tools that may be called,
    and the agent's rules. ``system`` is the agent's instruction; ``model`` the name that arguments are asked of, which
    calls tools by itself if it is ``able``. ``state`` is the session's. ``caller`` is whom the agent serves."""

    messages: tuple[Message, ...]
    tools: Sequence[BaseTool]
    rules: tuple[Rule, ...] = ()
    model: str = ""
    system: str = ""
    state: Mapping[str, Any] = field(default_factory=dict)
    able: bool = False
    caller: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A call to be made. The arguments fit the tool's schema. ``written`` names those that the model wrote; all others
    stand in the conversation or come from a rule."""

    name: str
    arguments: Mapping[str, Any]
    written: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """What happens next: ``calls``, side by side, after ``say`` if there is any; or ``say`` alone: words to the user (a
    question for what is missing, or a rule's); or neither: the model answers without tools.

    ``way`` says what decided. ``scores`` are the probabilities of the tools that were weighed, by name, for the trace.
    ``state`` are changes of the session's state. ``sure``: the calls follow from the user's own words and from facts
    alone, so no text of a stranger can have led to them. ``notes`` are further attributes of the trace, ``facts`` an
    event for the record.
    """

    calls: tuple[Chosen, ...] = ()
    say: str = ""
    way: Way = "none"
    scores: Mapping[str, float] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)
    sure: bool = False
    notes: Mapping[str, Any] = field(default_factory=dict)
    facts: Facts | None = None

    @property
    def attributes(self) -> dict[str, Any]:
        """For the span and the record of the step."""
        best = sorted(self.scores.items(), key=lambda item: -item[1])[:5]
        return {
            "tool_choice.way": self.way,
            "tool_choice.tools": [call.name for call in self.calls],
            "tool_choice.asked_back": bool(self.say),
            "tool_choice.scores": [f"{name} {score:.3f}" for name, score in best],
            **self.notes,
        }


class Steps(Protocol):
    """How a chooser does what a run records: each is a step, which has its recorded outcome when the run is resumed."""

    async def ask(self, request: ChatRequest) -> Message:
        """The answer of the agent's model; ``request.model`` is filled in."""
        ...

    async def value(self, name: str, asked: Any, find: Callable[[], Awaitable[Any]]) -> Any:
        """The JSON value that ``find`` makes of ``asked``, also a JSON value."""
        ...


class Chooser(Protocol):
    """Chooses the calls that a conversation needs next."""

    async def choose(self, turn: Turn, steps: Steps) -> Choice:
        """Given the outcomes of its steps, it depends on ``turn`` alone."""
        ...
