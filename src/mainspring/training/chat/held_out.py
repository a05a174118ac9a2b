"""Figures on the side ``test``, before and after, of the same rows: losses of right answers, and scores of answers.

Nothing is chosen on them. Each figure has an interval by bootstrap, and its change one of the paired differences.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from mainspring.core.errors import MissingExtra
from mainspring.engines.catalogue import perplexity
from mainspring.statistics.significance import interval
from mainspring.training.chat.options import WantedScore
from mainspring.training.chat.rows import LearnedText, Question, encoded, questions
from mainspring.training.chat.scoring import Scoring
from mainspring.training.chat.tuning import Tuning
from mainspring.training.folder import read_json, write_json
from mainspring.training.recipe import Interrupted, Work

_TOKENS = 4096
_AT_ONCE = 16
_PARITY_TEXTS, _PARITY_TOKENS = 16, 100
_SCORED = 16
Values = Mapping[str, Sequence[float | None]]


def losses(tuning: Tuning, rows: Sequence[Mapping[str, Sequence[int]]]) -> list[tuple[float, int]]:
    """Negative log-likelihood (nats) and number of the learned tokens of each row."""
    found: list[tuple[float, int]] = [(0.0, 0)] * len(rows)
    tuning.model.eval()
    for places in _batches([len(row["input_ids"]) for row in rows]):
        ids, labels, mask = padded([rows[place] for place in places], tuning)
        with tuning.computing():
            logits = tuning.model(input_ids=ids, attention_mask=mask).logits
            flat = torch.nn.functional.cross_entropy(
                logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten(), ignore_index=-100, reduction="none"
            )
        sums = flat.view(len(places), -1).sum(1).tolist()
        counts = (labels[:, 1:] != -100).sum(1).tolist()
        for place, total, count in zip(places, sums, counts, strict=True):
            found[place] = (float(total), int(count))
    return found


def padded(rows: Sequence[Mapping[str, Sequence[int]]], tuning: Tuning) -> tuple[Any, Any, Any]:
    """``input_ids``, ``labels`` and ``attention_mask`` (rows, longest), filled on the right."""
    width = max(len(row["input_ids"]) for row in rows)
    pad = tuning.tokenizer.pad_token_id

    def table(values: Sequence[Sequence[int]], fill: int) -> Any:
        full = [[*each, *[fill] * (width - len(each))] for each in values]
        return torch.tensor(full, device=tuning.device)

    ids = [row["input_ids"] for row in rows]
    mask = [[1] * len(each) for each in ids]
    return table(ids, pad), table([row["labels"] for row in rows], -100), table(mask, 0)


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Places of rows of like length, so many that their tokens fit."""
    made: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda each: -lengths[each]):
        if made and len(made[-1]) < _AT_ONCE and lengths[made[-1][0]] * (len(made[-1]) + 1) <= _TOKENS:
            made[-1].append(place)
        else:
            made.append([place])
    return made


def answers(
    tuning: Tuning, prompts: Sequence[str], tokens: int, work: Work | None = None, *, model: Any = None
) -> list[str]:
    """What the model writes, greedily. Raises ``Interrupted`` if ``work`` is to stop."""
    found = [""] * len(prompts)
    tokenizer = tuning.tokenizer
    ids = [tokenizer(each, add_special_tokens=False)["input_ids"] for each in prompts]
    model = tuning.model if model is None else model
    model.eval()
    checkpointing = model.is_gradient_checkpointing
    if checkpointing:
        model.gradient_checkpointing_disable()
    for places in _batches([len(each) + tokens for each in ids]):
        if work is not None and work.stopping():
            raise Interrupted
        width = max(len(ids[place]) for place in places)
        # Generation goes on at the right: what fills stands at the left.
        rows = [[tokenizer.pad_token_id] * (width - len(ids[place])) + ids[place] for place in places]
        mask = [[0] * (width - len(ids[place])) + [1] * len(ids[place]) for place in places]
        with tuning.computing():
            made = model.generate(
                input_ids=torch.tensor(rows, device=tuning.device),
                attention_mask=torch.tensor(mask, device=tuning.device),
                max_new_tokens=tokens,
                do_sample=False,
                use_cache=True,
                pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
        for place, row in zip(places, made[:, width:].tolist(), strict=True):
            found[place] = tokenizer.decode(row, skip_special_tokens=True)
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return found


class HeldOut:
    """The side ``test`` of a run: measured before training (once, also by a run that goes on), and after it."""

    def __init__(
        self,
        work: Work,
        tuning: Tuning,
        told: Sequence[LearnedText] = (),
        *,
        scorers: Sequence[WantedScore] | None = None,
    ) -> None:
        """``scorers``: those that score answers, by default the option's; if given, all rows are answered."""
        self._work = work
        self._tuning = tuning
        options = tuning.options
        self._rows = encoded(tuning.tokenizer, told, options.length)
        self._scoring = Scoring(options.scorers if scorers is None else scorers)
        self._scored = scorers is not None or bool(options.scorers)
        wanted = max(options.samples, options.tested if self._scored else 0)
        self.said: list[str] = []
        self._scores: Values = {}
        right = getattr(options, "right", "")
        self._asked: list[Question] = questions(work, "test", tuning.writer, wanted, right) if wanted else []

    def before(self) -> Values:
        """The values of the base; they are kept, for a run that goes on."""
        kept = self._work.checkpoints / "before.json"
        found = read_json(kept)
        if found is None:
            found = {name: list(values) for name, values in self.measure(0).items()}
            if self._work.main:
                write_json(kept, found)
        return found

    def measure(self, step: int) -> dict[str, list[float | None]]:
        """Values of each row by figure, as the model is now; samples are kept for ``step``."""
        found: dict[str, list[float | None]] = {}
        if self._rows:
            each = losses(self._tuning, self._rows)
            found["loss"] = [total / max(count, 1) for total, count in each]
            found["tokens"] = [float(count) for _, count in each]
        options = self._tuning.options
        if self._asked:
            said = answers(self._tuning, [each.prompt for each in self._asked], options.answer_tokens, self._work)
            self.said = said
            for asked, text in zip(self._asked[: options.samples], said, strict=False):
                self._work.sample(step, asked.example.question or asked.prompt, text)
            if self._scored:
                scores = self._scoring.each([asked.example for asked in self._asked], said)
                self._scores = scores
                found.update(scores)
                found["answer-words"] = [float(len(text.split())) for text in said]
        return found

    def scores(self) -> dict[str, Any]:
        """Questions of the side with the scores of the last answers, for the gate of what is converted: scorers,
        tokens of an answer, and rows. Empty without scorers."""
        rows = []
        for place, asked in enumerate(self._asked if self._scores else ()):
            found = {name: values[place] for name, values in self._scores.items() if values[place] is not None}
            told = asked_again(asked)
            if told is not None and found:
                rows.append({**told, "scores": found})
        if not rows:
            return {}
        wanted = [each.model_dump() for each in self._scoring.wanted]
        return {"scorers": wanted, "tokens": self._tuning.options.answer_tokens, "rows": rows[:_SCORED]}

    def parity(self) -> list[dict[str, Any]]:
        """Texts of the side and general ones, with their mean loss by torch and its tokens, for the gate of what is
        converted."""
        tokenizer = self._tuning.tokenizer
        texts = [tokenizer.decode(row["input_ids"][:_PARITY_TOKENS]) for row in self._rows[:_PARITY_TEXTS]]
        # A few short texts tell nothing: rounding alone moves the loss of one by more than the gate allows.
        general = tokenizer(perplexity.TEXT, add_special_tokens=False)["input_ids"]
        pieces = range(0, len(general) - _PARITY_TOKENS // 2, _PARITY_TOKENS)
        texts += [tokenizer.decode(general[start : start + _PARITY_TOKENS]) for start in pieces]
        rows = []
        for text in texts:
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            rows.append({"input_ids": ids, "labels": ids})
        return [
            {"text": text, "loss": total / max(count, 1), "tokens": count}
            for text, (total, count) in zip(texts, losses(self._tuning, rows), strict=True)
        ]


def asked_again(asked: Question) -> dict[str, Any] | None:
    """The question as an engine can be asked, with what scorers read; None: it has tools or their calls."""
    example = asked.example
    if asked.tools or any(each.role == "tool" or each.tool_calls for each in example.messages):
        return None
    return {
        "id": example.id,
        "messages": [{"role": each.role, "content": each.content} for each in example.messages],
        "references": list(example.references),
        "passages": list(example.passages),
        "refused": example.refused,
        "extra": dict(example.extra),
    }


def report(before: Values, after: Values) -> dict[str, dict[str, Any]]:
    """``figures``, ``intervals``, ``counted`` and ``before`` of a ``Made``; ``NAME-change`` is after minus before."""
    made: dict[str, dict[str, Any]] = {"figures": {}, "intervals": {}, "counted": {}, "before": {}}
    for name, values in after.items():
        if name == "tokens":
            continue
        pairs = [
            (old, new)
            for old, new in zip(before.get(name, ()), values, strict=False)
            if old is not None and new is not None
        ]
        if not pairs:
            continue
        _tell(made, name, [new for _, new in pairs])
        made["before"][name] = sum(old for old, _ in pairs) / len(pairs)
        _tell(made, f"{name}-change", [new - old for old, new in pairs])
    for side, measured in (("figures", after), ("before", before)):
        if measured.get("loss") and measured.get("tokens"):
            made[side]["perplexity"] = _perplexity(measured)
            made["counted"]["perplexity"] = len(measured["loss"])
    return made


def _tell(made: dict[str, dict[str, Any]], name: str, values: Sequence[float]) -> None:
    made["figures"][name] = sum(values) / len(values)
    made["counted"][name] = len(values)
    try:
        found = interval(values)
    except MissingExtra:
        return
    made["intervals"][name] = (found.low, found.high)


def _perplexity(values: Values) -> float:
    tokens = [each or 0.0 for each in values["tokens"]]
    total = sum((loss or 0.0) * count for loss, count in zip(values["loss"], tokens, strict=True))
    return math.exp(min(total / max(sum(tokens), 1.0), 700.0))
