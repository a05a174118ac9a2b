"""Which files a folder has, and what does not count as deleted."""

import os
from pathlib import Path

import pytest

from mainspring.core.errors import UpstreamError
from mainspring.rag.connect.folder import Folder


def names(folder: Folder) -> list[str]:
    return [source.name for source in folder.sources()]


def test_links_that_lead_out_are_left_out(tmp_path: Path) -> None:
    given, elsewhere = tmp_path / "given", tmp_path / "elsewhere"
    given.mkdir()
    elsewhere.mkdir()
    (elsewhere / "secret.txt").write_text("not given")
    (given / "a.txt").write_text("given")
    (given / "out.txt").symlink_to(elsewhere / "secret.txt")
    (given / "again.txt").symlink_to(given / "a.txt")
    assert names(Folder(given)) in (["a.txt"], ["again.txt"])


def test_a_subfolder_that_cannot_be_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions do not stop the superuser, so the listing itself is made to fail."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "b.txt").write_text("b")
    scandir = os.scandir

    def failing(path: str) -> object:
        if str(path).endswith("below"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    assert names(Folder(tmp_path)) == ["below/b.txt"]
    monkeypatch.setattr(os, "scandir", failing)
    with pytest.raises(UpstreamError, match="below cannot be listed: Permission denied"):
        Folder(tmp_path).sources()
