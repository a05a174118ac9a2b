"""The data card of an export: a README that says what is in it, where it is from, and what it may be used for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

_TASKS = {
    "sft": ("text-generation", "conversations whose last message is the answer"),
    "preference": ("text-generation", "two answers to one conversation, one of which was preferred"),
    "thumbs": ("text-generation", "answers that users rated with a thumb"),
    "few-shot": ("text-generation", "examples of good answers before a question"),
    "raft": ("question-answering", "questions with documents, and answers that cite them or refuse"),
    "triplets": ("sentence-similarity", "questions with a passage that answers them and one that does not"),
    "rerank": ("text-ranking", "questions with passages, and whether an answer cites them"),
    "reader": ("question-answering", "questions with passages, and what in them answers, if anything does"),
    "nli": ("text-classification", "sentences of answers with passages, and whether the passage entails them"),
    "classification": ("text-classification", "questions with a class"),
}
_MOST = 600


def text(manifest: Mapping[str, Any], example: Sequence[Mapping[str, Any]]) -> str:
    """The card in Markdown, with the metadata that the Hugging Face hub reads at its top."""
    task, what = _TASKS[manifest["kind"]]
    rows = manifest["split"]["rows"]
    files = [f"  - split: {side}\n    path: {side}.jsonl" for side, count in rows.items() if count]
    configs = ["configs:", "- config_name: default", "  data_files:", *files] if files else []
    head = [
        "---",
        f"license: {_licence(manifest['licence'])}",
        f"task_categories:\n- {task}",
        *([f"language:\n{_listed(manifest['languages'])}"] if manifest["languages"] else []),
        *configs,
        "---",
    ]
    parts = [
        "\n".join(head),
        f"# {manifest['name']}",
        f"{manifest['rows']} rows of kind `{manifest['kind']}`: {what}. Written for {manifest['format']}.",
        _table("Split", ("split", "rows", "groups"), _splits(manifest)),
        "Near-duplicate questions, and rows of one session or of one answer, are in one group. No group straddles.",
        _table("Cleaning", ("step", "interactions"), list(manifest["counts"].items())),
        _origins(manifest),
        _consent(manifest),
        _limits(manifest),
        _example(example),
        _table("Files", ("file", "rows", "sha256"), _files(manifest)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _splits(manifest: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    split = manifest["split"]
    return [(side, split["rows"][side], split["groups"][side]) for side in split["rows"]]


def _files(manifest: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return [(name, about.get("rows", ""), f"`{about['sha256']}`") for name, about in manifest["files"].items()]


def _origins(manifest: Mapping[str, Any]) -> str:
    span = " to ".join(_day(manifest[each]) for each in ("from", "to") if manifest[each] is not None)
    said = [
        "## Origin",
        (f"Traffic of {manifest['people']} named people" if manifest["people"] is not None else "Traffic")
        + (f", {span}." if span else "."),
        f"{manifest['erased']} rows were erased later." if manifest.get("erased") else "",
        _rows_by("origin", manifest["origins"]),
        _rows_by("model", manifest["models"]),
    ]
    return "\n\n".join(each for each in said if each)


def _rows_by(name: str, counts: Mapping[str, int]) -> str:
    return (
        "" if not counts else f"Rows by {name}: " + ", ".join(f"{key} {count}" for key, count in counts.items()) + "."
    )


def _consent(manifest: Mapping[str, Any]) -> str:
    override = manifest["consent"]["override"]
    told = (
        f"An administrator exported it without asking for consent, and gave this reason: {override}"
        if override
        else "All rows are of people who let their conversations be used for learning."
    )
    return (
        f"## Licence and consent\n\nLicence: {manifest['licence']}. {told}\n\nWho withdraws the consent, or asks for "
        "an erasure, is erased from the files that are kept. A receipt then names this export, and whoever holds a "
        "copy has to delete those rows: the event ids in the file, or in the `.lineage.jsonl` beside it, find them."
    )


def _limits(manifest: Mapping[str, Any]) -> str:
    limits = ["Traffic of one tenant: other people's questions may differ."]
    if manifest["kind"] in ("nli", "rerank", "reader", "triplets", "raft"):
        limits.append("Labels are citations that a model wrote. A passage that was not cited may answer, too.")
    if manifest["kind"] in ("thumbs", "preference"):
        limits.append("Few users give their opinion, and those who do are not like the others.")
    if manifest["kind"] in ("sft", "few-shot"):
        limits.append("Answers without an edit are a model's own: learning from them repeats its faults.")
    return "## Limits\n\n" + "\n".join(f"- {each}" for each in limits)


def _example(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    form = json.dumps(_types(rows[0]), indent=2)
    return f"## Form\n\nThe fields of a row, with their types:\n\n```\n{form}\n```"


def _types(value: Any) -> Any:
    """A value's form. A card repeats nobody's words, since nobody would erase them there."""
    if isinstance(value, dict):
        return {name: _types(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_types(value[0])] if value else []
    return type(value).__name__


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    if not rows:
        return ""
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [f"| {' | '.join(str(each) for each in row)} |" for row in rows]
    return f"## {title}\n\n" + "\n".join(lines)


def _listed(names: Mapping[str, int]) -> str:
    return "\n".join(f"- {name}" for name in names)


def _licence(licence: str) -> str:
    return licence.lower() if " " not in licence and licence != "proprietary" else "other"


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
