"""OpenAI's graders as scorers. Their options are the fields of a testing criterion."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.core.errors import InvalidRequest, MissingExtra, Unsupported
from mainspring.core.path import collect
from mainspring.core.types import ChatRequest, Context, Grammar, Sampling
from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.evaluation.scorers import Score, Scorer
from mainspring.feature import Rooms
from mainspring.features.experiments.builtin.options import Factory, Options, only, text
from mainspring.features.experiments.work.templates import filled, item_of, render, sample_of

TYPES = ("string_check", "text_similarity", "label_model", "score_model")
METRICS = ("cosine", "fuzzy_match", "bleu", "gleu", "meteor", *(f"rouge_{n}" for n in (1, 2, 3, 4, 5)), "rouge_l")
_OPERATIONS = ("eq", "ne", "like", "ilike")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_TOKENS = 128
_LONGEST = 8_000


@dataclass(frozen=True, slots=True)
class StringCheck:
    """``string_check``: 1 if the operation holds between two templates. ``like``: the input has the reference in it."""

    name: str
    input: str
    operation: str
    reference: str

    async def score(self, example: Example, answered: ExampleAnswer, context: Context) -> Score | None:  # noqa: ARG002
        values = {"item": item_of(example), "sample": sample_of(answered)}
        said, wanted = render(self.input, values), render(self.reference, values)
        match self.operation:
            case "eq":
                return Score(float(said == wanted))
            case "ne":
                return Score(float(said != wanted))
            case "like":
                return Score(float(wanted in said))
            case _:
                return Score(float(wanted.lower() in said.lower()))


@dataclass(frozen=True, slots=True)
class TextSimilarity:
    """``text_similarity``: a measure between two templates, from 0 to 1."""

    name: str
    input: str
    reference: str
    metric: str
    rooms: Rooms

    async def score(self, example: Example, answered: ExampleAnswer, context: Context) -> Score | None:
        values = {"item": item_of(example), "sample": sample_of(answered)}
        said, wanted = render(self.input, values), render(self.reference, values)
        if self.metric == "cosine":
            embedder = self.rooms.path.charged.embedder(self.rooms.engines.embedder, context.nested())
            one, other = (await embedder.embed([said, wanted])).vectors
            found = float(one @ other)
        else:
            found = await asyncio.to_thread(similar, self.metric, said[:_LONGEST], wanted[:_LONGEST])
        return Score(min(1.0, max(0.0, found)))


@dataclass(frozen=True, slots=True)
class LabelModel:
    """``label_model``: a model chooses a label; 1 for the passing ones."""

    name: str
    model: str
    input: Sequence[Mapping[str, Any]]
    labels: Sequence[str]
    passing: Sequence[str]
    rooms: Rooms
    judge: str = ""

    async def score(self, example: Example, answered: ExampleAnswer, context: Context) -> Score | None:
        schema = {"type": "object", "properties": {"label": {"enum": list(self.labels)}}, "required": ["label"]}
        said = await _asked(self.rooms, self.model, self.input, schema, example, answered, context)
        found = _value(said, "label")
        label = found if found in self.labels else next((each for each in self.labels if each in said), None)
        if label is None:
            return Score(0.0, f"no label: {said[:200]}")
        return Score(float(label in self.passing), str(label))


@dataclass(frozen=True, slots=True)
class ScoreModel:
    """``score_model``: a model gives a number of ``range``, which is scaled to [0, 1]."""

    name: str
    model: str
    input: Sequence[Mapping[str, Any]]
    low: float
    high: float
    rooms: Rooms
    judge: str = ""

    async def score(self, example: Example, answered: ExampleAnswer, context: Context) -> Score | None:
        schema = {"type": "object", "properties": {"result": {"type": "number"}}, "required": ["result"]}
        said = await _asked(self.rooms, self.model, self.input, schema, example, answered, context)
        found = _value(said, "result")
        if not isinstance(found, int | float):
            number = _NUMBER.search(said)
            if number is None:
                return Score(0.0, f"no number: {said[:200]}")
            found = float(number[0])
        return Score(min(1.0, max(0.0, (float(found) - self.low) / (self.high - self.low))), said[:200])


def similar(metric: str, said: str, wanted: str) -> float:
    """A measure of ``METRICS`` besides cosine. Raises ``MissingExtra``."""
    from mainspring.evaluation.texts.measures import score

    if metric == "fuzzy_match":
        from rapidfuzz import fuzz

        return float(fuzz.ratio(said, wanted)) / 100
    try:
        if metric == "gleu":
            from nltk.translate.gleu_score import sentence_gleu

            return float(sentence_gleu([wanted.split()], said.split())) if said.split() else 0.0
        if metric.startswith("rouge_") and metric[-1].isdigit():
            from rouge_score.rouge_scorer import RougeScorer

            kind = f"rouge{metric[-1]}"
            return float(RougeScorer([kind]).score(wanted, said)[kind].fmeasure)
    except ImportError:
        raise MissingExtra(f"{metric} needs a library", remedy="Install mainspring[eval]") from None
    name = metric.replace("_", "-")
    found = score([said], [[wanted]], [name])[name]
    return found.each[0] / (found.most or 1.0)


async def _asked(
    rooms: Rooms,
    model: str,
    template: Sequence[Mapping[str, Any]],
    schema: Mapping[str, Any],
    example: Example,
    answered: ExampleAnswer,
    context: Context,
) -> str:
    messages = tuple(filled(template, example, answered))
    sampling = Sampling(max_tokens=_TOKENS, temperature=0.0, grammar=Grammar("json_schema", json.dumps(schema)))
    request = ChatRequest(model, messages, sampling, options={"cache": False})
    return (await collect(await rooms.responder.respond(request, context.forked()))).text


def _value(said: str, name: str) -> Any:
    try:
        found = json.loads(said)
    except ValueError:
        return None
    return found.get(name) if isinstance(found, dict) else None


def options_of(criterion: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name of the scorer of a testing criterion, and its options. Raises ``InvalidRequest``, ``Unsupported``."""
    kind = criterion.get("type")
    if kind == "python":
        raise Unsupported(
            "graders of the type python are not run here",
            remedy=f"Use {', '.join(TYPES)}",
            param="testing_criteria",
        )
    if kind not in TYPES:
        raise InvalidRequest(
            f"there is no grader of the type {kind!s:.50}",
            remedy=f"Use {', '.join(TYPES)}",
            param="testing_criteria",
        )
    given = {name: value for name, value in criterion.items() if name not in ("type", "pass_threshold", "id")}
    return str(kind).replace("_", "-"), given


def _string_check(_: Rooms, options: Options) -> Scorer:
    only("string-check", options, "name", "input", "operation", "reference")
    operation = text("string-check", options, "operation")
    if operation not in _OPERATIONS:
        raise InvalidRequest(f"operation must be one of {', '.join(_OPERATIONS)}", param="operation")
    wanted = options.get("reference", "")
    return StringCheck(_named(options, "string-check"), text("string-check", options, "input"), operation, str(wanted))


def _text_similarity(rooms: Rooms, options: Options) -> Scorer:
    only("text-similarity", options, "name", "input", "reference", "evaluation_metric")
    metric = text("text-similarity", options, "evaluation_metric")
    if metric not in METRICS:
        raise InvalidRequest(f"evaluation_metric must be one of {', '.join(METRICS)}", param="evaluation_metric")
    said, wanted = (text("text-similarity", options, each) for each in ("input", "reference"))
    return TextSimilarity(_named(options, "text-similarity"), said, wanted, metric, rooms)


def _label_model(rooms: Rooms, options: Options) -> Scorer:
    only("label-model", options, "name", "model", "input", "labels", "passing_labels")
    labels, passing = (_labels(options, each) for each in ("labels", "passing_labels"))
    if not set(passing) <= set(labels):
        raise InvalidRequest("passing_labels must be among the labels", param="passing_labels")
    model = text("label-model", options, "model")
    return LabelModel(_named(options, "label-model"), model, _template(options), labels, passing, rooms)


def _score_model(rooms: Rooms, options: Options) -> Scorer:
    only("score-model", options, "name", "model", "input", "range", "sampling_params")
    low, high = ends(options)
    model = text("score-model", options, "model")
    return ScoreModel(_named(options, "score-model"), model, _template(options), low, high, rooms)


def ends(options: Options) -> tuple[float, float]:
    """The range of a ``score_model``. Raises ``InvalidRequest``."""
    found = options.get("range") or [0.0, 1.0]
    if not isinstance(found, list) or len(found) != 2 or not all(isinstance(each, int | float) for each in found):
        raise InvalidRequest("range must have two numbers", param="range")
    low, high = map(float, found)
    if not low < high:
        raise InvalidRequest("the second number of range must be larger than the first", param="range")
    return low, high


def _labels(options: Options, name: str) -> list[str]:
    found = options.get(name)
    if not isinstance(found, list) or not 1 <= len(found) <= 64 or not all(isinstance(each, str) for each in found):
        raise InvalidRequest(f"{name} must be 1 to 64 texts", param=name)
    return found


def _template(options: Options) -> list[Mapping[str, Any]]:
    found = options.get("input")
    if not isinstance(found, list) or not 1 <= len(found) <= 64:
        raise InvalidRequest("input must have 1 to 64 messages", param="input")
    return [{**each, "content": content(each.get("content"))} for each in found if isinstance(each, Mapping)]


def content(found: Any) -> str:
    """The text of a message of a template. Raises ``Unsupported`` for images and audio."""
    if isinstance(found, str):
        return found
    if isinstance(found, Mapping) and isinstance(found.get("text"), str):
        return str(found["text"])
    if isinstance(found, list):
        return "\n".join(content(each) for each in found)
    raise Unsupported("messages of templates must be texts", param="input")


def _named(options: Options, kind: str) -> str:
    return str(options.get("name") or kind)[:128]


FACTORIES: Mapping[str, Factory] = {
    "string-check": _string_check,
    "text-similarity": _text_similarity,
    "label-model": _label_model,
    "score-model": _score_model,
}
