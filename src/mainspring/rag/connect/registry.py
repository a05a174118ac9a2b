"""Sources as a user writes them, and the connectors that read them.

A path, ``https://...`` (a page or a sitemap), ``git+https://...@ref``, ``sql+postgresql://...``, ``mbox:PATH``,
``maildir:PATH``, ``eml:PATH``, or any storage's ``s3://bucket/prefix``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mainspring.core.errors import InvalidRequest
from mainspring.rag.connect import git, mail, sql
from mainspring.rag.connect.base import Connector
from mainspring.rag.connect.folder import Folder
from mainspring.rag.connect.git import Git
from mainspring.rag.connect.mail import Mail
from mainspring.rag.connect.sql import Sql
from mainspring.rag.connect.storage import Storage
from mainspring.rag.connect.web import Web

# Options of each kind of source, by the names that they are stored under.
OPTIONS: Mapping[str, frozenset[str]] = {
    "folder": frozenset(),
    "web": frozenset({"depth", "max_pages", "max_bytes", "delay_s", "private_hosts"}),
    "git": frozenset({"include", "exclude"}),
    "sql": frozenset({"query", "id", "text", "changed", "groups_column"}),
    "mail": frozenset(),
    "storage": frozenset(),
}


GROUPS = "groups"
"""An option of every source, which no connector reads: the access list of what comes from it."""


@dataclass(frozen=True, slots=True)
class Spec:
    """A source: what was written, and the options that go with it."""

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
        scheme, _, _ = self.text.partition(":")
        if self.text.startswith(("http://", "https://")):
            return "web"
        if self.text.startswith(git.PREFIX):
            return "git"
        if self.text.startswith(sql.PREFIX):
            return "sql"
        if scheme in mail.FORMS:
            return "mail"
        return "storage" if "://" in self.text else "folder"


def connector(spec: Spec, home: Path) -> Connector:
    """The connector of a source; ``home`` is where it may keep files between syncs.

    Raises ``InvalidRequest`` for an option that this kind of source lacks or for one that is wrong.
    """
    kind = spec.kind
    unknown = sorted(spec.options.keys() - OPTIONS[kind] - {GROUPS})
    if unknown:
        known = ", ".join(sorted(OPTIONS[kind])) or "none"
        raise InvalidRequest(
            f"{unknown[0]} is no option of a {kind} source", remedy=f"Its options: {known}", param=unknown[0]
        )
    options: dict[str, Any] = {name: value for name, value in spec.options.items() if name != GROUPS}
    match kind:
        case "web":
            return Web(spec.text, **options)
        case "git":
            url, ref = _at_ref(spec.text.removeprefix(git.PREFIX))
            return Git(url, home / "git", ref=ref, **options)
        case "sql":
            missing = sorted({"query", "id", "text"} - options.keys())
            if missing:
                raise InvalidRequest(
                    f"a database needs {missing[0]}",
                    remedy="Give --query 'SELECT ...' --id COLUMN --text COLUMN",
                    param=missing[0],
                )
            return Sql(spec.text.removeprefix(sql.PREFIX), **options)
        case "mail":
            form, _, path = spec.text.partition(":")
            return Mail(form, Path(path))
        case "storage":
            return Storage(spec.text)
        case _:
            return Folder(Path(spec.text))


def stored(spec: Spec, made: Connector) -> Spec:
    """The source as it is stored: paths absolute, passwords left out."""
    if isinstance(made, Sql):
        return Spec(made.address, spec.options)
    return Spec(made.location, spec.options)


def _at_ref(text: str) -> tuple[str, str]:
    """``https://host/path@ref`` -> (``https://host/path``, ``ref``); an ``@`` in the host is none of ours."""
    path = urlsplit(text).path
    _, found, ref = path.rpartition("@")
    return (text[: -len(ref) - 1], ref) if found and ref else (text, "HEAD")
