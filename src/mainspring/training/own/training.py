"""What pretraining and fine-tuning share: a model, its batches, the loop over them, samples, and the last figures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from mainspring.training.own import collate as collates
from mainspring.training.own.collate import Collate, Vocabulary
from mainspring.training.own.corpus import Corpus, TokenTexts
from mainspring.training.own.feed import Batch, Shuffled
from mainspring.training.own.loop import Fit, Fitted, Plan, fit, targets_of
from mainspring.training.own.models.decoder import Decoder
from mainspring.training.own.models.encoder_decoder import EncoderDecoder
from mainspring.training.own.models.model_files import build, put
from mainspring.training.own.models.shape import Shape
from mainspring.training.own.models.writing import turn_into, write
from mainspring.training.own.objectives.packing import Window, pack
from mainspring.training.own.objectives.spans import corrupt
from mainspring.training.own.options import LayoutOptions, Objective, StepOptions
from mainspring.training.own.ratios import Pair, ratio
from mainspring.training.own.texts import RowEncoder
from mainspring.training.own.words import BEGIN, END
from mainspring.training.parallel.layout import Layout
from mainspring.training.recipe import Work

_JUDGED = 16
"""Rows of one held-out batch."""


@dataclass(slots=True)
class TextStage:
    """One stage of training of one model on the texts of a run."""

    work: Work
    model: nn.Module
    encoder: RowEncoder
    vocabulary: Vocabulary
    objective: Objective
    apart: bool
    own: bool
    """Whether only the assistant's tokens are learned."""

    @property
    def shape(self) -> Shape:
        return cast(Any, self.model).shape

    @property
    def collate(self) -> Collate:
        return collates.of(self.objective, self.vocabulary, apart=self.apart)

    def windows(self, texts: TokenTexts) -> list[Window]:
        """TokenTexts packed; a decoder reads one token more than it sees, since the last one is a target alone."""
        length = self.shape.length + (self.objective == "causal")
        return pack(texts.ids, length, texts.own if self.own else None)

    def run(self, corpus: Corpus, prompts: Sequence[str], most: int) -> Fitted:
        """Train; raises what ``fit`` raises."""
        options = cast(StepOptions, self.work.options)
        windows = self.windows(corpus.train)
        if self.own:
            windows = [each for each in windows if each.counts[1:].any()]
        feed = Shuffled(windows, self.collate, size=options.batch, seed=self.work.seed)
        held_out, plan = self.batches(corpus.held_out), plan_of(options)
        layout = options.layout if isinstance(options, LayoutOptions) else Layout()
        if layout.processes == 1:
            samples = self.sampler(prompts or self._begun(corpus.held_out), most)
            return fit(self.work, self.model, feed, plan, held_out=held_out, samples=samples)
        return self._together(layout, feed, plan, held_out)

    def _together(self, layout: Layout, feed: Shuffled, plan: Plan, held_out: Sequence[Batch]) -> Fitted:
        """By several processes; the first one has the whole model afterwards."""
        from mainspring.training.parallel.mesh import processes

        shape = self.shape
        with processes(layout, "cuda" if plan.device.startswith("cuda") else "cpu") as world:
            fitting = Fit(self.work, self.model, feed, plan, held_out=held_out, world=world)
            fitted = fitting.run()
            weights, _ = world.state(fitting.model, None)
        if self.work.main:
            self.model = build(shape)
            put(self.model, {name: each.detach().cpu() for name, each in weights.items()})
            self.model.eval()
        return fitted

    def batches(self, texts: TokenTexts) -> list[Batch]:
        """Held-out texts, always corrupted in the same way."""
        windows = self.windows(texts)
        drawn = [np.random.default_rng((7, number)) for number in range(len(windows))]
        found = [
            self.collate(windows[at : at + _JUDGED], drawn[at : at + _JUDGED]) for at in range(0, len(windows), _JUDGED)
        ]
        return [each for each in found if targets_of(each)]

    @torch.no_grad()
    def losses(self, texts: TokenTexts) -> list[tuple[float, int]]:
        """Of each text: the sum of its losses (nats) and how many targets it has."""
        self.model.eval()
        device = next(self.model.parameters()).device
        found = []
        for number, (ids, own) in enumerate(zip(texts.ids, texts.own, strict=True)):
            windows = pack([ids], self.shape.length + (self.objective == "causal"), [own] if self.own else None)
            drawn = [np.random.default_rng((11, number, at)) for at in range(len(windows))]
            if not windows:
                found.append((0.0, 0))
                continue
            batch = self.collate(windows, drawn)
            loss = float(self.model(**{name: each.to(device) for name, each in batch.items()}))
            found.append((loss, targets_of(batch)))
        return found

    def figures(self, texts: TokenTexts) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
        """Perplexity a target, and bits a character where all characters are targets, with their intervals."""
        losses = self.losses(texts)
        mean, low, high = ratio(losses)
        figures = {"perplexity": exp_of(mean)}
        intervals = {"perplexity": (exp_of(low), exp_of(high))}
        if self.objective == "causal" and not self.own:
            pairs = [
                (loss / math.log(2), float(size)) for (loss, _), size in zip(losses, texts.characters, strict=True)
            ]
            figures["bits_per_character"], *ends = ratio(pairs)
            intervals["bits_per_character"] = (ends[0], ends[1])
        return figures, intervals

    def sampler(self, prompts: Sequence[str], most: int) -> Callable[[int], None] | None:
        """Keeps what the model writes to each prompt, always the likeliest token."""
        if isinstance(self.model, Decoder):
            return lambda step: self._write(step, prompts, most)
        if isinstance(self.model, EncoderDecoder):
            return lambda step: self._turn(step, prompts, most)
        return None

    def prompt(self, text: str) -> list[int]:
        """The tokens before what the model writes."""
        return self.encoder.prompt([("<|user|>", text)]) if self.own else [BEGIN, *self.encoder.plain(text)]

    def _write(self, step: int, prompts: Sequence[str], most: int) -> None:
        model = cast(Decoder, self.model)
        model.eval()
        for prompt in prompts:
            ids = self.prompt(prompt)[-self.shape.length :]
            room = min(most, self.shape.length - len(ids)) if self.shape.positions == "learned" else most
            written = write(model, [ids], most=room, end=END)[0] if room > 0 else []
            self.work.sample(step, prompt, self.encoder.said(written))

    def _turn(self, step: int, prompts: Sequence[str], most: int) -> None:
        model = cast(EncoderDecoder, self.model)
        model.eval()
        for prompt in prompts:
            ids = self.encoder.plain(prompt)[: self.shape.length]
            if self.objective == "span" and not self.own:
                ids, _ = corrupt(ids, np.random.default_rng(5), sentinels=self.vocabulary.sentinels)
            written = turn_into(model, [ids], begin=BEGIN, end=END, most=min(most, self.shape.length))[0]
            self.work.sample(step, prompt, self.encoder.tokenizer.decode(written, skip_special_tokens=False))

    def _begun(self, texts: TokenTexts) -> list[str]:
        """What three held-out texts begin with."""
        found = []
        for turns in texts.turns[:3]:
            said = turns[0][1]
            found.append(said if self.own or self.objective == "span" else " ".join(said.split()[:6]))
        return [each for each in found if each.strip()]


def plan_of(options: StepOptions) -> Plan:
    """The loop's plan."""
    return Plan(
        steps=options.steps,
        batch=options.batch,
        micro=options.micro,
        rate=options.rate,
        warmup=options.warmup,
        decay=options.decay,
        clip=options.clip,
        precision=options.precision,
        checkpointing=options.checkpointing,
        every=options.every,
        patience=options.patience,
        save=options.save,
        device=options.device,
    )


def by_frequency(train: TokenTexts, test: TokenTexts, size: int) -> float:
    """The perplexity of a model that knows how frequent tokens are and nothing else: the least to beat."""
    counted = Counter(token for ids in train.ids for token in ids)
    total = sum(counted.values()) + size
    pairs: list[Pair] = []
    for ids in test.ids:
        loss = -sum(math.log((counted[token] + 1) / total) for token in ids[1:])
        pairs.append((loss, float(len(ids) - 1)))
    return exp_of(ratio(pairs)[0])


def told(fitted: Fitted, shape: Shape) -> Mapping[str, float]:
    """What every stage tells of itself."""
    return {
        "steps": float(fitted.steps),
        "best_step": float(fitted.best_step),
        "parameters": float(shape.parameters),
        "training_flops_per_token": 3 * shape.flops(shape.length, shape.length) / shape.length,
    }


def exp_of(value: float) -> float:
    return math.exp(min(value, 50.0))
