"""The recipe ``ppo-own``: a model of ours learns by reinforcement (PPO, Schulman et al. 2017) to write what a reward
model likes, without going far from what it was."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from mainspring.core.errors import NothingLearned
from mainspring.training import checkpoints
from mainspring.training.own import tokenizing, words
from mainspring.training.own.finetune import served
from mainspring.training.own.models import model_files
from mainspring.training.own.models.decoder import Decoder
from mainspring.training.own.options import PpoOwnOptions
from mainspring.training.own.preferences import reward as rewards
from mainspring.training.own.preferences.reward import RewardDecoder, based
from mainspring.training.own.preferences.rollout import Policy, Rollout, advantages, roll, whitened
from mainspring.training.own.ratios import ratio
from mainspring.training.own.texts import ROLES, RowEncoder, turns_of
from mainspring.training.recipe import Interrupted, Made, Side, Work

_TESTED = 300
"""Prompts of the side test that are answered before and after."""
_VALUE = 0.1
"""How much the loss of the values counts."""


class Ppo:
    """One training. ``judge`` gives texts their rewards; ``reference`` is what the policy must stay near."""

    def __init__(self, policy: Policy, judge: RewardDecoder, options: PpoOwnOptions, seed: int) -> None:
        self.policy, self.judge, self.options, self.seed = policy, judge, options, seed
        self.reference = copy.deepcopy(policy).eval().requires_grad_(False)
        self.optimiser = torch.optim.AdamW(policy.parameters(), lr=options.rate, weight_decay=0.0, betas=(0.9, 0.95))

    def step(self, step: int, prompts: Sequence[Sequence[int]]) -> dict[str, float]:
        """Answer prompts, and learn of the rewards. The same again for the same step and weights."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        options = self.options
        rolled = roll(
            self.policy.decoder, prompts, most=options.answer, temperature=options.temperature, generator=generator
        )
        with torch.no_grad():
            before, values, entropy = self.policy(rolled.ids)
            reference, _, _ = self.reference(rolled.ids)
        scores = self.scores(rolled)
        away = (before - reference) * rolled.said
        # The distance costs at each token; the reward comes with the last one.
        given = -options.kl * away
        given[torch.arange(len(prompts)), rolled.last] += scores
        gains, wanted = advantages(given, values * rolled.said, rolled.said, options.decay)
        clipped = self._learn(rolled, before, whitened(gains, rolled.said), wanted, generator)
        return {
            "reward": float(scores.mean()),
            "kl": float(away.sum(1).mean()),
            "length": sum(rolled.lengths) / len(prompts),
            "ended": float(rolled.ended.float().mean()),
            "entropy": float(entropy[rolled.said].mean()),
            "clipped": clipped,
        }

    def scores(self, rolled: Rollout) -> Tensor:
        """The rewards (batch), less what length and a missing end cost."""
        found = torch.tensor(self.judge.rate(rolled.texts))
        found = found - self.options.length_cost * torch.tensor(rolled.lengths)
        return torch.where(rolled.ended, found, found - self.options.no_end)

    def _learn(
        self, rolled: Rollout, before: Tensor, gains: Tensor, wanted: Tensor, generator: torch.Generator
    ) -> float:
        """Several passes over the answers; the share of tokens whose chance would have changed too much."""
        options, clipped, seen = self.options, 0.0, 0
        self.policy.train()
        for _ in range(options.epochs):
            for rows in torch.randperm(len(rolled.ids), generator=generator).split(options.part):
                said = rolled.said[rows]
                after, values, _ = self.policy(rolled.ids[rows])
                change = torch.exp(after - before[rows])
                # A change beyond the clip gains nothing more.
                bounded = change.clamp(1 - options.clip_change, 1 + options.clip_change)
                gain = torch.minimum(change * gains[rows], bounded * gains[rows])
                loss = -gain[said].mean() + _VALUE * (values - wanted[rows])[said].square().mean()
                self.optimiser.zero_grad(set_to_none=True)
                loss.backward()
                nn.utils.clip_grad_norm_(self.policy.parameters(), options.clip)
                self.optimiser.step()
                clipped += float((change != bounded)[said].float().mean())
                seen += 1
        return clipped / seen


def run(work: Work) -> Made:
    """Raises ``NothingLearned`` without prompts, ``InvalidRequest`` naming what does not fit."""
    options, base = cast(PpoOwnOptions, work.options), based(work)
    judge = rewards.load(base)
    encoder = RowEncoder(words.given(base))
    prompts = _prompts(work, "train", encoder, judge.shape.length - options.answer)
    if not prompts:
        raise NothingLearned("there are no prompts", remedy="Give rows with `prompt` or `messages`", param="train")
    torch.manual_seed(work.seed)
    decoder = cast(Decoder, model_files.build(judge.shape))
    model_files.put(decoder, model_files.read(base / rewards.POLICY))
    ppo = Ppo(Policy(decoder), judge, options, work.seed)
    tested = _prompts(work, "test", encoder, judge.shape.length - options.answer)[:_TESTED]
    steps = _trained(work, ppo, encoder, prompts, tested[:3] or prompts[:3])
    files = (*model_files.save(decoder, work.output), *tokenizing.save(work, encoder.tokenizer))
    files, entry = served(work, decoder, encoder, files, [encoder.said(each) for each in tested or prompts])
    if not tested:
        return Made("chat", files, {"steps": float(steps)}, entry=entry, notes=("there is no side test",))
    before, _ = measured(ppo, ppo.reference.decoder, tested)
    figures, intervals = measured(ppo, decoder, tested)
    return Made(
        "chat",
        files,
        {**figures, "steps": float(steps)},
        intervals,
        dict.fromkeys(figures, len(tested)),
        before=before,
        entry=entry,
    )


@torch.no_grad()
def measured(
    ppo: Ppo, decoder: Decoder, prompts: Sequence[Sequence[int]]
) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """Mean reward (of the reward model alone), length in tokens and distance to the reference (nats an answer) of one
    drawn answer to each prompt, with 95 % intervals."""
    generator = torch.Generator().manual_seed(97)
    policy = Policy(decoder).eval()
    parts: dict[str, list[float]] = {"reward": [], "length": [], "kl": []}
    for at in range(0, len(prompts), 64):
        given = prompts[at : at + 64]
        rolled = roll(decoder, given, most=ppo.options.answer, temperature=1.0, generator=generator)
        away = (policy(rolled.ids)[0] - ppo.reference(rolled.ids)[0]) * rolled.said
        parts["reward"] += ppo.judge.rate(rolled.texts)
        parts["length"] += [float(each) for each in rolled.lengths]
        parts["kl"] += away.sum(1).tolist()
    found = {name: ratio([(value, 1.0) for value in values]) for name, values in parts.items()}
    return {name: each[0] for name, each in found.items()}, {name: (each[1], each[2]) for name, each in found.items()}


def _trained(
    work: Work, ppo: Ppo, encoder: RowEncoder, prompts: list[list[int]], shown: Sequence[Sequence[int]]
) -> int:
    """Steps done. A checkpoint is weights and the optimiser's state: all else follows from the step."""
    options, done = ppo.options, _resumed(work.checkpoints, ppo)
    if not done:
        _show(work, 0, ppo, encoder, shown)
    for step in range(done, options.steps):
        chosen = np.random.default_rng((work.seed, step)).choice(len(prompts), options.batch)
        figures = ppo.step(step, [prompts[each] for each in chosen])
        done = step + 1
        if not math.isfinite(figures["reward"] + figures["kl"]):
            raise NothingLearned(f"step {done} came to no number", remedy="Use a smaller rate", param="rate")
        work.log(done, **figures)
        stopping, enough = work.stopping(), work.finishing()
        if done % options.save == 0 or done == options.steps or stopping or enough:
            _save(work, done, ppo)
        if stopping and done < options.steps:
            raise Interrupted
        if enough:
            break
    _show(work, done, ppo, encoder, shown)
    return done


def _save(work: Work, step: int, ppo: Ppo) -> None:
    def fill(folder: Path) -> None:
        model_files.write(ppo.policy.state_dict(), folder / "policy.safetensors")
        torch.save(ppo.optimiser.state_dict(), folder / "optimiser.pt")

    checkpoints.save(work.checkpoints, step, fill)


def _resumed(folder: Path, ppo: Ppo) -> int:
    """The step of the latest checkpoint, whose state is put in."""
    found = checkpoints.latest(folder)
    if found is None:
        return 0
    model_files.put(ppo.policy, model_files.read(found / "policy.safetensors"))
    ppo.optimiser.load_state_dict(torch.load(found / "optimiser.pt", weights_only=True))
    return checkpoints.step_of(found)


def _show(work: Work, step: int, ppo: Ppo, encoder: RowEncoder, prompts: Sequence[Sequence[int]]) -> None:
    generator = torch.Generator().manual_seed(5)
    rolled = roll(ppo.policy.decoder, prompts, most=ppo.options.answer, temperature=0.0, generator=generator)
    for prompt, text in zip(prompts, rolled.texts, strict=True):
        work.sample(step, encoder.said(prompt), encoder.said(text[len(prompt) :]))


def _prompts(work: Work, side: Side, encoder: RowEncoder, most: int) -> list[list[int]]:
    """Of rows with ``prompt``, or of conversations up to the last answer. Longer ones are left out."""
    found = []
    for row in work.rows(side):
        turns = [(ROLES[1], row["prompt"])] if isinstance(row.get("prompt"), str) else turns_of(_asked(row))
        while turns and turns[-1][0] == ROLES[2]:
            turns = turns[:-1]
        if turns and len(ids := encoder.prompt(turns)) <= most:
            found.append(ids)
    return found


def _asked(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"messages": row["prompt"]} if isinstance(row.get("prompt"), list) else row
