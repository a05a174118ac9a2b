"""The errands of tau2's retail domain, and how far a conversation got with one."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _retail_rows import Data, NotAllowed
from _retail_shop import CHANGES, PERSON, Shop


@dataclass(frozen=True, slots=True)
class Task:
    """A customer's errand. ``actions`` are the golden calls, ``told`` what the customer must have been told."""

    id: str
    reason: str
    known: str
    unknown: str
    behaviour: str
    actions: tuple[tuple[str, Mapping[str, Any]], ...]
    told: tuple[str, ...]

    @property
    def writes(self) -> tuple[str, ...]:
        """The names of the golden calls that change the database."""
        return tuple(name for name, _ in self.actions if name in CHANGES)


def tasks(folder: Path) -> list[Task]:
    """The 114 tasks of ``folder``, in their order."""
    with gzip.open(folder / "tasks.json.gz", "rt", encoding="utf-8") as file:
        read = json.load(file)
    return [_task(each) for each in read]


def _task(raw: Data) -> Task:
    said, wanted = raw["user_scenario"]["instructions"], raw["evaluation_criteria"]
    actions = tuple((each["name"], each["arguments"]) for each in wanted["actions"] or ())
    return Task(
        raw["id"],
        said["reason_for_call"] or "",
        said["known_info"] or "",
        said["unknown_info"] or "",
        said["task_instructions"] or "",
        actions,
        tuple(wanted["communicate_info"] or ()),
    )


def database(folder: Path) -> Data:
    """Products, users and orders."""
    with gzip.open(folder / "db.json.gz", "rt", encoding="utf-8") as file:
        found: Data = json.load(file)
    return found


@dataclass(frozen=True, slots=True)
class Reached:
    """How a conversation ended: the database as after the golden calls, all told that had to be, and whether a person
    was called exactly if the golden calls have it."""

    database: bool
    told: bool
    person: bool

    @property
    def done(self) -> bool:
        """As the benchmark counts: the state of the database, and what was communicated."""
        return self.database and self.told


def reached(task: Task, data: Data, shop: Shop, said: Sequence[str]) -> Reached:
    """Judge ``shop`` after a conversation in which the agent ``said`` this; ``data`` is the database before it."""
    golden = Shop(data)
    for name, arguments in task.actions:
        try:
            golden.call(name, arguments)
        except NotAllowed:
            # Some golden calls fail on purpose, such as looking for a product under the id of an item.
            continue
    text = "\n".join(said).lower().replace(",", "")
    told = all(each.lower().replace(",", "") in text for each in task.told)
    called = any(name == PERSON for name, _ in shop.calls)
    wanted = any(name == PERSON for name, _ in task.actions)
    return Reached(golden.data == shop.data, told, called == wanted)
