"""Proximal policy optimisation, readable: trl has none any more.

A step: the model (the policy) answers prompts; each answer gets a reward at its end, and each token pays for leaving
the base (the model without its adapter). A value for each token, read off the last hidden states, says what reward is
expected from there on; what comes beyond it is the token's advantage (GAE, Schulman et al. 2015). The odds of tokens
then move with their advantages, at most by ``clip`` (Schulman et al. 2017). Ouyang et al. 2022; guide D.6.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file, save_file

from mainspring.training import checkpoints
from mainspring.training.chat import held_out, loop, outputs, rows
from mainspring.training.chat.options import PpoOptions
from mainspring.training.chat.recipes.dpo import length_note
from mainspring.training.chat.recipes.grpo import fitting
from mainspring.training.chat.rewards import Rewards
from mainspring.training.chat.rows import Question
from mainspring.training.chat.tuning import Tuning
from mainspring.training.recipe import Interrupted, Made, Work


def run(work: Work) -> Made:
    """See ``training.recipe.Function``."""
    options = cast(PpoOptions, work.options)
    options.check_start(work.base, work.given)
    rows.enough(work.count("train"), options.min_rows, "prompts in train")
    rewards = Rewards(options, work.given)
    tuning = Tuning(work, options)
    asked = fitting(rows.questions(work, "train", tuning.writer, right=options.right), tuning, options.new_tokens)
    rows.enough(asked, options.min_rows, f"prompts that leave {options.new_tokens} of {options.length} tokens")
    held = held_out.HeldOut(work, tuning, scorers=rewards.scorers)
    before = held.before()
    ppo = AdapterPpo(work, tuning, asked, rewards)
    step = ppo.train()
    after = held.measure(step)
    notes = [*ppo.notes, f"weights of step {step}", *length_note(before, after)]
    return outputs.write(work, tuning, held_out.report(before, after), notes=notes, held=held)


@dataclass(frozen=True, slots=True)
class AnswerBatch:
    """Answers to prompts. Tensors are (answers, tokens of the longest answer); ``ids`` and ``mask`` have the prompts
    before them. ``written`` marks the tokens that the model wrote."""

    ids: torch.Tensor
    mask: torch.Tensor
    written: torch.Tensor
    likelihoods: torch.Tensor
    values: torch.Tensor
    advantages: torch.Tensor
    returns: torch.Tensor
    reward: float
    divergence: float


class AdapterPpo:
    """The loop. Its state is that of checkpoints: adapter, values, optimiser, random generators, step."""

    def __init__(self, work: Work, tuning: Tuning, asked: Sequence[Question], rewards: Rewards) -> None:
        self._work = work
        self._tuning = tuning
        self._options = cast(PpoOptions, tuning.options)
        self._asked = asked
        self._rewards = rewards
        self._value = torch.nn.Linear(tuning.model.config.hidden_size, 1).to(tuning.device)
        torch.nn.init.zeros_(self._value.weight)
        torch.nn.init.zeros_(self._value.bias)
        learning = [each for each in tuning.model.parameters() if each.requires_grad]
        self._learning = [*learning, *self._value.parameters()]
        self._optimizer = torch.optim.AdamW(
            [{"params": learning}, {"params": self._value.parameters(), "lr": 10 * self._options.learning_rate}],
            lr=self._options.learning_rate,
            weight_decay=self._options.weight_decay,
        )
        self.notes: list[str] = []

    def train(self) -> int:
        """Do all steps from the latest checkpoint; returns their number. Raises ``Interrupted`` after a checkpoint."""
        planned = loop.planned_steps(self._options, len(self._asked))
        step = self._resume()
        while step < planned:
            step += 1
            rollout = self._answered(self._drawn(step))
            figures = self._learned(rollout)
            tokens = float(rollout.written.sum())
            self._work.log(
                step, reward=rollout.reward, kl=rollout.divergence, words=tokens / len(rollout.ids), **figures
            )
            if self._work.stopping():
                self._save(step)
                raise Interrupted
            if loop.finishing(self._work):
                self.notes.append(f"the time or money of the run was used up after {step} steps")
                break
            if step % self._options.save_every == 0:
                self._save(step)
        return step

    def _drawn(self, step: int) -> list[Question]:
        """The prompts of a step: an order of all of them for each epoch."""
        count = self._options.batch * self._options.accumulation
        found = []
        for number in range((step - 1) * count, step * count):
            epoch, place = divmod(number, len(self._asked))
            order = list(range(len(self._asked)))
            random.Random(f"{self._work.seed}:{epoch}").shuffle(order)
            found.append(self._asked[order[place]])
        return found

    # --- answers ----------------------------------------------------------------------------------------------

    def _answered(self, asked: Sequence[Question]) -> AnswerBatch:
        ids, mask, start = self._generated([each.prompt for each in asked])
        written = self._written(ids[:, start:])
        mask = torch.cat([mask, written.long()], 1)
        with self._tuning.computing():
            likelihoods, values = self._read(ids, mask, start)
            with self._tuning.as_before():
                base, _ = self._read(ids, mask, start)
        texts = [
            self._tuning.tokenizer.decode(row[kept], skip_special_tokens=True)
            for row, kept in zip(ids[:, start:], written, strict=True)
        ]
        worth = self._rewards.of([each.prompt for each in asked], [each.example for each in asked], texts)
        divergence = (likelihoods - base) * written
        rewards = -self._options.beta * divergence
        last = written.sum(1).clamp(min=1) - 1
        rewards[torch.arange(len(ids)), last] += torch.tensor(worth, device=rewards.device)
        values = values * written
        advantages = self._advantages(rewards, values, written)
        mean, spread = _moments(advantages, written)
        return AnswerBatch(
            ids,
            mask,
            written,
            likelihoods,
            values,
            (advantages - mean) / (spread + 1e-6) * written,
            advantages + values,
            sum(worth) / len(worth),
            float(divergence.sum() / written.sum().clamp(min=1)),
        )

    def _generated(self, prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor, int]:
        """Ids (answers, tokens) with the prompts filled on the left, their mask, and where answers begin."""
        tokenizer, device = self._tuning.tokenizer, self._tuning.device
        found = [tokenizer(each, add_special_tokens=False)["input_ids"] for each in prompts]
        width = max(map(len, found))
        pad = tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(each)) + each for each in found], device=device)
        mask = torch.tensor([[0] * (width - len(each)) + [1] * len(each) for each in found], device=device)
        model = self._tuning.model.eval()
        with self._tuning.computing():
            made = model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=self._options.new_tokens,
                do_sample=True,
                temperature=self._options.temperature,
                top_k=0,
                use_cache=True,
                pad_token_id=pad,
                eos_token_id=tokenizer.eos_token_id,
            )
        return made, mask, width

    def _written(self, answers: torch.Tensor) -> torch.Tensor:
        """Which tokens the model wrote: up to the one that ends the turn, and that one."""
        ended = (answers == self._tuning.tokenizer.eos_token_id).long()
        return (ended.cumsum(1) - ended) == 0

    def _read(self, ids: torch.Tensor, mask: torch.Tensor, start: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-likelihoods of the answers' tokens, and the values before each."""
        places = (mask.cumsum(1) - 1).clamp(min=0)
        out = self._tuning.model(input_ids=ids, attention_mask=mask, position_ids=places, output_hidden_states=True)
        logits = out.logits[:, start - 1 : -1].float() / self._options.temperature
        chosen = ids[:, start:].unsqueeze(-1)
        likelihoods = torch.log_softmax(logits, -1).gather(-1, chosen).squeeze(-1)
        # The values learn from what the policy has found, and do not move it.
        hidden = out.hidden_states[-1][:, start - 1 : -1].float().detach()
        return likelihoods, self._value(hidden).squeeze(-1)

    def _advantages(self, rewards: torch.Tensor, values: torch.Tensor, written: torch.Tensor) -> torch.Tensor:
        options, kept = self._options, written.float()
        found = torch.zeros_like(rewards)
        following = torch.zeros(len(rewards), device=rewards.device)
        for token in reversed(range(rewards.shape[1])):
            later = values[:, token + 1] if token + 1 < rewards.shape[1] else torch.zeros_like(following)
            surprise = rewards[:, token] + options.discount * later - values[:, token]
            following = (surprise + options.discount * options.trace * following) * kept[:, token]
            found[:, token] = following
        return found

    # --- learning ---------------------------------------------------------------------------------------------

    def _learned(self, rollout: AnswerBatch) -> dict[str, float]:
        options = self._options
        sums = {"policy_loss": 0.0, "value_loss": 0.0, "clipped": 0.0}
        start = rollout.ids.shape[1] - rollout.written.shape[1]
        parts = torch.arange(len(rollout.ids)).split(options.batch)
        total = rollout.written.sum().clamp(min=1)
        for _ in range(options.passes):
            self._optimizer.zero_grad()
            for part in parts:
                written = rollout.written[part].float()
                with self._tuning.computing(learning=True):
                    likelihoods, values = self._read(rollout.ids[part], rollout.mask[part], start)
                ratio = ((likelihoods - rollout.likelihoods[part]) * written).exp()
                advantages = rollout.advantages[part]
                plain = ratio * advantages
                bounded = ratio.clamp(1 - options.clip, 1 + options.clip) * advantages
                policy = -(torch.minimum(plain, bounded) * written).sum() / total
                value = ((values - rollout.returns[part]) ** 2 * written).sum() / total
                (policy + options.value_weight * value).backward()
                sums["policy_loss"] += float(policy.detach()) / options.passes
                sums["value_loss"] += float(value.detach()) / options.passes
                outside = ((ratio - 1).abs() > options.clip).float() * written
                sums["clipped"] += float(outside.sum() / total) / options.passes
            torch.nn.utils.clip_grad_norm_(self._learning, 1.0)
            self._optimizer.step()
        return sums

    # --- checkpoints ------------------------------------------------------------------------------------------

    def _save(self, step: int) -> None:
        def write(draft: Path) -> None:
            save_file(loop.learned(self._tuning.model), draft / "adapter.safetensors")
            state = {
                "value": self._value.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "random": torch.get_rng_state(),
            }
            torch.save(state, draft / "state.pt")

        checkpoints.save(self._work.checkpoints, step, write)

    def _resume(self) -> int:
        latest = checkpoints.latest(self._work.checkpoints)
        if latest is None:
            return 0
        loop.restore(self._tuning.model, load_file(latest / "adapter.safetensors"))
        state: dict[str, Any] = torch.load(latest / "state.pt", weights_only=True)
        self._value.load_state_dict(state["value"])
        self._optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        return checkpoints.step_of(latest)


def _moments(values: torch.Tensor, kept: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    found = values[kept]
    return found.mean(), found.std() if len(found) > 1 else torch.ones_like(found.mean())
