"""Sockets of engines' children: their paths are short for every folder of temporary files."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

import pytest

from mainspring.engines.process import sockets


def test_a_socket_can_be_made_wherever_temporary_files_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("long " * 20 + "ü")
    deep.mkdir()
    for place in (Path("/tmp"), deep):
        monkeypatch.setattr(tempfile, "tempdir", str(place))
        made, path = sockets.folder("engine.sock")
        with made, socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path)
        assert not Path(made.name).exists()
