"""The worth of answers: scorers, a reward model that was trained here, and a price of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from safetensors.torch import load_file

from mainspring.core.errors import InvalidRequest
from mainspring.evaluation.examples import Example
from mainspring.training.chat import base_weights
from mainspring.training.chat.options import RewardedOptions, WantedScore
from mainspring.training.chat.outputs import ADAPTER
from mainspring.training.chat.scoring import Scoring
from mainspring.training.folder import read_json

REWARD = "reward.json"


class RewardModel:
    """A reward model from the ``output`` folder of the recipe ``reward``. Raises ``InvalidRequest`` if it is none, or
    its base is gone."""

    def __init__(self, folder: Path) -> None:
        told = read_json(folder / REWARD)
        config = read_json(folder / "adapter_config.json")
        if told is None or config is None or not (folder / ADAPTER).exists():
            raise InvalidRequest(
                f"{folder} is not a reward model",
                remedy="Name the output folder of the recipe reward",
                param="options.reward_model",
            )
        base = base_weights.find(Path(told["base"]))
        self.tokenizer = base_weights.tokenizer(base)
        model = base_weights.model(base, head="score")
        model.config.pad_token_id = self.tokenizer.pad_token_id
        keys = ("task_type", "r", "lora_alpha", "target_modules", "modules_to_save")
        self.model = get_peft_model(model, LoraConfig(**{name: config[name] for name in keys}))
        set_peft_model_state_dict(self.model, load_file(folder / ADAPTER))
        self.model.eval()
        self.length = int(told["length"])

    def rewards(self, texts: Sequence[str]) -> list[float]:
        """The reward of each prompt with its answer."""
        return scored(self.model, self.tokenizer, texts, self.length)


def scored(model: Any, tokenizer: Any, texts: Sequence[str], length: int, at_once: int = 8) -> list[float]:
    """What a model with the head ``score`` says of each text; of a longer text the end is read."""
    found: list[float] = []
    model.eval()
    device = next(model.parameters()).device
    for start in range(0, len(texts), at_once):
        ids = [
            tokenizer(each, add_special_tokens=False)["input_ids"][-length:] for each in texts[start : start + at_once]
        ]
        width = max(map(len, ids))
        rows = [[*each, *[tokenizer.pad_token_id] * (width - len(each))] for each in ids]
        mask = [[1] * len(each) + [0] * (width - len(each)) for each in ids]
        with torch.no_grad():
            logits = model(
                input_ids=torch.tensor(rows, device=device), attention_mask=torch.tensor(mask, device=device)
            ).logits
        found += logits.squeeze(-1).float().tolist()
    return found


def _found(given: Mapping[str, Path]) -> Path:
    if "reward_model" not in given:
        raise InvalidRequest(
            "the reward model was not found when the job was ordered",
            remedy="Order it again with a version that the recipe reward made",
            param="options.reward_model",
        )
    return given["reward_model"]


class Rewards:
    """The reward of answers by the options of a run, which were checked (``check_start``)."""

    def __init__(self, options: RewardedOptions, given: Mapping[str, Path]) -> None:
        """``given`` has the folder of ``reward_model``, if there is one."""
        self._options = options
        self._scoring = Scoring(options.rewards)
        self._model = RewardModel(_found(given)) if options.reward_model else None

    @property
    def scorers(self) -> tuple[WantedScore, ...]:
        """Those of the rewards, and of the figures."""
        known = {each.name for each in self._options.scorers}
        return (*self._options.scorers, *(each for each in self._options.rewards if each.name not in known))

    def of(self, prompts: Sequence[str], examples: Sequence[Example], answers: Sequence[str]) -> list[float]:
        """The reward of each answer."""
        options = self._options
        found = self._scoring.rewards(examples, answers)
        if self._model is not None:
            texts = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
            said = self._model.rewards(texts)
            found = [one + options.reward_model_weight * other for one, other in zip(found, said, strict=True)]
        return [value - options.word_price * len(answer.split()) for value, answer in zip(found, answers, strict=True)]
