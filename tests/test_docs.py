"""Every example of the documentation runs: ``python`` blocks in order, each page one program; then its ``sh`` blocks of
``mainspring`` and ``curl`` commands. The address and the key of the pages are those of the test's own server."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import run_script, run_within
from tests.conftest import ROOT, Server

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Commands that set up the machine, stop the reader's server or need a hub; `make` targets are what CI runs itself.
NOT_HERE = (
    "make ",
    "mainspring up",
    "pip ",
    "git ",
    "mainspring models pull",
    "mainspring models remove",
    "mainspring models grade",
)


# What a shell does more than split words.
SHELL = re.compile(r"[|&;<>()$`*~#\[\]{}]")


def blocks(page: Path, kind: str) -> list[str]:
    return [body for found, body in BLOCK.findall(page.read_text(encoding="utf-8")) if found == kind]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "python") or blocks(page, "sh")], ids=lambda page: page.name
)
def test_examples(server: Server, page: Path, tmp_path: Path) -> None:
    """The program first: a page's commands look at what it has made."""
    if program := "\n\n".join(_here(block, server) for block in blocks(page, "python")):
        script = tmp_path / "example.py"
        script.write_text(program, encoding="utf-8")
        ran = run_script(script, server.environment, ROOT)
        assert ran.returncode == 0, ran.stderr
    for block in blocks(page, "sh"):
        for command in _commands(_here(block, server)):
            ran = _typed(command, _with_path(server))
            assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert not broken


def _run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


def _typed(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A command line as a shell runs it; one that needs no shell is spared the start of a process."""
    words = shlex.split(command)
    if words[0] == "mainspring" and not SHELL.search(command):
        return run_within(tuple(words[1:]), environment, ROOT)
    return _run(["bash", "-c", command], environment)


def _here(text: str, server: Server) -> str:
    return text.replace("http://127.0.0.1:8000", server.url).replace("ms-...", server.key)


def _commands(block: str) -> list[str]:
    joined = block.replace("\\\n", " ")
    lines = [line.strip() for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return [line for line in lines if not line.startswith(NOT_HERE)]


def _with_path(server: Server) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{server.environment['PATH']}"
    return server.environment | {"PATH": path}
