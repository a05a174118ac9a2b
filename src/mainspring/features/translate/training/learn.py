"""The function of the recipe ``translate``: it learns, measures what it learned, and writes it for serving."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy
from transformers import M2M100ForConditionalGeneration

from mainspring.core.errors import InvalidRequest
from mainspring.features.translate.engine.card import Card
from mainspring.features.translate.training import starting, vocabulary
from mainspring.features.translate.training.examples import Batch, Examples
from mainspring.features.translate.training.measure import measure
from mainspring.features.translate.training.model import align, build, convert, logits
from mainspring.features.translate.training.options import TranslateOptions
from mainspring.training import checkpoints
from mainspring.training.recipe import Interrupted, Made, Side, Work

_LOGGED, _SAMPLED, _SPELLED = 25, 300, 40_000
_SAMPLES = (("en", "Where is the station?"), ("en", "Tom bought <p0> new books."), ("en", "Save changes"))


def translate(work: Work) -> Made:
    """Raises ``Interrupted`` after a checkpoint, ``InvalidRequest`` if the data has no pairs."""
    learning = Learning(work)
    learning.go()
    train, test = learning.rows("train"), learning.rows("test")
    start = None if learning.start is None else learning.start.folder
    return measure(learning.options, learning.finish(), train, test, work.seed, start)


class Learning:
    """The state of a run: the model, its optimiser, and the step. All of it is in a checkpoint."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.start = starting.found(work.given.get("start"))
        self.options = cast(TranslateOptions, work.options)
        if self.start is not None:
            self.options = self.options.model_copy(update=dict(self.start.sizes))
        torch.manual_seed(work.seed)
        train = self.rows("train")
        if not train:
            raise InvalidRequest(
                "the data has no pairs to learn", remedy="Rows have source, target, from, to", param="data"
            )
        self.tokenizer = self._vocabulary(train)
        self.pad = vocabulary.number(self.tokenizer, vocabulary.PAD)
        options = self.options
        self.train = Examples(self.tokenizer, train, options.longest, options.both, options.masked, work.seed)
        self.validation = Examples(self.tokenizer, self.rows("validation"), options.longest, options.both, 0.0, 0)
        self.model: M2M100ForConditionalGeneration = build(self.tokenizer, options)
        if self.start is not None:
            self.model.load_state_dict(self.start.weights())
        elif options.aligned and checkpoints.latest(work.checkpoints) is None:
            align(self.model, *self.train.occurrences(), work.seed)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=1.0, betas=(0.9, 0.98), weight_decay=0.01, fused=True
        )
        self.step, self.seconds = 0, 0.0
        self._epoch, self._order = -1, list[list[int]]()
        self._resume()

    @property
    def total(self) -> int:
        return self.options.pretrain_steps + self.options.steps

    def rows(self, side: Side) -> list[Mapping[str, Any]]:
        """The pairs to learn. Raises ``InvalidRequest`` for a row that is no pair."""
        found, wanted = [], set(self.options.pairs)
        for number, row in enumerate(self.work.rows(side), 1):
            if not all(isinstance(row.get(name), str) and row[name] for name in ("source", "target", "from", "to")):
                raise InvalidRequest(
                    f"{side}.jsonl, line {number}: a pair has source, target, from and to", param=f"{side}:{number}"
                )
            ways = {f"{row['from']}-{row['to']}", f"{row['to']}-{row['from']}"}
            if not wanted or ways & wanted:
                found.append(row)
        return found

    def go(self) -> None:
        """All steps that are left."""
        if self.start is not None and self.step == 0:
            self._validate()
        saved, began = time.monotonic(), time.monotonic()
        while self.step < self.total:
            loss, tokens = self._learn()
            self.step += 1
            if self.step % _LOGGED == 0:
                now = time.monotonic()
                self.seconds, began = self.seconds + now - began, now
                self.work.log(self.step, loss=loss, tokens=tokens, rate=self._rate(), seconds=self.seconds)
            if self.step % _SAMPLED == 0 or self.step == self.total:
                self._validate()
            if self.work.stopping() and self.step < self.total:
                self._save()
                raise Interrupted
            if self.work.finishing():
                break
            if time.monotonic() - saved > self.options.checkpoint_s:
                self._save()
                saved = time.monotonic()
        self._save()

    def finish(self) -> Path:
        """The folder of the translator, converted."""
        folder = self.work.output / "translator"
        starting.keep(self.options.model_dump(), folder)
        convert(self.model, self.tokenizer, folder, self.options.weights)
        pairs = {(str(row["from"]), str(row["to"])) for row in self.rows("train")}
        if self.options.both:
            pairs |= {(target, source) for source, target in pairs}
        before = None if self.start is None else self.start.card
        known = {f"{a}-{b}" for a, b in pairs} | set(() if before is None else before.pairs)
        doubtful = None if before is None else before.doubtful
        Card("mainspring", tuple(sorted(known)), self.options.longest, doubtful=doubtful).write(folder)
        return folder

    def _vocabulary(self, train: list[Mapping[str, Any]]) -> Tokenizer:
        """That of the run, made once."""
        if self.start is not None:
            self.start.check(train)
            return vocabulary.load(self.start.folder)
        path = self.work.checkpoints / "tokenizer.json"
        if not path.exists():
            sides = [
                (str(row[text]), str(row[name]))
                for row in train
                for text, name in (("source", "from"), ("target", "to"))
            ]
            names = {language for _, language in sides}
            # A part of the sentences teaches the same pieces, in a fraction of the time; rare languages stay whole.
            made = vocabulary.learn(_part(sides), names, self.options.vocabulary)
            draft = path.with_suffix(".draft")
            made.save(str(draft))
            draft.replace(path)
        return vocabulary.load(self.work.checkpoints)

    def _batch(self) -> Batch:
        """The batch of the step."""
        spans = self.step < self.options.pretrain_steps
        place = self.step if spans else self.step - self.options.pretrain_steps
        seed = self.work.seed * 1_000_003
        if self._epoch < 0 or place == 0:
            self._order = self.train.batches(self.options.batch_tokens, seed + spans, spans=spans)
        epoch, at = divmod(place, len(self._order))
        if epoch and epoch != self._epoch:
            self._order = self.train.batches(self.options.batch_tokens, seed + 2 * epoch + spans, spans=spans)
        self._epoch = epoch
        batch = self._order[min(at, len(self._order) - 1)]
        return self.train.corrupted(batch, seed + self.step) if spans else self.train.translated(batch)

    def _rate(self) -> float:
        """It rises at the start of both objectives and falls at the end of the second."""
        options = self.options
        place = self.step if self.step < options.pretrain_steps else self.step - options.pretrain_steps
        rising = min(1.0, (place + 1) / max(1, options.warmup))
        left = (self.total - self.step) / max(1.0, options.decay * options.steps)
        return options.rate * rising * min(1.0, left)

    def _learn(self) -> tuple[float, int]:
        batch = self._batch()
        # Dropout of a step is the same after a resumption.
        torch.manual_seed(self.work.seed * 7_919 + self.step)
        self.model.train()
        inputs, labels = torch.from_numpy(batch.inputs), torch.from_numpy(batch.labels)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.options.precision == "bf16"):
            found = logits(self.model, inputs, labels, self.pad)
        loss = cross_entropy(found.float(), labels[labels >= 0], label_smoothing=self.options.smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        self.optimizer.step()
        return float(loss.detach()), int((batch.labels >= 0).sum())

    @torch.no_grad()
    def _validate(self) -> None:
        """The loss on the validation pairs, and what it writes to a few sentences."""
        self.model.eval()
        total, count = 0.0, 0
        for batch in self.validation.batches(self.options.batch_tokens, 0):
            made = self.validation.translated(batch)
            labels = torch.from_numpy(made.labels)
            found = logits(self.model, torch.from_numpy(made.inputs), labels, self.pad)
            total += float(cross_entropy(found.float(), labels[labels >= 0], reduction="sum"))
            count += int((made.labels >= 0).sum())
        if count:
            self.work.log(self.step, validation_loss=total / count)
        for target in sorted({str(row["to"]) for row in self.rows("validation")}):
            for _, text in _SAMPLES:
                self.work.sample(self.step, f"{vocabulary.mark(target)} {text}", self._write(target, text))

    def _write(self, target: str, text: str) -> str:
        marked = vocabulary.number(self.tokenizer, vocabulary.mark(target))
        end = vocabulary.number(self.tokenizer, vocabulary.END)
        inputs = torch.tensor([[marked, *self.tokenizer.encode(text).ids, end]])
        made = self.model.generate(inputs, max_new_tokens=40, num_beams=1, do_sample=False)
        kept = [each for each in made[0].tolist() if each not in (self.pad, end)]
        return self.tokenizer.decode(kept, skip_special_tokens=False)

    def _save(self) -> None:
        def write(folder: Path) -> None:
            state = {
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "seconds": self.seconds,
            }
            torch.save(state, folder / "state.pt")

        checkpoints.save(self.work.checkpoints, self.step, write)

    def _resume(self) -> None:
        found = checkpoints.latest(self.work.checkpoints)
        if found is None:
            return
        state = torch.load(found / "state.pt", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = checkpoints.step_of(found), float(state["seconds"])


def _part(sides: list[tuple[str, str]]) -> list[str]:
    """Sentences for the vocabulary: at most so many of a language, evenly spread."""
    by_language: dict[str, list[str]] = {}
    for text, language in dict.fromkeys(sides):
        by_language.setdefault(language, []).append(text)
    return [text for found in by_language.values() for text in found[:: -(-len(found) // _SPELLED)]]
