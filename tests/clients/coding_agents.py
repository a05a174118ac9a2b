"""Runs coding agents against a server of this tree: each makes a small edit, or answers a first prompt.

    python -m tests.clients.coding_agents                      an edit, as the model ``scripted`` plays it
    python -m tests.clients.coding_agents --only codex
    python -m tests.clients.coding_agents --newest             with the newest version of each
    python -m tests.clients.coding_agents --model NAME         a question to a model of the catalogue

The agents come from npm into ``~/.cache/mainspring/clients/coding-agents``. An edit is passed if the file says what was
asked for and the agent ended well; a question if the agent ended well with an answer. The exit status is 1 if one
failed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.clients.environments import CACHE
from tests.clients.server import running

Commands = Callable[[str, str], Sequence[str]]
LIMIT_S = 300
TEXT = 'def greet(name: str) -> str:\n    return f"Hello, {name}"\n'
EDIT = "In greet.py, replace Hello with Goodbye."
QUESTION = "What does greet.py do? Answer in one sentence."


@dataclass(frozen=True)
class CodingAgent:
    """An agent: its ``package``, its command for a model and a prompt, the calls of the edit in the file ``{FILE}``,
    and what it finds in its home and its variables, in which ``{URL}`` is the server's address."""

    package: str
    command: Commands
    edit: Sequence[tuple[str, Mapping[str, str]]]
    variables: Mapping[str, str]
    home: Mapping[str, str] = field(default_factory=dict)


def _claude(model: str, prompt: str) -> Sequence[str]:
    return ("claude", "-p", prompt, "--model", model, "--allowedTools", "Read,Edit")


def _codex(model: str, prompt: str) -> Sequence[str]:
    # Its own sandbox needs rights that a container lacks; the folder is a temporary one.
    loose = "--dangerously-bypass-approvals-and-sandbox"
    return ("codex", "exec", "--skip-git-repo-check", loose, "-m", model, prompt)


def _qwen(model: str, prompt: str) -> Sequence[str]:
    return ("qwen", "-p", prompt, "--auth-type", "openai", "--model", model, "--approval-mode", "auto-edit")


_SED = "sed -i s/Hello/Goodbye/ greet.py"
_REPLACED = {"file_path": "{FILE}", "old_string": "Hello", "new_string": "Goodbye"}
_PROVIDER = """model_provider = "mainspring"

[model_providers.mainspring]
name = "mainspring"
base_url = "{URL}/v1"
env_key = "MAINSPRING_API_KEY"
wire_api = "responses"
stream_idle_timeout_ms = 1200000
"""
AGENTS: Mapping[str, CodingAgent] = {
    "claude": CodingAgent(
        "@anthropic-ai/claude-code@2.1.332",
        _claude,
        (("Read", {"file_path": "{FILE}"}), ("Edit", _REPLACED)),
        {
            "ANTHROPIC_BASE_URL": "{URL}",
            "ANTHROPIC_API_KEY": "{KEY}",
            "ANTHROPIC_SMALL_FAST_MODEL": "{MODEL}",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "API_TIMEOUT_MS": "1200000",
        },
    ),
    "codex": CodingAgent(
        "@openai/codex@0.171.0",
        _codex,
        (("exec_command", {"cmd": "cat greet.py"}), ("exec_command", {"cmd": _SED})),
        {"MAINSPRING_API_KEY": "{KEY}"},
        {".codex/config.toml": _PROVIDER},
    ),
    "qwen": CodingAgent(
        "@qwen-code/qwen-code@0.24.4",
        _qwen,
        (("read_file", {"file_path": "{FILE}"}), ("edit", _REPLACED)),
        {"OPENAI_BASE_URL": "{URL}/v1", "OPENAI_API_KEY": "{KEY}", "OPENAI_MODEL": "{MODEL}"},
        {".qwen/settings.json": '{"model": {"generationConfig": {"timeout": 1200000, "maxRetries": 0}}}'},
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", default=",".join(AGENTS), help=f"of {', '.join(AGENTS)}, with commas between them")
    parser.add_argument("--newest", action="store_true")
    parser.add_argument("--model", default="scripted")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds for an agent")
    parser.add_argument("--keep", type=Path, help="write what each agent said into this folder")
    given = parser.parse_args()
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
    chosen = {name: AGENTS[name] for name in given.only.split(",")}
    programs = _installed([each.package for each in AGENTS.values()], newest=given.newest)
    failed = 0
    with tempfile.TemporaryDirectory() as home, running(Path(home), **_serving(given.model, given.limit)) as server:
        for name, agent in chosen.items():
            begun = time.monotonic()
            ran, told, text = _run(agent, programs, server.url, server.key, given.model, given.limit)
            good = ran == 0 and bool(told.strip()) and (given.model != "scripted" or "Goodbye" in text)
            failed += not good
            print(f"{name:8} {'passed' if good else 'FAILED'} in {time.monotonic() - begun:.0f} s", flush=True)
            print("         " + " ".join(told.split())[-400 if good else -1200 :], flush=True)
            if given.keep:
                (given.keep / f"{name}.txt").write_text(told)
    return 1 if failed else 0


def _serving(model: str, limit: float) -> dict[str, str]:
    if model == "scripted":
        return {}
    return {
        "MAINSPRING_MODELS__CHAT": json.dumps([model]),
        "MAINSPRING_ENGINES__PREFIX_CACHE": "true",
        "MAINSPRING_GATEWAY__REQUEST_TIMEOUT_S": str(limit),
    }


def _installed(packages: Sequence[str], *, newest: bool) -> Path:
    """The folder of the agents' programs."""
    folder = CACHE / "coding-agents"
    wanted = [f"{each.rpartition('@')[0]}@latest" if newest else each for each in packages]
    stamp = folder / "installed"
    if newest or not stamp.exists() or stamp.read_text() != "\n".join(wanted):
        folder.mkdir(parents=True, exist_ok=True)
        npm = shutil.which("npm") or sys.exit("npm is not installed")
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), *wanted]
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if ran.returncode:
            sys.exit(f"the agents cannot be installed: {ran.stderr[-400:]}")
        stamp.write_text("\n".join(wanted))
    return folder / "node_modules" / ".bin"


def _run(agent: CodingAgent, programs: Path, url: str, key: str, model: str, limit: float) -> tuple[int, str, str]:
    """The exit status of an agent, what it said, and what the file says then."""
    with tempfile.TemporaryDirectory() as place:
        home, folder = Path(place) / "home", Path(place) / "work"
        folder.mkdir(parents=True)
        file = folder / "greet.py"
        file.write_text(TEXT)
        values = {"URL": url, "KEY": key, "MODEL": model, "FILE": str(file)}
        for name, text in {**agent.home, ".keep": ""}.items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(_filled(text, values))
        prompt = QUESTION
        if model == "scripted":
            prompt = "\n".join(
                [EDIT, *(f"THEN {tool} {_filled(json.dumps(said), values)}" for tool, said in agent.edit)]
            )
        aside = ("OPENAI_", "ANTHROPIC_", "CLAUDE", "CODEX", "MAINSPRING_", "QWEN_", "VIRTUAL_ENV", "PYTHONPATH")
        variables = {name: value for name, value in os.environ.items() if not name.startswith(aside)}
        variables |= {name: _filled(value, values) for name, value in agent.variables.items()}
        variables |= {"HOME": str(home), "NO_PROXY": "127.0.0.1,localhost", "CI": "1"}
        command = agent.command(model, prompt)
        try:
            ran = subprocess.run(
                [str(programs / command[0]), *command[1:]],
                cwd=folder, env=variables, capture_output=True, text=True, timeout=limit, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return 124, f"it was not done within {limit} s", file.read_text()
        told = ran.stdout if ran.returncode == 0 else f"{ran.stdout}\n{ran.stderr}"
        return ran.returncode, told, file.read_text()


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


if __name__ == "__main__":
    sys.exit(main())
