"""lm-evaluation-harness: ``samples_TASK_TIME.jsonl``, beside ``results_TIME.json``, as ``--log_samples`` writes them.

A document is one line for each filter: its scores get the filter's name, if it is not ``none``. The answer to a
multiple choice is the likeliest continuation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Message
from mainspring.evaluation.examples import ExampleAnswer
from mainspring.evaluation.recorded import RecordedEvaluation
from mainspring.features.evaluate.logs.making import Making, messages_of, moment, number, parsed, tagged, texts_of

_SAMPLES = re.compile(r"samples_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT[\d.-]+)\.jsonl")
_LONGEST_LINE = 8 * 2**20
_MOST_RESULTS = 64 * 2**20


def samples_of(path: Path) -> list[Path]:
    """The files of samples that ``path`` means: itself, those beside a file of results, or all below a folder."""
    if path.is_dir():
        return sorted(each for each in path.rglob("samples_*.jsonl") if each.is_file())[:1_000]
    if path.suffix == ".json":
        time = path.stem.removeprefix("results_")
        return sorted(path.parent.glob(f"samples_*_{time}.jsonl"))
    return [path]


def read(path: Path, model: str = "") -> RecordedEvaluation:
    """One file of samples. Raises ``InvalidRequest`` naming the line."""
    named = _SAMPLES.fullmatch(path.name)
    results = _results(path.with_name(f"results_{named['time']}.json")) if named else {}
    told = str(results.get("model_name") or "") or path.parent.name
    making = Making(path, named["task"] if named else path.stem, model or told, moment(results.get("date")))
    version = str(results.get("lm_eval_version") or "")
    making.metadata |= {"harness": f"lm-evaluation-harness {version}".strip(), "file": path.name}
    for place, row in _rows(path):
        _add(making, place, row)
    return making.made()


def _add(making: Making, place: str, row: Mapping[str, Any]) -> None:
    if "doc_id" not in row or "metrics" not in row:
        raise InvalidRequest(f"{place} has no doc_id and metrics", param="file", remedy="Give a file of --log_samples")
    filtered = str(row.get("filter") or "none")
    ending = "" if filtered == "none" else f",{filtered}"
    metrics = [str(each) for each in row["metrics"]] if isinstance(row["metrics"], list) else []
    scores = {f"{name}{ending}"[:100]: value for name in metrics if (value := number(row.get(name))) is not None}
    asked, continuations = _asked(row.get("arguments"))
    answered = ExampleAnswer(_said(row, continuations), making.model)
    name = str(row["doc_id"])
    making.add(name, asked, texts_of(row.get("target")), answered, scores, tags=tagged(row.get("doc")))


def _asked(arguments: Any) -> tuple[tuple[Message, ...], list[str]]:
    """The question, and what it was continued with for each option."""
    given = list(arguments.values()) if isinstance(arguments, Mapping) else arguments
    firsts, seconds = [], []
    for each in given if isinstance(given, list) else ():
        pair = list(each.values()) if isinstance(each, Mapping) else each
        if isinstance(pair, list) and pair:
            first = pair[0][0] if isinstance(pair[0], list) and pair[0] else pair[0]
            firsts.append(first if isinstance(first, str) else "")
            seconds.append(pair[1] if len(pair) > 1 else None)
    if not firsts:
        return (), []
    text = firsts[0]
    if text.startswith("[{"):
        try:
            return messages_of(parsed(text, "the question")), [each for each in seconds if isinstance(each, str)]
        except InvalidRequest:
            pass
    return messages_of(text), [each for each in seconds if isinstance(each, str)]


def _said(row: Mapping[str, Any], continuations: list[str]) -> str:
    replies = row.get("filtered_resps")
    if not isinstance(replies, list):
        return str(replies or "")
    if replies and all(isinstance(each, str) for each in replies):
        return str(replies[0])
    likelihoods = [number(each[0]) if isinstance(each, list) and each else None for each in replies]
    known = [(value, place) for place, value in enumerate(likelihoods) if value is not None]
    if not known:
        return ""
    place = max(known)[1]
    return continuations[place].strip() if place < len(continuations) else str(place)


def _results(path: Path) -> Mapping[str, Any]:
    if not path.is_file() or path.stat().st_size > _MOST_RESULTS:
        return {}
    found = parsed(path.read_bytes(), path.name)
    return found if isinstance(found, Mapping) else {}


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    with path.open("rb") as file:
        for number_, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE + 1), b""), 1):
            place = f"{path.name}, line {number_}"
            if len(line) > _LONGEST_LINE:
                raise InvalidRequest(f"{place} has more than {_LONGEST_LINE:,} bytes", param="file")
            if not line.strip():
                continue
            row = parsed(line, place)
            if not isinstance(row, Mapping):
                raise InvalidRequest(f"{place} is not a JSON object", param="file")
            yield place, row
