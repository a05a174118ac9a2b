"""What a dialogue is about, as data: its tasks, what each needs to know, and the words for it.

A task is one tool and how a customer asks for it. The manager (``dialogue.manager``) does the rest: it identifies the
customer, fills the slots from what was said or from what tools list, has the terms checked and confirmed before a
write, and tells what the tools say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mainspring.features.support.dialogue.words import Words

Read = Callable[[str], Any]
"""The value that a message states; None: it states none."""
Known = Mapping[str, Any]
"""The slots that are filled."""


@dataclass(frozen=True, slots=True)
class Option:
    """A value that a tool lists. ``label`` names it to a customer, ``words`` what else they may call it. ``fits`` is
    whether the task can be meant for it at all."""

    value: Any
    label: str
    words: str = ""
    fits: bool = True


@dataclass(frozen=True, slots=True)
class Slot:
    """What a task needs to know.

    ``ask`` is the question for it. ``read`` finds it in a message (None: the answer to the question is its value).
    ``source`` is the tool that lists its options, called with the slots named in ``given``; ``options`` reads them from
    its result: the only one that fits is taken, one that is named is taken, otherwise the customer is asked which.
    ``entity``: messages are read for it all the time, and tasks share its value. ``default`` (not None) is taken where
    the message that asks for the task does not say it. ``mentions`` reads what kinds of things a message names: an
    option that is none of them is not taken only because it is the only one, and where several are named each gets a
    task of its own. ``free``: an answer that ``read`` makes nothing of is the value as it is. ``late``: it is filled
    after the check of the task, which may refuse without it.
    """

    name: str
    ask: str
    read: Read | None = None
    source: str = ""
    given: tuple[str, ...] = ()
    options: Callable[[Any, Known], Sequence[Option]] | None = None
    entity: bool = False
    default: Any = None
    mentions: Callable[[str], frozenset[str]] | None = None
    free: bool = False
    late: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """One wish that a tool serves.

    ``examples`` are messages that ask for it, ``patterns`` regular expressions that decide by themselves; a message
    that ``never`` matches is none. ``check`` is a tool that is called with the same slots (``checked``: with these
    alone) before a write: where its result is refused, that is the answer. ``confirm`` is the question before a write
    (None: none is needed), made of the slots and the result of the check. ``approved`` is the tool to call instead
    where the check says that a person must approve (``needs_approval``). ``say`` words a result of the tool. ``follow``
    reads a result: the task, with its slots, that is offered next.
    """

    tool: str
    name: str
    examples: tuple[str, ...]
    patterns: tuple[str, ...] = ()
    never: str = ""
    slots: tuple[Slot, ...] = ()
    identity: bool = True
    check: str = ""
    checked: tuple[str, ...] = ()
    confirm: Callable[[Known, Any], str] | None = None
    approved: str = ""
    say: Callable[[Any], str] | None = None
    follow: Callable[[Any], tuple[str, Mapping[str, Any]] | None] | None = None
    fixed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Identity:
    """How a customer is identified: ``tool`` is called as soon as all of one of ``ways`` is known. ``verified`` reads
    its result: whether it has succeeded. ``key`` is the key of the state under which the tool leaves who it is."""

    tool: str
    ways: tuple[tuple[str, ...], ...]
    verified: Callable[[Any], bool]
    key: str = "customer"


@dataclass(frozen=True, slots=True)
class Script:
    """A whole dialogue.

    ``readers`` are the entities that each message is read for, by name. ``about`` is the task that tells of an
    entity: it serves messages that name one, where nobody knows what is wanted (empty: there is none). ``search``
    is the tool for questions of knowledge (``query`` its argument, ``questions`` examples), ``escalate`` the tool
    that hands over to people, with the argument ``reason``; empty: there is none. ``people`` are all tools that
    pass something on to people.

    The others read results: ``refused`` whether the tool has refused by a policy, ``missing`` the slot that it asks for
    instead (empty: none), ``needs_approval`` whether a person must approve, ``unidentified`` whether the customer must
    be identified first, ``locked`` whether no further attempt at that is possible, ``say`` the words for the customer.
    """

    name: str
    tasks: tuple[Task, ...]
    identity: Identity | None
    readers: Mapping[str, Read]
    words: Words
    about: str = ""
    search: str = ""
    query: str = "question"
    questions: tuple[str, ...] = ()
    escalate: str = ""
    people: frozenset[str] = frozenset()
    refused: Callable[[Any], bool] = lambda result: isinstance(result, Mapping) and bool(result.get("refused"))
    missing: Callable[[Any], str] = lambda result: str(result.get("missing", "")) if isinstance(result, Mapping) else ""
    unidentified: Callable[[Any], bool] = lambda result: (
        isinstance(result, Mapping) and result.get("reason") == "not_identified"
    )
    locked: Callable[[Any], bool] = lambda result: isinstance(result, Mapping) and result.get("reason") == "locked"
    needs_approval: Callable[[Any], bool] = lambda result: isinstance(result, Mapping) and bool(result.get("approval"))
    say: Callable[[Any], str] = lambda result: (
        str(result.get("say", "")) if isinstance(result, Mapping) else str(result)
    )

    def task(self, tool: str) -> Task:
        """The task of that tool. Raises ``KeyError``."""
        return next((each for each in self.tasks if each.tool == tool), None) or _none(tool)


def _none(tool: str) -> Task:
    raise KeyError(tool)
