"""What reinforcement learning needs of a policy: answers, the chances of their tokens, advantages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mainspring.training.own.collate import filled, kept
from mainspring.training.own.models.decoder import Decoder
from mainspring.training.own.models.writing import write
from mainspring.training.own.words import END


class Policy(nn.Module):
    """A decoder, and beside its head another one that expects the rewards to come."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder
        self.value = nn.Linear(decoder.shape.width, 1)
        nn.init.zeros_(self.value.weight)
        nn.init.zeros_(self.value.bias)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of texts (batch, length): the log-chance of each token after the first, the expectation before it, and the
        entropy there; (batch, length - 1) each."""
        states = self.decoder.states(ids[:, :-1])
        chances = torch.log_softmax(states @ self.decoder.embedding.tokens.weight.T, dim=-1)
        entropy = -(chances.exp() * chances).sum(-1)
        return chances.gather(-1, ids[:, 1:, None])[..., 0], self.value(states)[..., 0], entropy


@dataclass(frozen=True, slots=True)
class Rollout:
    """Answers to prompts. ``ids`` (batch, length) are both; ``said`` (batch, length - 1) is True where the next token
    is the answer's, and ``last`` (batch) is the place of its last one there. ``ended`` (batch): it ended by itself."""

    ids: Tensor
    said: Tensor
    last: Tensor
    ended: Tensor
    texts: list[list[int]]
    lengths: list[int]


def roll(
    decoder: Decoder, prompts: Sequence[Sequence[int]], *, most: int, temperature: float, generator: torch.Generator
) -> Rollout:
    """Let the model answer each prompt."""
    decoder.eval()
    answers = write(decoder, prompts, most=most, end=END, temperature=temperature, generator=generator)
    texts = [[*prompt, *answer] for prompt, answer in zip(prompts, answers, strict=True)]
    places = torch.arange(max(map(len, texts)) - 1)[None]
    begun = torch.tensor([len(each) - 1 for each in prompts])[:, None]
    last = torch.tensor([len(each) - 2 for each in texts])
    return Rollout(
        filled(texts),
        kept([each[1:] for each in texts]) & (places >= begun),
        last,
        torch.tensor([END in each[-1:] for each in answers]),
        texts,
        [len(each) for each in answers],
    )


def advantages(rewards: Tensor, values: Tensor, said: Tensor, decay: float) -> tuple[Tensor, Tensor]:
    """Generalized advantage estimation (Schulman et al. 2015) without discount, and what values should be; all are
    (batch, length - 1). ``rewards`` come after a token, ``values`` are expected before it."""
    found, later = torch.zeros_like(values), torch.zeros(len(values))
    for at in reversed(range(values.shape[1])):
        following = values[:, at + 1] * said[:, at + 1] if at + 1 < values.shape[1] else torch.zeros(len(values))
        surprise = rewards[:, at] + following - values[:, at]
        later = (surprise + decay * later) * said[:, at]
        found[:, at] = later
    return found, found + values


def whitened(values: Tensor, said: Tensor) -> Tensor:
    """With a mean of 0 and a deviation of 1 over the tokens of answers."""
    chosen = values[said]
    return (values - chosen.mean()) / (chosen.std(correction=0) + 1e-6)
