"""One server a home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mainspring.cli.serve.home_lock import NAME, sole_server
from mainspring.core.errors import Conflict
from mainspring.core.settings import Settings, StoresSettings

HOLDS = """
import sys
from pathlib import Path
from mainspring.cli.serve.home_lock import sole_server
from mainspring.core.settings import Settings
with sole_server(Settings(home=Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_server_on_a_home_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HOLDS, settings.home], stdin=pipe, stdout=pipe, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with pytest.raises(Conflict, match=f"process {first.pid}\\) serves the home {settings.home} already") as caught:
            sole_server(settings).__enter__()
        assert "another `home`" in str(caught.value.remedy)
        first.kill()
    with sole_server(settings):
        assert (settings.home / NAME).read_text() == f"{os.getpid()}\n"
        assert (settings.home / NAME).stat().st_mode & 0o077 == 0
    with sole_server(settings):
        assert (settings.home / NAME).exists()


def test_servers_on_one_database_may_share_a_home(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, stores=StoresSettings(database="postgresql://somewhere/x"))
    with sole_server(settings), sole_server(settings):
        assert not (settings.home / NAME).exists()
