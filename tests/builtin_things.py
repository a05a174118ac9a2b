"""A module that registers parts as a room of mainspring does, for ``tests/test_plugins.py``."""

from __future__ import annotations

from typing import Any

from mainspring.core.plugins import Registry, hookimpl


class Weigher:
    def __init__(self, name: str) -> None:
        self.name = name

    def weigh(self, text: str) -> int:
        return len(text)


@hookimpl
def mainspring_register(registry: Registry) -> None:
    made: Any = Weigher
    registry.add("chunker", "kitchen", made)
    registry.add("chunker", "letter", made)
