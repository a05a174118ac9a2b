"""Files of a workspace as they are sent, indexed and stored."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.features.code.index import admission
from mainspring.features.code.index.catalogue import IndexedFile
from mainspring.features.code.syntax import symbols, trees
from mainspring.features.code.syntax.symbols import Outline, Symbol


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file as a client sends it."""

    path: str
    text: str
    sha256: str

    @classmethod
    def of(cls, path: str, text: str) -> SentFile:
        return cls(path, text, hashlib.sha256(text.encode("utf-8", "replace")).hexdigest())


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a sent file, why it was left out, and how many secrets are masked in it."""

    status: Literal["indexed", "unchanged", "left_out"]
    reason: str = ""
    masked: int = 0


@dataclass(frozen=True, slots=True)
class PreparedFile:
    """A file that is ready to be stored (None: it is left out)."""

    verdict: Verdict
    file: IndexedFile | None = None


def made(sent: Sequence[SentFile], most_bytes: int) -> dict[str, PreparedFile]:
    """The files as they are indexed, by path; of several of one path the last. Raises ``MissingExtra``."""
    return {each.path: _made(each, most_bytes) for each in sent}


def _made(sent: SentFile, most_bytes: int) -> PreparedFile:
    admitted = admission.admit(sent.path, sent.text, most_bytes)
    if admitted.reason:
        return PreparedFile(Verdict("left_out", admitted.reason))
    language = trees.language(sent.path)
    outline = symbols.outline(admitted.text, language)
    file = IndexedFile(sent.path, sent.sha256, language, admitted.text, outline)
    return PreparedFile(Verdict("indexed", masked=admitted.masked), file)


def row(tenant: str, workspace_id: str, file: IndexedFile, version: int, now: float) -> dict[str, Any]:
    """A row of ``code_files``."""
    outline = {
        "symbols": [list(asdict(symbol).values()) for symbol in file.outline.symbols],
        "imports": list(file.outline.imports),
        "whole": file.outline.whole,
    }
    return {
        "tenant": tenant,
        "workspace_id": workspace_id,
        "path": file.path,
        "sha256": file.sha256,
        "language": file.language,
        "text": file.text,
        "outline": rows.dump(outline),
        "version": version,
        "updated_at": now,
    }


def file(stored: sa.Row[Any]) -> IndexedFile:
    """The file of a row."""
    outline = rows.load(stored.outline)
    read = Outline(
        tuple(Symbol(*each) for each in outline["symbols"]), tuple(outline["imports"]), bool(outline["whole"])
    )
    return IndexedFile(
        stored.path,
        stored.sha256,
        stored.language,
        stored.text,
        read,
        stored.version,
        tuple(stored.text.split("\n")),
    )
