"""The recipe ``reward-own``: a model of ours learns which of two answers people prefer (Bradley-Terry)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mainspring.core.errors import InvalidRequest, NothingLearned
from mainspring.statistics.sampling import wilson
from mainspring.training.own import tokenizing, words
from mainspring.training.own.collate import filled
from mainspring.training.own.feed import Batch, Shuffled
from mainspring.training.own.loop import fit
from mainspring.training.own.models import model_files
from mainspring.training.own.models.decoder import Decoder
from mainspring.training.own.options import RewardOwnOptions
from mainspring.training.own.texts import ROLES, RowEncoder, Turns, turns_of
from mainspring.training.own.training import plan_of
from mainspring.training.own.words import END
from mainspring.training.recipe import Made, Work

HEAD, POLICY = "reward.safetensors", "policy.safetensors"
_SHARE = 20


class RewardDecoder(nn.Module):
    """A decoder that gives a text one number, from its state at the last token."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder
        self.shape = decoder.shape
        self.score = nn.Linear(decoder.shape.width, 1, bias=False)
        nn.init.zeros_(self.score.weight)

    def forward(self, ids: Tensor, last: Tensor) -> Tensor:
        """Rewards (batch) of texts (batch, length) whose last token is at ``last`` (batch)."""
        states = self.decoder.states(ids)
        return self.score(states[torch.arange(len(ids), device=ids.device), last])[:, 0]

    @torch.no_grad()
    def rate(self, texts: Sequence[Sequence[int]], size: int = 64) -> list[float]:
        """Rewards of texts of any length."""
        self.eval()
        found: list[float] = []
        for at in range(0, len(texts), size):
            part = texts[at : at + size]
            found += self(filled(part), torch.tensor([len(each) - 1 for each in part])).tolist()
        return found


@dataclass(frozen=True, slots=True)
class Preference:
    """Two whole texts of one prompt as tokens, the preferred one first."""

    chosen: list[int]
    rejected: list[int]


def load(folder: Path) -> RewardDecoder:
    """The reward model in the folder of a version. Raises ``InvalidRequest`` if there is none."""
    if not (folder / HEAD).exists():
        raise InvalidRequest(
            f"{folder.name} is not a reward model", remedy="Name a version that reward-own made", param="base"
        )
    model = RewardDecoder(cast(Decoder, model_files.load(folder)))
    model.score.load_state_dict(model_files.read(folder / HEAD))
    return model.eval()


def preferences(rows: Iterable[Mapping[str, Any]], encoder: RowEncoder, length: int) -> list[Preference]:
    """Rows with ``prompt``, ``chosen`` and ``rejected``, each a text or messages. Pairs that are longer than the model
    sees are left out. Raises ``InvalidRequest`` naming a row's field."""
    found = []
    for row in rows:
        begun = encoder.prompt(_turns(row, "prompt", ROLES[1]))
        sides = [[*begun, *encoder.plain(_turns(row, name, "")[-1][1]), END] for name in ("chosen", "rejected")]
        if max(map(len, sides)) <= length:
            found.append(Preference(*sides))
    return found


def collate(chosen: list[Preference], _: list[np.random.Generator] | None = None) -> Batch:
    """(2 n, length): the preferred texts, then the others."""
    texts = [each.chosen for each in chosen] + [each.rejected for each in chosen]
    return {"ids": filled(texts), "last": torch.tensor([len(each) - 1 for each in texts])}


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """The sum of -log of the chance that the preferred one is preferred: the sigmoid of the rewards' difference."""
    better, worse = model(**batch).chunk(2)
    return -functional.logsigmoid(better - worse).sum()


def pairs_of(batch: Batch) -> int:
    return len(batch["ids"]) // 2


def run(work: Work) -> Made:
    """Raises ``NothingLearned`` without pairs, ``InvalidRequest`` naming what does not fit."""
    options = cast(RewardOwnOptions, work.options)
    base = based(work)
    encoder = RowEncoder(words.given(base))
    torch.manual_seed(work.seed)
    decoder = _decoder(base)
    length = decoder.shape.length
    train = preferences(work.rows("train"), encoder, length)
    held_out = preferences(work.rows("validation"), encoder, length)
    if not held_out:
        held_out, train = train[::_SHARE], [each for at, each in enumerate(train) if at % _SHARE]
    if not train:
        raise NothingLearned("there are no pairs to learn from", remedy="Give rows with `chosen` and `rejected`")
    policy = {name: weight.clone() for name, weight in decoder.state_dict().items()}
    model = RewardDecoder(decoder)
    fitted = fit(
        work,
        model,
        Shuffled(train, collate, size=options.batch, seed=work.seed),
        plan_of(options),
        held_out=[collate(held_out[at : at + 32]) for at in range(0, len(held_out), 32)],
        loss=loss,
        weigh=pairs_of,
    )
    model.to("cpu")
    files = [*model_files.save(model.decoder, work.output), *tokenizing.save(work, encoder.tokenizer), HEAD, POLICY]
    model_files.write(model.score.state_dict(), work.output / HEAD)
    # The model that it judges, so that ppo-own has both.
    model_files.write(policy, work.output / POLICY)
    figures, intervals, by_length = judged(model, preferences(work.rows("test"), encoder, length))
    return Made(
        "reward",
        tuple(files),
        {**figures, "steps": float(fitted.steps), "best_step": float(fitted.best_step)},
        intervals,
        {name: int(by_length["pairs"]) for name in figures},
        before={"accuracy": by_length["accuracy"]} if figures else {},
        notes=("`before` is the accuracy of preferring the longer answer",) if figures else ("no side test",),
    )


def judged(
    model: RewardDecoder, pairs: Sequence[Preference]
) -> tuple[dict[str, float], dict[str, tuple[float, float]], dict[str, float]]:
    """The share of pairs that the model orders as people did, with its interval; and the same of length alone."""
    if not pairs:
        return {}, {}, {"pairs": 0.0, "accuracy": 0.0}
    better, worse = model.rate([each.chosen for each in pairs]), model.rate([each.rejected for each in pairs])
    right = sum(a > b for a, b in zip(better, worse, strict=True))
    longer = sum((len(e.chosen) > len(e.rejected)) + 0.5 * (len(e.chosen) == len(e.rejected)) for e in pairs)
    found = wilson(right, len(pairs))
    return (
        {"accuracy": right / len(pairs)},
        {"accuracy": (found.low, found.high)},
        {"pairs": float(len(pairs)), "accuracy": longer / len(pairs)},
    )


def based(work: Work) -> Path:
    """Raises ``InvalidRequest`` without a base."""
    if work.base is None:
        raise InvalidRequest("this recipe starts from a model", remedy="Name one", param="base")
    return work.base


def _decoder(base: Path) -> Decoder:
    model = model_files.load(base)
    if not isinstance(model, Decoder):
        raise InvalidRequest("the base is not a decoder", remedy="Name one that finetune-own made", param="base")
    return model


def _turns(row: Mapping[str, Any], name: str, role: str) -> Turns:
    found = row.get(name)
    if isinstance(found, str):
        return [(role, found)]
    if isinstance(found, list) and found:
        return turns_of({"messages": found})
    raise InvalidRequest(
        f"a row's {name} is neither text nor messages",
        remedy="Give rows with `prompt`, `chosen` and `rejected`",
        param=name,
    )
