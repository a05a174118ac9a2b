"""Every example of the documentation runs: ``python`` blocks in order, each page one program; then its ``sh`` blocks of
``mainspring`` and ``curl`` commands. The address and the key of the pages are those of the test's own server. Blocks of
``sh torch`` are commands that need torch: tests with the marker ``torch`` run them after the page's program, without a
server.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import run_script, run_within
from tests.conftest import ROOT, Server

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
# The benchmarks' pages begin with their tables.
GUIDES = [page for page in PAGES if DOCS in page.parent.parents and not page.name.startswith("benchmarks")]
LINK = re.compile(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)")
BLOCK = re.compile(r"^```(python|sh|sh torch)\n(.*?)^```", re.MULTILINE | re.DOTALL)
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


def headings(page: Path) -> set[str]:
    """The names under which a page's headings are linked to, as GitHub makes them."""
    lines = re.findall(r"^#+ +(.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower().replace("`", "")).strip().replace(" ", "-") for line in lines}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if blocks(page, "python") or blocks(page, "sh")],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_examples(server: Server, page: Path, tmp_path: Path) -> None:
    """The program first: a page's commands look at what it has made."""
    if program := "\n\n".join(_here(block, server) for block in blocks(page, "python")):
        if absent := _absent(program):
            pytest.skip(f"the page's example needs {', '.join(absent)}: `make test-clients` runs it")
        script = tmp_path / "example.py"
        script.write_text(program, encoding="utf-8")
        ran = run_script(script, server.environment, ROOT)
        assert ran.returncode == 0, ran.stderr
    for block in blocks(page, "sh"):
        for command in _commands(_here(block, server)):
            ran = _typed(command, _with_path(server))
            assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"


@pytest.mark.torch
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "sh torch")], ids=lambda page: str(page.relative_to(ROOT))
)
def test_examples_that_need_torch(page: Path, tmp_path: Path) -> None:
    """In a home of their own."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"MAINSPRING_HOME": str(tmp_path / "home"), "PATH": path}
    script = tmp_path / "example.py"
    script.write_text("\n\n".join(blocks(page, "python")), encoding="utf-8")
    for command in (
        f"python {script}",
        *(each for block in blocks(page, "sh torch") for each in _commands(block)),
    ):
        ran = _run(["bash", "-c", command], environment)
        assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"


def test_links_between_pages_lead_somewhere() -> None:
    """To a file that is there, and to a heading that the page has."""
    broken = []
    for page in PAGES:
        for target, heading in LINK.findall(page.read_text(encoding="utf-8")):
            there = (page.parent / target).resolve() if target else page
            if not there.exists() or (heading and heading not in headings(there)):
                broken.append(f"{page.relative_to(ROOT)}: {target}#{heading}")
    assert not broken


def test_the_contents_name_every_page() -> None:
    contents = DOCS / "README.md"
    named = {(DOCS / target).resolve() for target, _ in LINK.findall(contents.read_text(encoding="utf-8"))}
    assert {page for page in DOCS.rglob("*.md") if page != contents} == named


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: str(page.relative_to(DOCS)))
def test_a_page_says_what_one_can_do_after_it_and_then_shows_it(page: Path) -> None:
    """The first sentence tells the reader's gain, and an example comes before the first section."""
    opening = page.read_text(encoding="utf-8").split("\n## ", 1)[0]
    assert re.match(r"# .+\n\nAfter this page you ", opening), "the page does not open with what one can do after it"
    assert re.search(r"^```", opening, re.MULTILINE), "no example stands before the first section"


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: str(page.relative_to(DOCS)))
def test_a_page_has_an_example_that_runs(page: Path) -> None:
    """What is only shown can be wrong for long."""
    assert [each for kind in ("python", "sh", "sh torch") for each in blocks(page, kind)]


def test_every_picture_is_shown() -> None:
    shown = {
        (page.parent / target).resolve()
        for page in PAGES
        for target, _ in LINK.findall(page.read_text(encoding="utf-8"))
    }
    assert not [path.name for path in (DOCS / "pictures").iterdir() if path not in shown]


def test_pages_that_code_names_are_there() -> None:
    """Errors and help send their readers to pages by path."""
    named: dict[str, str] = {}
    for folder in ("src", "scripts", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            for page in re.findall(r"(?<![\w/])docs/[a-z/-]+\.md", path.read_text(encoding="utf-8")):
                named.setdefault(page, str(path.relative_to(ROOT)))
    assert len(named) > 10
    assert not {page: by for page, by in named.items() if not (ROOT / page).exists()}


def _absent(program: str) -> list[str]:
    """The packages that ``program`` imports and that are not installed here: other people's clients."""
    imports = [node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {name for node in imports for name in _imported(node)}
    return sorted(name for name in names if importlib.util.find_spec(name) is None)


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [(node.module or "").split(".")[0]]
    return [alias.name.split(".")[0] for alias in node.names]


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
