"""Public talks of several turns, and attempts to extract what an assistant must not reveal.

Each is read from its upstream's own files below ``turns`` of the data sets (docs/reference/benchmarks-data.md); what is
not there is empty. Nothing is fitted on them: the packaged detectors were finished before anyone saw these talks.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Talk = list[str]
_RUST_TEST = re.compile(r"ConversationTest \{\n\s+id:")
_RUST_USER = re.compile(r"role: MessageRole::User,\s*content: \"((?:[^\"\\]|\\.)*)\"")


def attempts(data: Path, name: str) -> list[str]:
    """Texts of a file of Parapet's evaluation: ``mosscap_attacks`` (people who want a password from an assistant),
    ``deepset_attacks``, ``deepset_benign``."""
    return _unique(row["content"] for row in _yaml(data, f"opensource_{name}"))


def parapet(data: Path, kind: str) -> list[Talk]:
    """Parapet's few talks of several turns, ``attacks`` or ``benign``."""
    return _several(_said(row["messages"]) for row in _yaml(data, f"multiturn_{kind}"))


def heroforge(data: Path) -> list[Talk]:
    """HeroForge's built-in attacks over several turns."""
    path = data / "turns/heroforge/conversation_payloads.rs"
    parts = _RUST_TEST.split(path.read_text(encoding="utf-8"))[1:] if path.exists() else []
    return _several([json.loads(f'"{said}"') for said in _RUST_USER.findall(part)] for part in parts)


def recorded(data: Path) -> dict[str, list[Talk]]:
    """What a model that attacks wrote to models under attack, by the way in which it did (crescendo, opposite day)."""
    found: dict[str, list[Talk]] = {}
    for path in sorted((data / "turns/recorded").glob("*.jsonl")):
        rows = _lines(path)
        way = next((str(row["jailbreak_tactic"]) for row in rows if "jailbreak_tactic" in row), "")
        found.setdefault(way, []).append([row["user"] for row in rows if row.get("user")])
    return {way: _several(talks) for way, talks in found.items()}


def cyber(data: Path) -> list[Talk]:
    """Harmful requests about computers, each in three steps (CyMulTenSet)."""
    path = data / "turns/cymulten/CyMulTenSet_N_3.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return _several(
        [row[f"{tense} Turn {turn}"] for turn in (1, 2, 3)] for row in rows for tense in ("Present", "Past")
    )


def bookings(data: Path) -> list[list[tuple[str, str]]]:
    """(who, what) of the dialogues of SGD's development set, ``USER`` and ``SYSTEM``."""
    return [
        [(turn["speaker"], turn["utterance"]) for turn in each["turns"]]
        for path in sorted((data / "turns/sgd").glob("dialogues_*.json"))
        for each in json.loads(path.read_text(encoding="utf-8"))
    ]


def _said(messages: list[dict[str, str]]) -> Talk:
    return [each["content"] for each in messages if each["role"] == "user"]


def _several(talks: Any) -> list[Talk]:
    """Those of two turns or more, each once."""
    told = ([" ".join(text.split()) for text in talk if text.strip()] for talk in talks)
    return [list(talk) for talk in dict.fromkeys(tuple(talk) for talk in told) if len(talk) > 1]


def _unique(texts: Any) -> list[str]:
    return list(dict.fromkeys(text.strip()[:600] for text in texts if text.strip()))


def _yaml(data: Path, name: str) -> Iterator[dict[str, Any]]:
    path = data / f"turns/parapet/{name}.yaml"
    yield from yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) if path.exists() else ()


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
