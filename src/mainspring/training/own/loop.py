"""The training loop: one function, ``fit``, for all of our models.

It is exact: a run that is killed at any moment and started again has the same losses, bit by bit, as without the kill.
A checkpoint holds weights, the optimiser's state, the states of all random generators and the number of the step, which
the schedule and the place in the data follow from. What runs on several processes lies behind ``World``.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from mainspring.core.errors import InvalidRequest, NothingLearned, Unsupported
from mainspring.training import checkpoints
from mainspring.training.own.feed import Batch, Feed
from mainspring.training.own.models.model_files import read, write
from mainspring.training.own.models.stack import IGNORE, checkpointed
from mainspring.training.own.world import Alone, World
from mainspring.training.recipe import Interrupted, Work

Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train.

    ``batch`` rows make one step, ``micro`` of them one pass (0: all); the result is the same, since losses are summed
    and divided by the targets of the whole step. The learning rate grows to ``rate`` over ``warmup`` steps, and falls
    along a cosine to ``least`` of it. Every ``every`` steps the loss on held-out batches is taken; when it has not
    fallen ``patience`` times in a row, training ends (0: never). A checkpoint is kept every ``save`` steps.
    """

    steps: int
    batch: int = 32
    micro: int = 0
    rate: float = 1e-3
    least: float = 0.1
    warmup: int = 20
    decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0
    precision: Precision = "float32"
    checkpointing: bool = False
    every: int = 50
    patience: int = 0
    save: int = 50
    log: int = 10
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a training came to: the steps done, the best loss on held-out batches (nats a target; NaN without any) and
    its step, the tokens seen by this process since it started, and its seconds."""

    steps: int
    best: float
    best_step: int
    tokens: int
    seconds: float


@dataclass(slots=True)
class _State:
    """Where a training stands; part of each checkpoint."""

    step: int = 0
    best: float = math.inf
    best_step: int = 0
    worse: int = 0


def rate_at(plan: Plan, step: int) -> float:
    """The learning rate of step ``step``, which begins with 0."""
    if step < plan.warmup:
        return plan.rate * (step + 1) / plan.warmup
    done = (step - plan.warmup) / max(1, plan.steps - plan.warmup)
    return plan.rate * (plan.least + (1 - plan.least) * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def optimiser_of(model: nn.Module, plan: Plan, world: World | None = None) -> torch.optim.Optimizer:
    """AdamW; matrices decay, and norms do not."""
    weights = [each for each in model.parameters() if each.requires_grad]
    groups = [
        {"params": [each for each in weights if each.dim() >= 2], "weight_decay": plan.decay},
        {"params": [each for each in weights if each.dim() < 2], "weight_decay": 0.0},
    ]
    given = [each for each in groups if each["params"]]
    return (world or Alone()).optimiser(given, lr=plan.rate, betas=plan.betas)


def targets_of(batch: Batch) -> int:
    """How many targets of a batch count."""
    return int((batch["targets"] != IGNORE).sum())


def summed(model: nn.Module, batch: Batch) -> Tensor:
    """The sum of the losses of a batch, as our models return it."""
    return model(**batch)


class Fit:
    """A training that goes on where its latest checkpoint is. ``loss`` gives the sum of a batch's losses, ``weigh`` how
    many they are. Raises ``Unsupported`` if the hardware has not the precision."""

    def __init__(
        self,
        work: Work,
        model: nn.Module,
        feed: Feed,
        plan: Plan,
        *,
        held_out: Sequence[Batch] = (),
        loss: Callable[[nn.Module, Batch], Tensor] = summed,
        weigh: Callable[[Batch], int] = targets_of,
        world: World | None = None,
        samples: Callable[[int], None] | None = None,
    ) -> None:
        self.work, self.plan, self.feed, self.held_out = work, plan, feed, held_out
        self.loss, self.weigh, self.samples = loss, weigh, samples
        self.world = world or Alone()
        check_precision(plan)
        checkpointed(model, plan.checkpointing)
        self.model = self.world.wrap(model.to(plan.device), self._cast)
        self.optimiser = optimiser_of(self.model, plan, self.world)
        # Gradients of float16 vanish unless the loss is scaled up; bfloat16 has the range of float32.
        self.scaler = torch.amp.GradScaler("cuda", enabled=plan.precision == "float16")
        self.state = _State()
        self._best: dict[str, Tensor] | None = None

    def run(self) -> Fitted:
        """Train to the end and put the best weights into the model. Raises ``Interrupted`` after a checkpoint,
        ``NothingLearned`` if the loss is no number."""
        self.resume()
        if self.state.step == 0 and self.samples is not None:
            self.samples(0)
        begun, seen = time.monotonic(), 0
        tokens, since = 0, begun
        while self.state.step < self.plan.steps and not self.finished:
            loss, norm, new = self.step(self.state.step)
            self.state.step += 1
            step = self.state.step
            seen, tokens = seen + new, tokens + new
            last = step == self.plan.steps
            figures: dict[str, float] = {}
            if step % self.plan.log == 0 or last or step == 1:
                now = time.monotonic()
                figures |= {"loss": loss, "rate": rate_at(self.plan, step - 1), "gradient_norm": norm}
                figures["tokens_per_second"] = tokens / max(1e-9, now - since)
                tokens, since = 0, now
            if self.held_out and (step % self.plan.every == 0 or last):
                figures |= self._judge(step)
            if figures:
                self.work.log(step, **figures)
            stopping, finishing = self._asked()
            if step % self.plan.save == 0 or last or stopping or finishing:
                self.save()
            if stopping and not last and not self.finished:
                raise Interrupted
            if finishing:
                break
        return self._end(seen, time.monotonic() - begun)

    @property
    def finished(self) -> bool:
        """Whether the held-out loss has not fallen for too long."""
        return 0 < self.plan.patience <= self.state.worse

    def step(self, step: int) -> tuple[float, float, int]:
        """One step of the optimiser: the mean loss a target, the norm of the gradients before clipping, tokens."""
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = rate_at(self.plan, step)
        batches = self._parts(step)
        counted = torch.tensor(float(sum(self.weigh(each) for each in batches)), dtype=torch.float64)
        total = max(1.0, self.world.sum(counted).item())
        summed_loss = torch.zeros((), dtype=torch.float64)

        def scaled(loss: Tensor) -> Tensor:
            return self.scaler.scale(loss * (self.world.factor / total))

        for number, batch in enumerate(batches):
            # Gradients are exchanged once a step, with the last part.
            with self.world.together(self.model, last=number == len(batches) - 1):
                summed_loss += self.world.passes(self.model, batch, self._cast_loss, scaled).double().cpu()
        self.scaler.unscale_(self.optimiser)
        norm = self.world.clip(self.model, self.plan.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.optimiser.zero_grad(set_to_none=True)
        mean = self.world.sum(summed_loss).item() / total
        if not math.isfinite(mean):
            raise NothingLearned(
                f"the loss of step {step + 1} is not a number", remedy="Use a smaller rate, or float32", param="rate"
            )
        return mean, norm, sum(tokens_of(each) for each in batches)

    @torch.no_grad()
    def judge(self) -> float:
        """The mean loss (nats a target) on the held-out batches, which the processes share."""
        self.model.eval()
        figures = torch.zeros(2, dtype=torch.float64)
        for first in range(0, len(self.held_out), self.world.size):
            mine = first + self.world.rank
            # Who has none left looks at another one for nothing: all processes must call the model as often.
            batch = self.held_out[mine if mine < len(self.held_out) else first]
            moved = {name: each.to(self.plan.device) for name, each in batch.items()}
            loss = self.world.look(self.model, moved, self._cast_loss).double().cpu()
            if mine < len(self.held_out):
                figures += torch.tensor([float(loss), float(self.weigh(batch))], dtype=torch.float64)
        total, counted = self.world.sum(figures).tolist()
        return total / max(1.0, counted)

    def save(self) -> None:
        """Keep all that going on exactly needs. All processes call it; the first one writes."""
        weights, optimiser = self.world.state(self.model, self.optimiser)
        generators = self.world.gather(_generators())
        if not self.work.main:
            return

        def fill(folder: Path) -> None:
            write(weights, folder / "weights.safetensors")
            if self._best is not None:
                write(self._best, folder / "best.safetensors")
            state = {name: getattr(self.state, name) for name in ("step", "best", "best_step", "worse")}
            kept = {"state": state, "optimiser": optimiser, "scaler": self.scaler.state_dict()}
            torch.save(kept | {"generators": generators}, folder / "state.pt")

        checkpoints.save(self.work.checkpoints, self.state.step, fill)

    def resume(self) -> None:
        """Go on from the latest checkpoint, if there is one."""
        found = checkpoints.latest(self.work.checkpoints)
        if found is None:
            return
        kept: dict[str, Any] = torch.load(found / "state.pt", weights_only=True, map_location="cpu")
        self.world.load(self.model, self.optimiser, read(found / "weights.safetensors"), kept["optimiser"])
        self.scaler.load_state_dict(kept["scaler"])
        self.state = _State(**kept["state"])
        best = found / "best.safetensors"
        self._best = read(best) if best.exists() else None
        if self.world.rank < len(kept["generators"]):
            _set_generators(kept["generators"][self.world.rank])

    def _asked(self) -> tuple[bool, bool]:
        """Whether any process was asked to stop, and to finish with what there is."""
        asked = torch.tensor([float(self.work.stopping()), float(self.work.finishing())])
        stop, finish = self.world.sum(asked).tolist()
        return stop > 0, finish > 0

    def _parts(self, step: int) -> list[Batch]:
        """This process's share of the batch of a step, in parts of ``micro`` rows."""
        share, left = divmod(self.plan.batch, self.world.size)
        if left:
            raise InvalidRequest(
                f"a batch of {self.plan.batch} rows cannot be shared by {self.world.size} processes",
                remedy="Choose a multiple",
                param="options.batch",
            )
        first = self.world.rank * share
        size = min(self.plan.micro or share, share)
        parts = [self.feed.batch(step, at, min(at + size, first + share)) for at in range(first, first + share, size)]
        return [{name: each.to(self.plan.device) for name, each in part.items()} for part in parts]

    def _judge(self, step: int) -> dict[str, float]:
        loss = self.judge()
        if loss < self.state.best:
            self.state.best, self.state.best_step, self.state.worse = loss, step, 0
            weights, _ = self.world.state(self.model, None)
            self._best = {name: each.detach().cpu().clone() for name, each in weights.items()}
        else:
            self.state.worse += 1
        return {"held_out": loss, "perplexity": math.exp(min(loss, 50.0))}

    def _end(self, tokens: int, seconds: float) -> Fitted:
        if self._best is not None:
            self.world.load(self.model, None, self._best, None)
        self.model.eval()
        if self.samples is not None:
            self.samples(self.state.step)
        best = self.state.best if math.isfinite(self.state.best) else math.nan
        return Fitted(self.state.step, best, self.state.best_step, tokens, seconds)

    def _cast_loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        with self._cast():
            return self.loss(model, dict(batch))

    def _cast(self) -> AbstractContextManager[Any]:
        if self.plan.precision == "float32":
            return nullcontext()
        return torch.autocast(self.plan.device.split(":")[0], dtype=getattr(torch, self.plan.precision))


def fit(work: Work, model: nn.Module, feed: Feed, plan: Plan, **given: Any) -> Fitted:
    """Train ``model``, which has its best weights afterwards; see ``Fit`` for the rest."""
    return Fit(work, model, feed, plan, **given).run()


def tokens_of(batch: Batch) -> int:
    """All tokens that go into the model."""
    return sum(each.numel() for name, each in batch.items() if name in ("ids", "source"))


def check_precision(plan: Plan) -> None:
    """Raises ``Unsupported`` if the device cannot train in the precision."""
    if plan.precision == "float16" and not plan.device.startswith("cuda"):
        raise Unsupported(
            "float16 with loss scaling needs a GPU; this run is on the processor",
            remedy="Use bfloat16, which needs no scaling, or float32",
            param="options.precision",
        )


def _generators() -> dict[str, Any]:
    kind, keys, place, has_gauss, cached = np.random.get_state()
    kept = {
        "torch": torch.get_rng_state(),
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(np.asarray(keys, dtype=np.int64)), place, has_gauss, cached),
    }
    if torch.cuda.is_available():
        kept["cuda"] = torch.cuda.get_rng_state_all()
    return kept


def _set_generators(kept: dict[str, Any]) -> None:
    torch.set_rng_state(kept["torch"])
    random.setstate(kept["python"])
    kind, keys, place, has_gauss, cached = kept["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), place, has_gauss, cached))
    if "cuda" in kept and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(kept["cuda"])
