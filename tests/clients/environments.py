"""The clients' environments: one for each Python client, one for all that run in Node. They are made once and kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.clients.families import NODE, Family

CACHE = Path(os.environ.get("CLIENTS_CACHE") or Path.home() / ".cache" / "mainspring" / "clients")


class Unavailable(Exception):
    """The client cannot be installed or run here."""


@dataclass(frozen=True)
class Environment:
    """``command`` runs a script in it; ``folder`` is its own."""

    command: tuple[str, ...]
    folder: Path

    @property
    def programs(self) -> Path:
        return Path(self.command[0]).parent


def made(family: Family, *, newest: bool = False, here: bool = False) -> Environment:
    """The environment of ``family``, with what it requires; ``here``: this one, if it is Python's. Raises
    ``Unavailable``."""
    if family.node:
        return _node(newest=newest)
    if here:
        folder = CACHE / "here"
        folder.mkdir(parents=True, exist_ok=True)
        return Environment((sys.executable,), folder)
    return python(family.environment, family.requirements, version=family.python, newest=newest)


def node_version() -> str:
    node = shutil.which("node")
    return subprocess.run([node, "--version"], capture_output=True, text=True).stdout.strip() if node else ""


def python(name: str, requirements: Sequence[str], *, version: str = "", newest: bool = False) -> Environment:
    """An environment of that name with these packages. Raises ``Unavailable``."""
    folder = CACHE / name
    python = folder / "bin" / "python"
    wanted = [each.split("==")[0] for each in requirements] if newest else list(requirements)
    stamp = folder / "installed"
    if newest or not stamp.exists() or stamp.read_text() != "\n".join(wanted):
        uv = [str(Path(sys.executable).parent / "uv")]
        _do([*uv, "venv", "--quiet", "--clear", "--python", version or sys.executable, str(folder)])
        _do([*uv, "pip", "install", "--quiet", "--python", str(python), *wanted])
        stamp.write_text("\n".join(wanted))
    return Environment((str(python),), folder)


def _node(*, newest: bool) -> Environment:
    """The packages of the lock file, and the scripts beside them: that is where Node looks for what they import."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise Unavailable("Node and npm are not installed")
    folder = CACHE / "node"
    folder.mkdir(parents=True, exist_ok=True)
    lock, stamp = (NODE / "package-lock.json").read_text(), folder / "installed"
    for path in (*NODE.glob("*.mjs"), NODE / "package.json", NODE / "package-lock.json", NODE / ".npmrc"):
        shutil.copyfile(path, folder / path.name)
    if newest:
        packages = [name.removeprefix("node_modules/") for name in _direct(NODE / "package.json")]
        _do([npm, "install", "--no-audit", *(f"{name}@latest" for name in packages)], folder)
        stamp.unlink(missing_ok=True)
    elif not stamp.exists() or stamp.read_text() != lock:
        _do([npm, "ci", "--no-audit"], folder)
        stamp.write_text(lock)
    return Environment((node,), folder)


def _direct(package: Path) -> list[str]:
    import json

    return list(json.loads(package.read_text())["dependencies"])


def _do(command: Sequence[str], folder: Path | None = None) -> None:
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if ran.returncode:
        told = (ran.stderr or ran.stdout).strip().splitlines()
        raise Unavailable(f"it cannot be installed: {told[-1] if told else command[0]}")
