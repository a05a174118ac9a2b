"""Sources as a user writes them, and the connectors that read them.

A path, ``https://...`` (a page or a sitemap), ``git+https://...@ref``, ``sql+postgresql://...``, ``mbox:PATH``,
``maildir:PATH``, ``eml:PATH``, or any storage's ``s3://bucket/prefix``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mainspring.core import plugins
from mainspring.core.errors import InvalidRequest
from mainspring.core.plugins import Kind
from mainspring.rag.connect.base import Connector

GROUPS = "groups"
"""An option of every source, which no connector reads: the access list of what comes from it."""


@dataclass(frozen=True, slots=True)
class Spec:
    """A source: its text, and its options."""

    text: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def groups(self) -> frozenset[str] | None:
        """The groups of its documents without an access list of their own (empty: everyone who sees the collection;
        None: not set)."""
        named = self.options.get(GROUPS)
        return None if named is None else frozenset(named)

    @property
    def kind(self) -> str:
        """Which connector reads it."""
        return _reader(self.text)[0]

    @property
    def known(self) -> frozenset[str]:
        """The options of this kind of source."""
        return _reader(self.text)[1].options


class ConnectorType(Protocol):
    """A kind of source: which texts name one, which options it has, and what reads it."""

    @property
    def options(self) -> frozenset[str]:
        """The names of the options, as they are stored."""
        ...

    def names(self, text: str) -> bool:
        """Whether ``text`` is such a source, as a user writes it: ``wiki:SPACE``."""
        ...

    def open(self, spec: Spec, options: Mapping[str, Any], home: Path) -> Connector:
        """The connector that reads the source; ``home`` is its folder for files between syncs. Raises
        ``InvalidRequest``."""
        ...


CONNECTOR: Kind[[], ConnectorType] = Kind("connector", ConnectorType, builtins="mainspring.rag.connect.builtin")
"""The first connector that names a source reads it; connectors of plugins come before mainspring's own."""


def connector(spec: Spec, home: Path) -> Connector:
    """The connector of a source; ``home`` is where it may keep files between syncs.

    Raises ``InvalidRequest`` for an option that this kind of source lacks or for one that is wrong.
    """
    kind, made = _reader(spec.text)
    unknown = sorted(spec.options.keys() - made.options - {GROUPS})
    if unknown:
        known = ", ".join(sorted(made.options)) or "none"
        raise InvalidRequest(
            f"{unknown[0]} is not an option of a {kind} source", remedy=f"Its options: {known}", param=unknown[0]
        )
    return made.open(spec, {name: value for name, value in spec.options.items() if name != GROUPS}, home)


def require(specs: Iterable[Spec], home: Path) -> None:
    """Raises what keeps one of ``specs`` from being read and can be told before any is: ``InvalidRequest`` for an
    option, ``MissingExtra`` for a package (a connector may have a method ``require`` for it)."""
    for spec in specs:
        told = getattr(connector(spec, home), "require", None)
        if told is not None:
            told()


def _reader(text: str) -> tuple[str, ConnectorType]:
    registry = plugins.registry()
    brought = registry.brought(CONNECTOR)
    for name in (*brought, *(each for each in registry.names(CONNECTOR) if each not in brought)):
        made = registry.make(CONNECTOR, name)
        if made.names(text):
            return name, made
    raise InvalidRequest(f"{text} is not a source that anything reads")


def stored(spec: Spec, made: Connector) -> Spec:
    """The source in its stored form: paths absolute, passwords removed."""
    return Spec(getattr(made, "address", made.location), spec.options)
