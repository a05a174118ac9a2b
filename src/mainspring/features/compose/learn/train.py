"""The recipe ``compose``: a decoder learns general English together with mails, and then mails alone.

The learning rate rises for a twentieth of all steps and then falls along a cosine. The weights that are best on the
validation side's mails are kept. A run that is stopped goes on with the next step: weights, the optimiser's state and
the generator of dropout are in the checkpoint, and the order of data depends on the seed alone.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Sequence
from typing import cast

import torch
from safetensors.torch import load_file

import mainspring.training.checkpoints as checkpoints
from mainspring.core.errors import InvalidRequest
from mainspring.features.compose.evaluating import drawn
from mainspring.features.compose.learn import starting, weights
from mainspring.features.compose.learn.mixing import before, mix
from mainspring.features.compose.learn.rows import Sample, batches, is_mail, padded, samples, tokenizer
from mainspring.features.compose.model.layout import END, header
from mainspring.features.compose.model.packed import NGRAMS, TOKENIZER
from mainspring.features.compose.recipes import ComposeOptions
from mainspring.training.own.models.decoder import Decoder
from mainspring.training.recipe import Interrupted, Made, Work

_LOOKED_AT = 400
"""Mails of the validation side that each look measures."""
_SHOWN, _WRITTEN = 4, 12
"""Mails whose continuation people see, and its tokens."""
_CLIP, _BETAS = 1.0, (0.9, 0.95)


class _Run:
    """The state of a run: everything that a checkpoint holds, and the data."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.options = options = cast(ComposeOptions, work.options)
        self.start = starting.found(work.given.get("start"))
        if self.start is not None:
            self.options = options = options.model_copy(update=dict(self.start.sizes))
            shutil.copyfile(self.start.tokenizer, work.output / TOKENIZER)
        torch.manual_seed(work.seed)
        rows = list(work.rows("train"))
        mails = [row for row in rows if is_mail(row)]
        if not mails:
            raise InvalidRequest(
                "the training side has no mails", remedy="Give rows with a subject or to", param="data"
            )
        self.tokenizer = tokenizer(work.output / TOKENIZER, rows, options.vocabulary)
        self.model = Decoder(options.shape(self.tokenizer.get_vocab_size()))
        if self.start is not None:
            self.model.load_state_dict(load_file(self.start.weights))
        self.all = samples(self.tokenizer, rows, options.length)
        self.mails = samples(self.tokenizer, mails, options.length)
        seen = [row for row in work.rows("validation") if is_mail(row)][:_LOOKED_AT]
        self.looked_at = samples(self.tokenizer, seen, options.length)
        self.shown = drawn([row for row in work.rows("validation") if is_mail(row)][:_SHOWN], 1)
        self.plan = self._plan()
        decayed = [each for each in self.model.parameters() if each.dim() > 1]
        plain = [each for each in self.model.parameters() if each.dim() <= 1]
        groups = [{"params": decayed, "weight_decay": options.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=options.learning_rate, betas=_BETAS, fused=True)
        self.step, self.best = 0, math.inf
        self.best_state: dict[str, torch.Tensor] = {}
        self._resume()

    def _plan(self) -> list[tuple[Sequence[Sample], list[int]]]:
        """The batch of each step."""
        made: list[tuple[Sequence[Sample], list[int]]] = []
        for number, (found, epochs) in enumerate(
            ((self.all, self.options.general_epochs), (self.mails, self.options.mail_epochs))
        ):
            for epoch in range(math.ceil(epochs)):
                seed = self.work.seed * 1000 + number * 100 + epoch
                one = batches(found, self.options.batch_tokens, seed)
                made += [(found, each) for each in one[: round(len(one) * min(1.0, epochs - epoch))]]
        return made

    def rate(self) -> float:
        """The learning rate of this step, as a share of the highest."""
        warm = max(1, len(self.plan) // 20)
        if self.step < warm:
            return (self.step + 1) / warm
        done = (self.step - warm) / max(1, len(self.plan) - warm)
        return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done))

    def learn(self) -> tuple[float, int]:
        """Take a step; returns its loss (nats a token) and its number of tokens."""
        found, members = self.plan[self.step]
        tokens, targets = (torch.tensor(each) for each in padded(found, members))
        for group in self.optimiser.param_groups:
            group["lr"] = self.options.learning_rate * self.rate()
        self.model.train()
        counted = int((targets >= 0).sum())
        with torch.autocast("cpu", torch.bfloat16, enabled=self.options.precision == "bf16"):
            loss = self.model(tokens, targets) / counted
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), _CLIP)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        return float(loss.detach()), counted

    def look(self) -> float:
        """Measure the validation side, and keep the weights if they are the best so far. Nats a token."""
        loss = measure(self.model, self.looked_at, self.options.batch_tokens)
        if not self.looked_at or loss < self.best:
            self.best = loss
            self.best_state = {name: each.detach().clone() for name, each in self.model.state_dict().items()}
        return loss

    def show(self) -> None:
        """Keep how the model goes on with some mails of the validation side."""
        self.model.eval()
        for place in self.shown:
            before = header(self.tokenizer, str(place.row.get("to", "")), str(place.row.get("subject", "")))
            text = place.before.rstrip(" ")
            ids = [*before, *self.tokenizer.encode(text, add_special_tokens=False).ids]
            written: list[int] = []
            with torch.no_grad():
                while len(written) < _WRITTEN:
                    seen = torch.tensor([[*ids, *written][-self.options.length :]])
                    token = int(self.model(seen)[0, -1].argmax())
                    if token == END:
                        break
                    written.append(token)
            self.work.sample(self.step, place.before, str(self.tokenizer.decode(written)))

    def save(self) -> None:
        told = {
            "step": self.step,
            "best": self.best,
            "best_state": self.best_state,
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "random": torch.get_rng_state(),
        }
        checkpoints.save(self.work.checkpoints, self.step, lambda folder: torch.save(told, folder / "state.pt"))

    def _resume(self) -> None:
        latest = checkpoints.latest(self.work.checkpoints)
        if latest is None:
            return
        told = torch.load(latest / "state.pt", weights_only=True)
        self.step, self.best, self.best_state = told["step"], told["best"], told["best_state"]
        self.model.load_state_dict(told["model"])
        self.optimiser.load_state_dict(told["optimiser"])
        torch.set_rng_state(told["random"])


def run(work: Work) -> Made:
    """Raises ``Interrupted``, ``InvalidRequest``."""
    state = _Run(work)
    began, tokens, losses = time.monotonic(), 0, 0.0
    since = state.step
    if not state.step:
        state.show()
    while state.step < len(state.plan):
        loss, counted = state.learn()
        tokens, losses = tokens + counted, losses + loss
        last = state.step == len(state.plan)
        if state.step % state.options.every == 0 or last:
            seen = state.look()
            seconds = max(1e-9, time.monotonic() - began)
            work.log(
                state.step, loss=losses / (state.step - since), validation_loss=seen, tokens_per_s=tokens / seconds
            )
            state.show()
            began, tokens, losses, since = time.monotonic(), 0, 0.0, state.step
            state.save()
        if last or work.finishing():
            break
        if work.stopping():
            state.save()
            raise Interrupted
    if state.step % state.options.every and not work.stopping():
        state.look()
    return _made(state)


def _made(state: _Run) -> Made:
    work, model = state.work, state.model
    if state.best_state:
        model.load_state_dict(state.best_state)
    files = weights.write(model, work.output)
    share, figures, intervals, counted = mix(work, state.tokenizer, state.mails)
    return Made(
        "composer",
        (TOKENIZER, NGRAMS, *files),
        figures,
        intervals,
        counted,
        {} if state.start is None else before(work, state.start.folder),
        notes=(
            f"{model.shape.parameters:,} parameters; {state.step} of {len(state.plan)} steps",
            f"the decoder has {share:.2f} of each probability, n-grams of mails have the rest",
        ),
    )


def measure(model: Decoder, found: Sequence[Sample], tokens: int) -> float:
    """Nats a token over ``found``, in f32."""
    model.eval()
    nats, counted = 0.0, 0
    with torch.no_grad():
        for members in batches(found, tokens, 0) if found else []:
            ids, targets = (torch.tensor(each) for each in padded(found, members))
            nats += float(model(ids, targets))
            counted += int((targets >= 0).sum())
    return nats / max(1, counted)
