"""The embedders of collections: the configured one, and those that other collections were embedded with.

A collection is searched with the model that its vectors are of, whichever ``models.embedding`` is. A model is loaded
when a collection first needs it, and only a limited number of graphs stay in memory.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from mainspring.core.errors import Conflict, MainspringError, ModelError, UnknownModel
from mainspring.engines.base import Embedder

REMEDY = "Pull it with `mainspring models pull {0}`, or move the collection with `mainspring rag reindex`"

Load = Callable[[str], Embedder]
"""Makes the embedder of that name, without its graph. Raises ``UnknownModel``, ``ModelNotPulled``, ``ModelError``."""


@runtime_checkable
class Unloads(Protocol):
    """An embedder that can release its weights until it is used again."""

    def unload(self) -> None: ...


class Embedders:
    """Embedders by name. ``default`` is the caller's to close; at most ``keep`` others are in memory at once.

    An embedder from ``get`` stays usable after its graph was released: its next use loads it again.
    """

    def __init__(self, default: Embedder, load: Load | None = None, *, keep: int = 1) -> None:
        self.default = default
        self._load = load
        self._keep = keep
        self._others: dict[str, Embedder] = {}
        self._loaded: OrderedDict[str, None] = OrderedDict()
        self._loading = asyncio.Lock()

    async def get(self, name: str, what: str = "a collection") -> Embedder:
        """The embedder ``name``, which ``what`` needs.

        Raises ``Conflict`` if no catalogue has it, and ``ModelNotPulled`` or ``ModelError`` if it cannot be used.
        """
        if name == self.default.name:
            return self.default
        if name not in self._others:
            async with self._loading:
                if name not in self._others:
                    self._others[name] = await asyncio.to_thread(self._make, name, what)
        self._loaded[name] = None
        self._loaded.move_to_end(name)
        while len(self._loaded) > self._keep:
            oldest, _ = self._loaded.popitem(last=False)
            if isinstance(one := self._others[oldest], Unloads):
                one.unload()
        return self._others[name]

    async def has(self, name: str) -> bool:
        """Whether ``get`` would give it."""
        try:
            await self.get(name)
        except MainspringError:
            return False
        return True

    async def close(self) -> None:
        """Close all but the default one."""
        await asyncio.gather(*(each.close() for each in self._others.values()))
        self._others.clear()
        self._loaded.clear()

    def _make(self, name: str, what: str) -> Embedder:
        if self._load is None:
            raise _conflict(name, what, self.default.name)
        try:
            return self._load(name)
        except UnknownModel:
            raise _conflict(name, what, self.default.name) from None
        except ModelError as error:
            # The error has the same type, but describes what needs the model.
            raise type(error)(
                f"{what} was embedded with {name}: {error.message}", remedy=REMEDY.format(name)
            ) from error


def embedders_of(given: Embedder | Embedders) -> Embedders:
    """``given``, or that one embedder and no other."""
    return given if isinstance(given, Embedders) else Embedders(given)


def _conflict(name: str, what: str, default: str) -> Conflict:
    return Conflict(
        f"{what} was embedded with {name}, which is not a model of a catalogue here (models.embedding is {default})",
        remedy="Add the model to models.catalogues, or move the collection with `mainspring rag reindex`",
    )
