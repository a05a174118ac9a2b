"""Distillation: a small model learns from a larger one.

``sequence``: it learns the texts that the teacher writes to the prompts (Kim and Rush 2016). The teacher is a pulled
model, or any behind an OpenAI-compatible API. ``logits``: it learns the teacher's probabilities of each token of the
texts at hand (Hinton et al. 2015); both need the same vocabulary, so the teacher is a pulled model.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import urlsplit

import torch
from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from mainspring.agents.tools.sources.outgoing import Outbound, Outgoing
from mainspring.core.errors import InvalidRequest, NothingLearned, UpstreamError
from mainspring.core.settings import load
from mainspring.training.chat import base_weights, held_out, loop, outputs, rows
from mainspring.training.chat.options import DistilOptions
from mainspring.training.chat.recipes import sft
from mainspring.training.chat.rows import LearnedText, Question
from mainspring.training.chat.tuning import Tuning
from mainspring.training.recipe import Interrupted, Made, Side, Work

_TAUGHT = "taught.jsonl"


def run(work: Work) -> Made:
    """See ``training.recipe.Function``."""
    options = cast(DistilOptions, work.options)
    options.check_start(work.base, work.given)
    apart = "teacher" not in work.given
    if apart and not work.outside:
        raise InvalidRequest(
            f"there is no model {options.teacher or options.teacher_url} here for this run",
            remedy="Name a pulled chat model or a version; the operator may also name one of models.remote",
            param="options.teacher",
        )
    rows.enough(work.count("train"), options.min_rows)
    tuning = Tuning(work, options)
    if options.level == "sequence":
        taught = Taught(work, tuning, apart=apart)
        learning = rows.encoded(tuning.tokenizer, taught.texts("train"), options.length)
        rows.enough(learning, options.min_rows, "answers of the teacher")
        validation = rows.encoded(tuning.tokenizer, taught.texts("validation"), options.length)
        return sft.tune(work, tuning, learning, validation, told=taught.texts("test"))
    return _by_logits(work, tuning)


class Taught:
    """The teacher's answers to prompts, kept as they come: a run that was killed asks for the rest. It answers all
    prompts of ``train``, and of the other sides those that have no answer."""

    def __init__(self, work: Work, tuning: Tuning, *, apart: bool) -> None:
        """``apart``: the teacher is behind an API."""
        self._work = work
        self._tuning = tuning
        self._apart = apart
        self._options = cast(DistilOptions, tuning.options)
        self._kept = work.checkpoints / _TAUGHT

    def texts(self, side: Side) -> list[LearnedText]:
        """What is learned of a side, or measured on it. Raises ``Interrupted``, ``Forbidden``, ``UpstreamError``."""
        self._kept = self._work.checkpoints / (_TAUGHT if side == "train" else f"{side}-{_TAUGHT}")
        writer = self._tuning.writer
        asked = rows.questions(self._work, side, writer)
        own = {place for place, each in enumerate(asked) if each.wanted and side != "train"}
        known = self._known()
        if missing := [place for place in range(len(asked)) if place not in known and place not in own]:
            write = self._by_api if self._apart else self._locally
            write(asked, missing)
            known = self._known()
        told = []
        for place, (each, (where, _, row)) in enumerate(zip(asked, rows.numbered(self._work, side), strict=True)):
            if place in own:
                told.append(rows.learned(row, where, writer, self._options.turns))
            elif (answer := known.get(place, "")).strip():
                begins, text = len(each.prompt), writer.ended(answer)
                told.append(LearnedText(each.prompt + text, ((begins, begins + len(text)),)))
        return told

    def _known(self) -> dict[int, str]:
        found: dict[int, str] = {}
        if self._kept.exists():
            for line in self._kept.read_text(encoding="utf-8").splitlines():
                try:
                    told = json.loads(line)
                    found[int(told["place"])] = str(told["text"])
                except (ValueError, KeyError, TypeError):
                    continue
        return found

    def _keep(self, place: int, text: str) -> None:
        with self._kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"place": place, "text": text}, ensure_ascii=False) + "\n")
        if self._work.stopping():
            raise Interrupted

    def _locally(self, asked: Sequence[Question], missing: Sequence[int]) -> None:
        teacher = _teacher(self._work, self._options)
        writer = rows.Writer(teacher.base.template, teacher.base.bos, teacher.base.eos)
        for start in range(0, len(missing), 8):
            part = missing[start : start + 8]
            prompts = [writer.prompt(asked[place].example.messages, asked[place].tools) for place in part]
            texts = held_out.answers(teacher, prompts, self._options.teacher_tokens, self._work)
            for place, text in zip(part, texts, strict=True):
                self._keep(place, text)

    def _by_api(self, asked: Sequence[Question], missing: Sequence[int]) -> None:
        for place in missing:
            self._keep(place, self._asked_api(asked[place]))

    def _asked_api(self, asked: Question) -> str:
        options = self._options
        remote = load().settings.models.remote.get(options.teacher)
        url = remote.url if remote else options.teacher_url
        body = {
            "model": remote.model if remote else options.teacher_model,
            "messages": [{"role": each.role, "content": each.content} for each in asked.example.messages],
            "max_tokens": options.teacher_tokens,
            "temperature": options.teacher_temperature,
        }
        if asked.tools:
            named = [{"name": e.name, "description": e.description, "parameters": e.parameters} for e in asked.tools]
            body["tools"] = [{"type": "function", "function": each} for each in named]
        headers = {"Authorization": f"Bearer {remote.api_key}"} if remote and remote.api_key else {}
        request = Outbound("POST", f"{url.rstrip('/')}/chat/completions", headers=headers, body=body)
        host = urlsplit(url).hostname or ""
        told = asyncio.run(_sent(request, host, trusted=remote is not None))
        try:
            return str(told["choices"][0]["message"]["content"] or "")
        except (LookupError, TypeError):
            raise UpstreamError(f"the teacher at {host} answers in no form of OpenAI's") from None


async def _sent(request: Outbound, host: str, *, trusted: bool) -> Any:
    """``trusted``: the settings name the host, so that its address may be a private one."""
    outgoing = Outgoing({host}, private_hosts={host} if trusted else ())
    try:
        return (await outgoing.send(request)).output
    finally:
        await outgoing.aclose()


class _Teacher:
    """A pulled model that answers; as much of a ``Tuning`` as answering needs."""

    def __init__(self, base: base_weights.ChatBase, options: DistilOptions) -> None:
        from mainspring.training.chat.tuning import precision

        self.base = base
        self.options = options
        self.precision = precision(options.precision)
        self.tokenizer = base_weights.tokenizer(base)
        self.model = base_weights.model(base, "bfloat16" if self.precision == "bf16" else "float32")
        if torch.cuda.is_available():
            self.model = self.model.to("cuda")
        self.device = next(self.model.parameters()).device

    computing = Tuning.computing


def _teacher(work: Work, options: DistilOptions) -> Any:
    return _Teacher(base_weights.find(work.given["teacher"]), options)


def _by_logits(work: Work, tuning: Tuning) -> Made:
    options = cast(DistilOptions, tuning.options)
    teacher = _teacher(work, options)
    if teacher.tokenizer.get_vocab() != tuning.tokenizer.get_vocab():
        raise NothingLearned(
            f"{teacher.base.name} and {tuning.base.name} have different vocabularies",
            remedy="Use level: sequence",
        )
    learning = sft.prepared(work, tuning, "train")
    validation = sft.prepared(work, tuning, "validation")
    rows.enough(learning, options.min_rows, f"rows of at most {options.length} tokens")
    test = held_out.HeldOut(work, tuning, rows.conversations(work, "test", tuning.writer))
    before = test.before()
    config = SFTConfig(
        **loop.arguments(work, tuning, len(learning)),
        **loop.evaluating(options, len(learning), len(validation)),
        max_length=options.length,
    )
    trainer = _Distilling(
        tuning.model,
        args=config,
        train_dataset=Dataset.from_list(learning),
        eval_dataset=Dataset.from_list(validation) if validation else None,
        processing_class=tuning.tokenizer,
    )
    trainer.taught_by(teacher.model, options.softness, options.mix)
    watch = loop.Watch(work, tuning)
    step = loop.drive(trainer, work, watch)
    report = held_out.report(before, test.measure(step))
    return outputs.write(work, tuning, report, notes=[*watch.notes, f"weights of step {step}"], held=test)


class _Distilling(SFTTrainer):
    """Learns a mixture of the texts and the teacher's probabilities."""

    def taught_by(self, teacher: Any, softness: float, mix: float) -> None:
        """``softness`` is the temperature of both sides; the gradient is scaled back by its square (Hinton)."""
        self._teacher, self._softness, self._mix = teacher, softness, mix

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """See ``SFTTrainer``."""
        if not model.training:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        labels = inputs["labels"][:, 1:]
        kept = labels != -100
        shown = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"]}
        logits = model(**shown).logits[:, :-1][kept].float()
        with torch.no_grad():
            taught = self._teacher(**shown).logits[:, :-1][kept].float()
        texts = torch.nn.functional.cross_entropy(logits, labels[kept], reduction="sum")
        soft = torch.log_softmax(logits / self._softness, -1)
        wanted = torch.log_softmax(taught / self._softness, -1)
        apart = torch.nn.functional.kl_div(soft, wanted, log_target=True, reduction="sum") * self._softness**2
        count = kept.sum() if num_items_in_batch is None else num_items_in_batch
        loss = ((1 - self._mix) * texts + self._mix * apart) / count
        self._metrics["train"]["divergence"].append(float(apart / kept.sum().clamp(min=1)))
        return loss
