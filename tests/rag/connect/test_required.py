"""What a source needs is told before any source is read."""

from __future__ import annotations

import sys
from pathlib import Path

import fsspec
import pytest

from mainspring.cli.ask import ingest
from mainspring.core.errors import InvalidRequest, MainspringError, MissingExtra
from mainspring.rag.connect.registry import Spec, require

COLUMNS = {"query": "SELECT 1", "id": "a", "text": ["b"]}


def test_what_can_be_read_needs_nothing(tmp_path: Path) -> None:
    sources = (str(tmp_path), "memory://x", "https://docs.example", "git+https://docs.example/x.git", "mbox:x")
    require([*map(Spec, sources), Spec("sql+sqlite:///x.db", COLUMNS)], tmp_path)


@pytest.mark.parametrize(
    ("spec", "kind", "named"),
    [
        (Spec("s3://bucket/x"), MissingExtra, "s3fs"),
        (Spec("unheard://x"), InvalidRequest, "unheard"),
        (Spec("sql+oracle://x/y", COLUMNS), MissingExtra, "oracle"),
        (Spec("sql+sqlite:///x.db"), InvalidRequest, "needs id"),
        (Spec("https://docs.example"), MissingExtra, "protego"),
        (Spec("git+https://docs.example/x.git"), MissingExtra, "git program"),
    ],
)
def test_what_is_missing_is_named(
    spec: Spec, kind: type[MainspringError], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = fsspec.get_filesystem_class

    def absent(scheme: str) -> object:
        if scheme == "s3":
            raise ImportError("Install s3fs to access S3")
        return known(scheme)

    monkeypatch.setattr(fsspec, "get_filesystem_class", absent)
    monkeypatch.setitem(sys.modules, "protego", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(kind, match=named):
        require([Spec(str(tmp_path)), spec], tmp_path)


def test_the_command_asks_before_it_reads(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match="oracle"):
        ingest._specs([str(tmp_path), "sql+oracle://x/y"], dict(COLUMNS), {}, tmp_path)
