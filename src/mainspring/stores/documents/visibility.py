"""The documents of a collection that a caller may see: one rule for every query on a caller's behalf.

A document is visible to callers whom both its access lists admit: that of the current text and that of the latest
ingestion. So taking access away counts at once, and giving it counts when the text that it was given for is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from cachetools import LRUCache

import mainspring.stores.sql.rows as rows
from mainspring.stores.vectors.base import CurrentGenerations

# The number of sets of groups whose view of a collection is cached.
_VIEWS = 64


def admits(restricted: frozenset[str], groups: frozenset[str] | None) -> bool:
    """Whether an access list admits ``groups``; an empty list is for everyone, and None is maintenance."""
    return groups is None or not restricted or bool(restricted & groups)


def visible(row: sa.Row[Any], groups: frozenset[str] | None) -> bool:
    """Whether ``groups`` may see a row of ``documents``."""
    return all(admits(_groups(text), groups) for text in (row.groups, row.read_groups))


@dataclass(slots=True)
class Generations:
    """The generations that are read at one version of a collection, as each set of groups may see them."""

    version: int
    everything: CurrentGenerations = field(default_factory=CurrentGenerations)
    _restricted: dict[str, tuple[frozenset[str], frozenset[str]]] = field(default_factory=dict)
    _mentioned: frozenset[str] = frozenset()
    _quarantined: frozenset[str] = frozenset()
    _views: LRUCache[frozenset[str], CurrentGenerations] = field(default_factory=lambda: LRUCache(_VIEWS))

    @classmethod
    def of(cls, version: int, found: Iterable[sa.Row[Any]]) -> Generations:
        """From rows of (id, generation, groups, read_groups, screening)."""
        return cls(version).follow(version, found)

    def follow(self, version: int, found: Iterable[sa.Row[Any]]) -> Generations:
        """The same at a later version, with the changed rows."""
        everything, restricted = dict(self.everything), dict(self._restricted)
        quarantined = set(self._quarantined)
        for row in found:
            everything[row.id] = row.generation
            restricted.pop(row.id, None)
            (quarantined.add if row.screening == "quarantined" else quarantined.discard)(row.id)
            if row.groups != "[]" or row.read_groups != "[]":
                restricted[row.id] = _groups(row.groups), _groups(row.read_groups)
        mentioned = frozenset().union(*(each for lists in restricted.values() for each in lists))
        return Generations(version, CurrentGenerations(everything), restricted, mentioned, frozenset(quarantined))

    def view(self, groups: frozenset[str] | None) -> CurrentGenerations:
        """The documents that ``groups`` may find, by id, without quarantined ones."""
        if groups is None or not (self._restricted or self._quarantined):
            return self.everything
        known = groups & self._mentioned
        view = self._views.get(known)
        if view is None:
            closed = {
                name for name, lists in self._restricted.items() if not all(admits(each, known) for each in lists)
            }
            closed |= self._quarantined
            view = CurrentGenerations({name: number for name, number in self.everything.items() if name not in closed})
            self._views[known] = view
        return view


def _groups(text: str) -> frozenset[str]:
    return frozenset(rows.load(text)) if text != "[]" else frozenset()
