"""The attributes of a collection's documents by value, so that a filter looks at each value once, not at each document.

Whether a value matches is the filter's own judgement (``Comparison.matches``): nothing is decided here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from mainspring.rag.search.filters import Comparison, Filter, Read, reader
from mainspring.stores.documents.catalogue import Document

_Key = tuple[type, Any]


class Attributes:
    """Of documents by id, as they were when it was made."""

    def __init__(self, documents: Mapping[str, Document]) -> None:
        self._documents = dict(documents)
        self._values: dict[str, dict[_Key, dict[str, None]]] = {}
        self._lock = threading.Lock()

    def matching(self, tree: Filter) -> frozenset[str]:
        """The ids of the documents that the filter keeps."""
        with self._lock:
            return self._matching(tree)

    def change(self, documents: Iterable[Document]) -> None:
        """Take what these documents are now."""
        with self._lock:
            for document in documents:
                name = document.document_id
                if name in self._documents:
                    for key, values in self._values.items():
                        values[_key(self._read(name)(key))].pop(name, None)
                self._documents[name] = document
                for key, values in self._values.items():
                    values.setdefault(_key(self._read(name)(key)), {})[name] = None

    def __len__(self) -> int:
        return len(self._documents)

    @property
    def documents(self) -> list[Document]:
        """All of them."""
        with self._lock:
            return list(self._documents.values())

    def _matching(self, tree: Filter) -> frozenset[str]:
        if isinstance(tree, Comparison):
            return self._compared(tree)
        found = [self._matching(part) for part in tree.parts]
        return frozenset.intersection(*found) if tree.every else frozenset.union(*found)

    def _compared(self, comparison: Comparison) -> frozenset[str]:
        looked_at = self._looked_at(comparison, self._of(comparison.key))
        kept = (names for names in looked_at.values() if names and comparison.matches(self._read(next(iter(names)))))
        return frozenset(name for names in kept for name in names)

    def _read(self, name: str) -> Read:
        document = self._documents[name]
        return reader(document, document.attributes)

    def _looked_at(self, comparison: Comparison, values: dict[_Key, dict[str, None]]) -> dict[_Key, dict[str, None]]:
        """The values that may match."""
        wanted = comparison.value if isinstance(comparison.value, tuple) else (comparison.value,)
        if comparison.kind not in ("eq", "in") or not all(isinstance(each, str) for each in wanted):
            return values
        # A text equals only itself; an attribute with several values is compared value by value.
        found = {(str, each): values[str, each] for each in wanted if (str, each) in values}
        return found | {key: names for key, names in values.items() if key[0] not in (str, int, float, bool)}

    def _of(self, key: str) -> dict[_Key, dict[str, None]]:
        values = self._values.get(key)
        if values is None:
            values = {}
            for name in self._documents:
                values.setdefault(_key(self._read(name)(key)), {})[name] = None
            self._values[key] = values
        return values


def _key(value: Any) -> _Key:
    # Equal numbers and booleans are distinguished by type; values that cannot be keys are compared by their
    # representation.
    return type(value), value if isinstance(value, str | int | float) else repr(value)
