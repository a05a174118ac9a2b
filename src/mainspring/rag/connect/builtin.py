"""The built-in connectors, registered as any plugin registers its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mainspring.core.errors import InvalidRequest
from mainspring.core.plugins import Registry, hookimpl
from mainspring.rag.connect import git, mail, sql
from mainspring.rag.connect.base import Connector
from mainspring.rag.connect.folder import Folder
from mainspring.rag.connect.git import Git
from mainspring.rag.connect.mail import Mail
from mainspring.rag.connect.registry import CONNECTOR, Spec
from mainspring.rag.connect.sql import Sql
from mainspring.rag.connect.storage import Storage
from mainspring.rag.connect.web import Web


@dataclass(frozen=True, slots=True)
class BuiltinConnector:
    """Two functions as a ``ConnectorType``: ``named`` of a source's text, ``made`` of its text, options and home."""

    named: Callable[[str], bool]
    made: Callable[[str, Mapping[str, Any], Path], Connector]
    options: frozenset[str] = frozenset()

    def names(self, text: str) -> bool:
        return self.named(text)

    def open(self, spec: Spec, options: Mapping[str, Any], home: Path) -> Connector:
        return self.made(spec.text, options, home)


@hookimpl
def mainspring_register(registry: Registry) -> None:
    """``factory() -> ConnectorType``, the most general last: every text that names no other source names a folder."""
    web = frozenset({"depth", "max_pages", "max_bytes", "delay_s", "private_hosts"})
    columns = frozenset({"query", "id", "text", "changed", "groups_column"})
    kinds = {
        "web": BuiltinConnector(
            lambda text: text.startswith(("http://", "https://")), lambda text, options, _: Web(text, **options), web
        ),
        "git": BuiltinConnector(lambda text: text.startswith(git.PREFIX), _git, frozenset({"include", "exclude"})),
        "sql": BuiltinConnector(lambda text: text.startswith(sql.PREFIX), _sql, columns),
        "mail": BuiltinConnector(lambda text: text.partition(":")[0] in mail.FORMS, _mail),
        "storage": BuiltinConnector(lambda text: "://" in text, lambda text, _, __: Storage(text)),
        "folder": BuiltinConnector(lambda _: True, lambda text, _, __: Folder(Path(text))),
    }

    def add(name: str, made: BuiltinConnector) -> None:
        registry.add(CONNECTOR, name, lambda: made)

    for name, made in kinds.items():
        add(name, made)


def _git(text: str, options: Mapping[str, Any], home: Path) -> Connector:
    url, ref = _at_ref(text.removeprefix(git.PREFIX))
    return Git(url, home / "git", ref=ref, **options)


def _sql(text: str, options: Mapping[str, Any], _: Path) -> Connector:
    missing = sorted({"query", "id", "text"} - options.keys())
    if missing:
        raise InvalidRequest(
            f"a database needs {missing[0]}",
            remedy="Give --query 'SELECT ...' --id COLUMN --text COLUMN",
            param=missing[0],
        )
    return Sql(text.removeprefix(sql.PREFIX), **options)


def _mail(text: str, options: Mapping[str, Any], home: Path) -> Connector:  # noqa: ARG001
    form, _, path = text.partition(":")
    return Mail(form, Path(path))


def _at_ref(text: str) -> tuple[str, str]:
    """``https://host/path@ref`` -> (``https://host/path``, ``ref``); an ``@`` in the host is none of ours."""
    path = urlsplit(text).path
    _, found, ref = path.rpartition("@")
    return (text[: -len(ref) - 1], ref) if found and ref else (text, "HEAD")
