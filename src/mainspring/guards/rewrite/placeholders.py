"""Placeholders that stand for personal data and credentials, and the way back: ``[EMAIL_1]`` for an address.

The same value has the same placeholder as long as its ``Placeholders`` live. Placeholders are held in memory and never
written: if they are lost, nobody can restore a value.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable

from mainspring.guards.detect import pii

MOST_VALUES = 2000
"""Values of one conversation that get a placeholder each; further ones are redacted for good."""
_SHAPE = re.compile(rf"\[(?:{'|'.join(kind.upper() for kind in pii.KINDS)})_[1-9][0-9]{{0,8}}\]")


class Placeholders:
    """The values of one conversation, and the placeholder of each."""

    __slots__ = ("_last", "_names", "_prefixes", "_taken", "_values")

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._values: dict[str, str] = {}
        self._taken: set[str] = set()
        self._last: Counter[str] = Counter()
        self._prefixes: set[str] = set()

    def __len__(self) -> int:
        return len(self._values)

    def reserve(self, text: str) -> None:
        """Never assign the placeholders that occur in ``text``."""
        if "[" in text:
            self._taken.update(_SHAPE.findall(text))

    def hide(self, text: str, kinds: Iterable[str] = pii.KINDS) -> tuple[str, list[pii.Finding]]:
        """``text`` with each finding replaced by its placeholder, and the findings."""
        findings = pii.find(text, kinds)
        parts, position = [], 0
        for found in findings:
            parts += [text[position : found.start], self._name(found.kind, text[found.start : found.end])]
            position = found.end
        return "".join(parts) + text[position:], findings

    def _name(self, kind: str, value: str) -> str:
        name = self._names.get((kind, value))
        if name is not None:
            return name
        if len(self._values) >= MOST_VALUES:
            return f"[{kind.upper()}]"
        while name is None or name in self._taken:
            self._last[kind] += 1
            name = f"[{kind.upper()}_{self._last[kind]}]"
        self._names[kind, value] = name
        self._values[name] = value
        self._prefixes.update(name[:end] for end in range(1, len(name)))
        return name

    def put_back(self, text: str, *, within_json: bool = False) -> str:
        """``text`` with the values in place of their placeholders; ``within_json``: of strings of a JSON text."""
        return self._replaced(text, within_json)[0] if "[" in text else text

    def _replaced(self, text: str, within_json: bool) -> tuple[str, list[str]]:
        known: list[str] = []

        def value(match: re.Match[str]) -> str:
            found = self._values.get(match[0])
            if found is None:
                return match[0]
            known.append(match[0])
            return json.dumps(found, ensure_ascii=False)[1:-1] if within_json else found

        return _SHAPE.sub(value, text), known

    def begun(self, text: str) -> int:
        """Where at the end of ``text`` a placeholder of these may begin that is not whole yet; its length: nowhere."""
        start = text.rfind("[")
        return start if start >= 0 and text[start:] in self._prefixes else len(text)


class PlaceholderReturn:
    """Takes a text in pieces and gives it back with the values in it; holds back the beginning of a placeholder alone.

    Its joined output equals ``put_back`` of the whole. ``counts`` is how many of each kind were put back.
    """

    __slots__ = ("_held", "_placeholders", "_within_json", "counts")

    def __init__(self, placeholders: Placeholders, *, within_json: bool = False) -> None:
        self._placeholders = placeholders
        self._within_json = within_json
        self._held = ""
        self.counts: Counter[str] = Counter()

    def push(self, text: str) -> str:
        """Take the next piece; return the text that can be shown now (the same object if nothing changed)."""
        if not self._held and "[" not in text:
            return text
        text = self._held + text
        end = self._placeholders.begun(text)
        self._held = text[end:]
        return self._back(text[:end])

    def flush(self) -> str:
        """The text has ended: return the rest."""
        rest, self._held = self._held, ""
        return rest

    def _back(self, text: str) -> str:
        shown, known = self._placeholders._replaced(text, self._within_json)
        self.counts.update(name[1 : name.rindex("_")].lower() for name in known)
        return shown
