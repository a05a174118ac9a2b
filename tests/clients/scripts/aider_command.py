"""Aider without a terminal: it edits a file in a repository."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from checks import BASE, KEY, SCRIPTED, SMALL, URL, check, run

EDIT = "SAY greeting.py\n```\n<<<<<<< SEARCH\nprint('hello')\n=======\nprint('good morning')\n>>>>>>> REPLACE\n```\n"


def aider(*arguments, model=f"openai/{SCRIPTED}"):
    """The text of ``greeting.py`` after Aider's work, and what it printed."""
    folder = Path(tempfile.mkdtemp())
    (folder / "greeting.py").write_text("print('hello')\n")
    for command in ("git init -q", "git add -A", "git -c user.name=a -c user.email=a@example.com commit -qm first"):
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    environment = os.environ | {
        "OPENAI_API_BASE": BASE,
        "OPENAI_API_KEY": KEY,
        "ANTHROPIC_API_KEY": KEY,
        "ANTHROPIC_API_BASE": URL,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "AIDER_ANALYTICS_DISABLE": "true",
        "PYTHONPATH": "",
    }
    command = [str(Path(sys.executable).parent / "aider"), "--model", model, "--yes-always", "--no-check-update"]
    command += ["--no-show-model-warnings", "--no-pretty", "--no-gitignore", "--no-analytics", "--map-tokens", "0"]
    command += ["--no-auto-commits", "--no-show-release-notes", "--no-detect-urls", "--no-suggest-shell-commands"]
    command += [*arguments, "greeting.py"]
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=180)
    assert ran.returncode == 0, (ran.stdout + ran.stderr)[-800:]
    return (folder / "greeting.py").read_text(), ran.stdout


def settings(model, **more):
    """The file of model settings that the page tells to write."""
    path = Path(tempfile.mkdtemp()) / "settings.yml"
    path.write_text(json.dumps([{"name": model, "edit_format": "diff", **more}]))
    return ["--model-settings-file", str(path)]


@check("edit.diff")
def _():
    after, said = aider("--message", EDIT, *settings(f"openai/{SCRIPTED}", use_repo_map=False))
    assert after == "print('good morning')\n", said[-800:]


@check("edit.not_streamed")
def _():
    after, said = aider("--message", EDIT, "--no-stream", *settings(f"openai/{SCRIPTED}", use_repo_map=False))
    assert after == "print('good morning')\n", said[-800:]


@check("edit.messages_api")
def _():
    model = f"anthropic/{SCRIPTED}"
    after, said = aider("--message", EDIT, *settings(model, use_repo_map=False), model=model)
    assert after == "print('good morning')\n", said[-800:]


@check("ask.small_model")
def _():
    model = f"openai/{SMALL}"
    _, said = aider("--message", "What does it print?", "--chat-mode", "ask", *settings(model), model=model)
    assert "Tokens:" in said, said[-800:]


if __name__ == "__main__":
    run("Aider", "aider-chat", "litellm")
