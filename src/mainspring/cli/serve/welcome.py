"""The welcome of a first start: a few questions with answers, and the next commands."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.cli.ask.target import LocalHome
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.system import System

RULE = "-" * 72


async def answered(system: System, model: str, question: str) -> None:
    """Ask as the local user and print question and answer."""
    print(f"\n{RULE}\nQ: {show.printable(question)}\n")
    show.answer(await LocalHome(system, system.local).answer(model, [{"role": "user", "content": question}]))


def onward(model: str) -> str:
    """The next commands, by the path that they have here."""
    program, activate = called()
    name = shlex.quote(model)
    lines = [
        "",
        "Go on in another terminal:",
        f'  {program} ask {name} "your question"',
        f"  {program} chat {name}",
        f"  {program} ingest my-documents ~/Documents/some-folder",
        f"  {program} --help",
    ]
    if activate:
        lines.append(f"`{activate}` makes `mainspring` alone enough. Ctrl-C stops the server.")
    else:
        lines.append("Ctrl-C stops the server.")
    return "\n".join(lines)


def called() -> tuple[str, str]:
    """How the command is called from the current folder, and what to enter in a shell once so that its name is enough
    (empty: it is enough already)."""
    script = Path(sys.argv[0])
    found = shutil.which("mainspring")
    if found and os.path.realpath(found) == os.path.realpath(script):
        return "mainspring", ""
    here = Path(sys.prefix) / "bin" / "mainspring"
    if not here.exists():
        return "mainspring", ""
    activate = here.with_name("activate")
    return _from_here(here), f"source {_from_here(activate)}" if activate.exists() else ""


def _from_here(path: Path) -> str:
    try:
        return shlex.quote(str(path.relative_to(Path.cwd())))
    except ValueError:
        return shlex.quote(str(path))
