"""What every command says with ``--json``: one envelope, whose numbers are numbers, and a status that tells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from typer.main import get_command

from mainspring.cli.main import app
from tests.cli.command import Command, data
from tests.cli.test_commands import ENVELOPE, commands
from tests.surfaces import lines

# The command lines of a home with the collection ``animals``, the prompt ``p`` of two versions, and one answer. Those
# of features stand in ``tests/features/NAME/surface.py``.
DONE = lines(
    (
        *("ask animals Where?", "doctor", "documents", "documents animals", "traces", "traces {trace}"),
        *("ingest animals good.md", "sync animals", "search animals otters"),
        *("backup backup", "restore backup --home again"),
        *("rag parse good.md", "rag chunks good.md", "rag export animals out.jsonl", "rag graph build animals"),
        *("rag graph show animals", "rag graph search animals otters"),
        *("models list", "models show all-minilm-l6-v2", "models verify all-minilm-l6-v2", "cache show", "cache clear"),
        *("keys list", "keys create second", "keys rotate {key}", "keys revoke {key}"),
        *("credentials list", "budgets list", "budgets create --usd 9 --window day", "budgets change {budget} --usd 6"),
        *("limits show", "limits set keys=9", "costs", "costs prices", "costs advice", "guards try hello"),
        "guards check rules.yaml",
    ),
    "answering",
)
NO_SERVER = lines(
    (
        *("replicas list", "replicas drain a b", "replicas undrain a b"),
        *("rag scan animals", "rag quarantine animals", "rag release animals good.md"),
    ),
    "remote",
)
"""They ask a running server, and there is none."""
NOT_HERE = frozenset(
    lines(
        (
            *("rag import", "rag recall", "rag reindex", "rag graph path", "credentials rotate", "logs"),
            *("cache calibrate", "costs calibrate", "keys tier", "models pull", "models grade", "models remove"),
        ),
        "elsewhere",
    )
)
"""They need a data set, another model or what a server left: their own tests look at what they say."""
# A number, an amount, a truth or nothing, written for people.
WRITTEN = re.compile(r"[-+$]{0,2}\d[\d,]*(\.\d+)?\s?(%|ms|s|days?|[KMG]i?B)?|None|True|False|yes|no|-|for ever")
# Versions and digests are no numbers, nanoseconds are more than readers of JSON hold, and details are for people.
TEXTS = {"version", "start_ns", "detail", "text", "previous", "schema"}
# A version of TLS.
MEANT = {".settings[].value: 1.2"}


def written(value: Any, path: str = "") -> Iterator[str]:
    """Where a text stands for a number, a truth or nothing."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in TEXTS:
                yield from written(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from written(inner, f"{path}[]")
    elif isinstance(value, str) and WRITTEN.fullmatch(value):
        yield f"{path}: {value}"


@pytest.fixture
def lived_in(command: Command) -> tuple[Command, dict[str, str]]:
    """A home with something in it, and the ids in it by kind."""
    place = command.place
    (place / "good.md").write_text("# Otters\n\nSea otters sleep in the bay. The bay is Kelpwood Bay.\n")
    (place / "rules.yaml").write_text("pronouns: they\n")
    item = {"question": "Where?", "answer": "In the bay.", "passages": ["The bay."], "label": 1}
    (place / "judged.jsonl").write_text(f"{json.dumps(item)}\n")
    (place / "litellm.yaml").write_text("model_list: []\n")
    for text in ("Be brief.", "Be very brief."):
        (place / "p.txt").write_text(text)
        command.said("prompts", "add", "p", "p.txt")
    command.said("ingest", "animals", "good.md")
    command.said("ask", "animals", "Where do sea otters sleep?")
    ids = {
        "key": data(command.said("keys", "create", "first", "--json"))["id"],
        "budget": data(command.said("budgets", "create", "--usd", "5", "--json"))["id"],
        "trace": data(command.said("traces", "--json"))["data"][0]["id"],
    }
    return command, ids


def test_numbers_are_numbers_and_the_status_tells(lived_in: tuple[Command, dict[str, str]]) -> None:
    command, ids = lived_in
    for line in DONE:
        done = command(*line.format(**ids).split(), "--json")
        told = json.loads(done.stdout)
        assert set(told) == ENVELOPE, line
        assert (done.returncode, told["ok"], told["errors"]) == (0, True, []), (line, told["errors"], done.stderr)
        assert told["command"] == next(name for name in names() if f"{line} ".startswith(f"{name} ")), line
        assert set(written(told["data"])) <= MEANT, line
    for line in NO_SERVER:
        done = command(*line.format(**ids).split(), "--json")
        told = json.loads(done.stdout)
        assert (done.returncode, told["ok"], told["data"]) == (1, False, None), line
        assert told["errors"][0]["remedy"], line


@cache
def names() -> list[str]:
    """Commands with ``--json``, the longer names first."""
    found = commands(get_command(app))
    return sorted(
        (name for name, each in found if any("--json" in option.opts for option in each.params)), key=len, reverse=True
    )


def test_no_command_is_forgotten() -> None:
    known = {name for line in (*DONE, *NO_SERVER) for name in names() if f"{line} ".startswith(f"{name} ")}
    assert set(names()) - known == NOT_HERE


def test_texts_that_stand_for_numbers_are_found() -> None:
    told = {"a": "1,234", "b": ["$0.50", 3], "c": {"kept": "30 days", "version": "1"}, "d": "None", "e": "3 of 4 read"}
    assert list(written(told)) == [".a: 1,234", ".b[]: $0.50", ".c.kept: 30 days", ".d: None"]
