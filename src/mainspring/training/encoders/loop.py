"""The loop that changes weights: one for all encoders.

It is our own, since it resumes exactly at any step: the order of rows follows from seed and epoch
(``encoders.batches``), and a checkpoint holds weights, the optimiser, random generators, the best weights so far and
the place. Its parts are torch's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from mainspring.core.errors import ModelError, Unsupported
from mainspring.training import checkpoints
from mainspring.training.encoders.data.batches import batches, rate, steps_of
from mainspring.training.encoders.options import EncoderOptions
from mainspring.training.recipe import Interrupted, Work

_LOG_EVERY = 10
_STATE = "state.pt"


class Task(Protocol):
    """What is learned."""

    model: nn.Module

    @property
    def lengths(self) -> Sequence[int]:
        """Tokens of each training row."""
        ...

    def loss(self, places: Sequence[int]) -> torch.Tensor:
        """The mean loss of the training rows at these places."""
        ...

    def validate(self) -> float | None:
        """How good the model is on the validation rows, higher is better; None: there are none."""
        ...


@dataclass(slots=True)
class Progress:
    """Where a run is. ``best`` is the score of the best weights so far, of step ``best_step``; ``idle``: looks without
    a gain since; ``spent``: seconds of training in all processes of the run."""

    step: int = 0
    best: float | None = None
    best_step: int = 0
    idle: int = 0
    spent: float = 0.0
    losses: float = 0.0
    tokens: int = 0


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(precision: str) -> Any:
    """Products of matrices in bf16 or fp16. Raises ``Unsupported`` for fp16 on a CPU."""
    kind = device().type
    if precision == "fp16" and kind == "cpu":
        raise Unsupported("fp16 needs a GPU", remedy="Set precision to bf16", param="options.precision")
    dtype = torch.float16 if precision == "fp16" else torch.bfloat16
    return torch.autocast(kind, dtype, enabled=precision != "f32")


def fit(work: Work, task: Task, options: EncoderOptions) -> Progress:
    """Train until the steps are done, patience is at an end, or the work finishes; the task's model has the best
    weights then. Raises ``Interrupted`` after a checkpoint."""
    return _Fit(work, task, options).run()


class _Fit:
    def __init__(self, work: Work, task: Task, options: EncoderOptions) -> None:
        self.work, self.task, self.options = work, task, options
        self.model = task.model
        kept = [(name, each) for name, each in self.model.named_parameters() if each.requires_grad]
        decayed = [each for name, each in kept if each.ndim > 1]
        others = [each for name, each in kept if each.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": options.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=options.learning_rate)
        self.scaler = torch.amp.GradScaler(device().type, enabled=options.precision == "fp16")
        self.steps = steps_of(len(task.lengths), options.batch, options.accumulate, options.epochs, options.steps)
        self.progress = Progress()
        self.best: dict[str, torch.Tensor] = {}
        self.at = time.monotonic()
        self.saved = time.monotonic()

    def run(self) -> Progress:
        torch.manual_seed(self.work.seed)
        place = checkpoints.latest(self.work.checkpoints)
        if place is not None:
            self.load(place)
        for step, parts in self.plan():
            self.step(step, parts)
            ended = self.progress.step >= self.steps or self.finishing()
            if ended or self.progress.step % self.options.evaluate_every == 0:
                ended = self.look() or ended
            if ended:
                break
            if self.work.stopping():
                self.save()
                raise Interrupted
            if time.monotonic() - self.saved > self.options.save_every_s:
                self.save()
        if self.best:
            self.model.load_state_dict(self.best, strict=False)
        return self.progress

    def plan(self) -> Any:
        """The steps that are left, each with the batches that it reads."""
        options, number = self.options, 0
        for epoch in range(options.epochs):
            all_of_it = batches(self.task.lengths, options.batch, self.work.seed, epoch)
            for start in range(0, len(all_of_it), options.accumulate):
                if self.progress.step <= number < self.steps:
                    yield number, all_of_it[start : start + options.accumulate]
                number += 1

    def step(self, number: int, parts: Sequence[Sequence[int]]) -> None:
        self.model.train()
        share = rate(number, self.steps, self.options.warmup)
        for group in self.optimiser.param_groups:
            group["lr"] = self.options.learning_rate * share
        rows, total = sum(len(part) for part in parts), 0.0
        for part in parts:
            with autocast(self.options.precision):
                loss = self.task.loss(part) * (len(part) / rows)
            self.scaler.scale(loss).backward()
            total += float(loss.detach())
        if total != total:
            raise ModelError("the loss is not a number", remedy="Use a smaller learning_rate, or precision f32")
        self.scaler.unscale_(self.optimiser)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.optimiser.zero_grad(set_to_none=True)
        self.count(number, parts, total, share, float(norm))

    def count(self, number: int, parts: Sequence[Sequence[int]], loss: float, share: float, norm: float) -> None:
        progress = self.progress
        progress.step = number + 1
        progress.losses += loss
        progress.tokens += sum(self.task.lengths[place] for part in parts for place in part)
        now = time.monotonic()
        progress.spent += now - self.at
        self.at = now
        if progress.step % _LOG_EVERY == 0 or progress.step == self.steps:
            steps = (progress.step - 1) % _LOG_EVERY + 1
            figures = {"loss": progress.losses / steps, "gradient_norm": norm}
            rate_now = self.options.learning_rate * share
            self.work.log(progress.step, learning_rate=rate_now, tokens=progress.tokens, **figures)
            progress.losses = 0.0

    def look(self) -> bool:
        """Measure on the validation rows and keep the best weights. Whether patience is at an end."""
        self.model.eval()
        with torch.no_grad(), autocast(self.options.precision):
            score = self.task.validate()
        if score is None:
            return False
        self.work.log(self.progress.step, validation=score)
        if self.progress.best is None or score > self.progress.best:
            self.progress.best, self.progress.best_step, self.progress.idle = score, self.progress.step, 0
            self.best = self.weights()
            return False
        self.progress.idle += 1
        return 0 < self.options.patience <= self.progress.idle

    def weights(self) -> dict[str, torch.Tensor]:
        """Copies of what is trained."""
        return {name: each.detach().clone() for name, each in self.model.named_parameters() if each.requires_grad}

    def finishing(self) -> bool:
        # Works of older servers do not have it.
        asked = getattr(self.work, "finishing", None)
        return bool(asked and asked())

    def save(self) -> None:
        def write(folder: Path) -> None:
            state = {
                "weights": self.weights(),
                "best": self.best,
                "optimiser": self.optimiser.state_dict(),
                "scaler": self.scaler.state_dict(),
                "random": torch.get_rng_state(),
                "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
                "progress": asdict(self.progress),
            }
            torch.save(state, folder / _STATE)

        checkpoints.save(self.work.checkpoints, self.progress.step, write)
        self.saved = time.monotonic()

    def load(self, place: Path) -> None:
        state = torch.load(place / _STATE, map_location=device(), weights_only=True)
        self.model.load_state_dict(state["weights"], strict=False)
        self.best = state["best"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["random"].cpu())
        if state["cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all([each.cpu() for each in state["cuda"]])
        self.progress = Progress(**state["progress"])
