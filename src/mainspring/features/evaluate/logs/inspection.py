"""Inspect (inspect_ai): logs as ``.eval`` archives, or as ``.json``.

Each epoch of a sample is an example of its own, in one group. Scores that are objects give a label for each key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.evaluation.examples import ExampleAnswer
from mainspring.evaluation.recorded import RecordedEvaluation
from mainspring.features.evaluate.logs.archive import Archive
from mainspring.features.evaluate.logs.making import (
    Making,
    messages_of,
    moment,
    number,
    parsed,
    seconds_of,
    tagged,
    text_of,
    texts_of,
)

_SAMPLE = re.compile(r"samples/.+\.json")
_MOST_JSON = 256 * 2**20


def read(path: Path, model: str = "") -> RecordedEvaluation:
    """A log. Raises ``InvalidRequest``."""
    if path.suffix == ".eval":
        with Archive(path) as archive:
            making = _begun(path, parsed(archive.read("header.json"), "header.json"), model)
            for name in archive.names():
                if _SAMPLE.fullmatch(name):
                    _add(making, name, parsed(archive.read(name), name))
        return making.made()
    log = whole(path)
    making = _begun(path, log, model)
    for place, sample in _samples(log):
        _add(making, place, sample)
    return making.made()


def whole(path: Path) -> Any:
    """The JSON of a log that is one. Raises ``InvalidRequest``."""
    if path.stat().st_size > _MOST_JSON:
        raise InvalidRequest(
            f"{path.name} has more than {_MOST_JSON:,} bytes", param="file", remedy="Give the log as an .eval archive"
        )
    return parsed(path.read_bytes(), path.name)


def _samples(log: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    samples = log.get("samples")
    for place, each in enumerate(samples if isinstance(samples, list) else ()):
        yield f"samples[{place}]", each


def _begun(path: Path, header: Any, model: str) -> Making:
    about = header.get("eval") if isinstance(header, Mapping) else None
    if not isinstance(about, Mapping) or "task" not in about:
        raise InvalidRequest(f"{path.name} is not a log of Inspect", param="file", remedy="Give an .eval or .json log")
    making = Making(path, str(about["task"]).split("/")[-1], model or str(about.get("model") or "unknown"))
    making.created_at = moment(about.get("created"))
    version = str(_mapping(about.get("packages")).get("inspect_ai") or "")
    making.metadata |= {
        "harness": f"inspect_ai {version}".strip(),
        "file": path.name,
        "status": str(header.get("status") or ""),
        "eval_id": str(about.get("eval_id") or ""),
    }
    return making


def _add(making: Making, place: str, sample: Any) -> None:
    if not isinstance(sample, Mapping) or "id" not in sample:
        raise InvalidRequest(f"{making.path.name}: {place:.100} is not a sample", param="file")
    scores: dict[str, float] = {}
    reasons: dict[str, str] = {}
    given = sample.get("scores")
    for name, score in given.items() if isinstance(given, Mapping) else ():
        value = score.get("value") if isinstance(score, Mapping) else score
        parts = value.items() if isinstance(value, Mapping) else [("", value)]
        for part, one in parts:
            if (found := number(one)) is not None:
                scores[f"{name}/{part}"[:100] if part else str(name)[:100]] = found
        if isinstance(score, Mapping) and isinstance(score.get("explanation"), str):
            reasons[str(name)[:100]] = score["explanation"]
    output = _mapping(sample.get("output"))
    usage = _mapping(output.get("usage"))
    error = sample.get("error")
    seconds = sample.get("working_time") or sample.get("total_time")
    answered = ExampleAnswer(
        _completion(output),
        making.model,
        error=str(error.get("message") if isinstance(error, Mapping) else error)[:500] if error else "",
        prompt_tokens=_count(usage.get("input_tokens")),
        completion_tokens=_count(usage.get("output_tokens")),
        duration_s=seconds_of(seconds),
    )
    name, epoch = str(sample["id"]), sample.get("epoch")
    making.add(
        f"{name}/{epoch}" if isinstance(epoch, int) and epoch > 1 else name,
        messages_of(sample.get("input")),
        texts_of(sample.get("target")),
        answered,
        scores,
        group=name,
        tags=tagged(sample.get("metadata")),
        reasons=reasons,
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _completion(output: Mapping[str, Any]) -> str:
    if isinstance(output.get("completion"), str):
        return str(output["completion"])
    choices = output.get("choices")
    first = _mapping(choices[0]) if isinstance(choices, list) and choices else {}
    return text_of(_mapping(first.get("message")).get("content"))


def _count(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**53 else 0
