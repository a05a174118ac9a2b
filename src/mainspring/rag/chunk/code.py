"""Chunks of source code along its syntax tree: definitions whole where they fit, their path as heading.

Nodes that fit are kept, larger ones are split into their children, and small neighbours of one scope are joined again
up to the size (split, then merge: Zhang et al., cAST, 2025). Chunks are whole lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import PurePath

from mainspring.rag.chunk import syntax
from mainspring.rag.chunk.base import Material, Span
from mainspring.rag.chunk.syntax import Node
from mainspring.rag.chunk.windows import recursive

# Nothing that people write nests deeper.
_MAX_DEPTH = 100
# The opening of a scope stays with its content up to this share of a chunk.
_OPENING_FRACTION = 0.25

Scope = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Unit:
    """Lines ``first`` to ``last`` in ``scope``; ``name`` is the name of their definition."""

    first: int
    last: int
    scope: Scope
    name: str = ""


def code(material: Material) -> list[Span]:
    """Source code cut by its syntax, or by lines if there is no tree. Raises ``MissingExtra`` without the grammar."""
    root = syntax.tree(material.text, material.name)
    return recursive(material) if root is None else _Lines(material).spans(root)


class _Lines:
    """The lines of a source file with their tokens."""

    def __init__(self, material: Material) -> None:
        self._material = material
        self._lines = material.text.split("\n")
        self._starts = list(accumulate((len(line) + 1 for line in self._lines), initial=0))
        self._sums = list(accumulate(material.counted(self._lines), initial=0))

    def spans(self, root: Node) -> list[Span]:
        units = self._divided(root, 0, len(self._lines) - 1, (), 0)
        return [span for run in self._joined(units) if (span := self._span(run))]

    def _tokens(self, first: int, last: int) -> int:
        return self._sums[last + 1] - self._sums[first]

    def _divided(self, node: Node, first: int, last: int, scope: Scope, depth: int) -> list[_Unit]:
        """The lines ``first`` to ``last``, which ``node`` covers, in units that fit; lines that do not stand alone."""
        units: list[_Unit] = []
        for begin, end, owner in _segments(node, first, last):
            name = owner.name if owner else ""
            if self._tokens(begin, end) <= self._material.size:
                units.append(_Unit(begin, end, scope, name))
            elif owner is not None and owner.last > owner.first and depth < _MAX_DEPTH:
                units += self._divided(owner, begin, end, (*scope, name) if name else scope, depth + 1)
            else:
                units += [_Unit(line, line, scope) for line in range(begin, end + 1)]
        return units

    def _joined(self, units: Sequence[_Unit]) -> list[list[_Unit]]:
        """Neighbours together, as many as fit."""
        runs: list[list[_Unit]] = []
        for unit in units:
            run = runs[-1] if runs else []
            if run and self._tokens(run[0].first, unit.last) <= self._material.size and self._belongs(run, unit):
                run.append(unit)
            elif self._says(unit):
                runs.append([unit])
        return runs

    def _belongs(self, run: Sequence[_Unit], unit: _Unit) -> bool:
        """Neighbours of one scope do, the end of a scope, and its opening with its content."""
        if run[-1].scope == unit.scope or not self._says(unit):
            return True
        opening = unit.scope[: len(run[-1].scope)] == run[-1].scope and not any(each.name for each in run)
        return opening and self._tokens(run[0].first, run[-1].last) <= self._material.size * _OPENING_FRACTION

    def _says(self, unit: _Unit) -> bool:
        """Whether there is more on these lines than brackets."""
        return any(character.isalnum() for line in self._lines[unit.first : unit.last + 1] for character in line)

    def _span(self, run: Sequence[_Unit]) -> Span | None:
        first, last = run[0].first, run[-1].last
        while first <= last and not self._lines[first].strip():
            first += 1
        if first > last:
            return None
        saying = [unit for unit in run if self._says(unit)]
        scope = saying[-1].scope if saying else run[-1].scope
        scope = (*scope, saying[0].name) if len(saying) == 1 and saying[0].name else scope
        heading = " > ".join(part for part in (_module(self._material.name), *scope) if part)
        return Span(self._starts[first], self._starts[last + 1] - 1, heading)


def _segments(node: Node, first: int, last: int) -> list[tuple[int, int, Node | None]]:
    """The lines of a node by its children: (first, last, the largest child on them).

    A child that begins on a separate line begins a segment, unless the text right above it leads to it.
    """
    begins = [first]
    owners: list[Node | None] = [None]
    covered, leading = -1, False
    for child in node.children():
        if child.first > max(begins[-1], covered) and not (leading and child.first == covered + 1):
            begins.append(child.first)
            owners.append(None)
        owner = owners[-1]
        if not child.leads and (owner is None or child.last - child.first > owner.last - owner.first):
            owners[-1] = child
        leading = child.leads
        covered = max(covered, child.last)
    ends = [*(begin - 1 for begin in begins[1:]), last]
    return list(zip(begins, ends, owners, strict=True))


def _module(name: str) -> str:
    path = PurePath(name)
    return path.parent.name if path.stem == "__init__" and path.parent.name else path.stem
