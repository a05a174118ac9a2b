"""The recipes of chat models, as they are listed. No torch here."""

from __future__ import annotations

from mainspring.training.chat.options import (
    DistilOptions,
    GrpoOptions,
    KtoOptions,
    PpoOptions,
    PreferenceOptions,
    RaftOptions,
    RewardOptions,
    SftOptions,
    TuneOptions,
)
from mainspring.training.recipe import Makes, Recipe

_NEEDS = ("torch", "transformers", "trl", "peft", "datasets")
_HERE = "mainspring.training.chat.recipes"


def _listed(
    name: str,
    summary: str,
    options: type[TuneOptions],
    reads: tuple[str, ...],
    source: str,
    makes: Makes = "adapter",
) -> Recipe:
    return Recipe(name, summary, makes, options, f"{_HERE}.{name}:run", reads, _NEEDS, ("chat",), source)


RECIPES: tuple[Recipe, ...] = (
    _listed(
        "sft",
        "A chat model learns to write the answers of conversations",
        SftOptions,
        ("sft", "completion", "raft"),
        "Ouyang et al. 2022 (InstructGPT); Hu et al. 2021 (LoRA); guide D.6",
    ),
    _listed(
        "reward",
        "A reward model learns which of two answers people prefer",
        RewardOptions,
        ("preference",),
        "Bradley and Terry 1952; Ouyang et al. 2022; guide D.6",
        "reward",
    ),
    _listed(
        "dpo",
        "A chat model learns from pairs of answers which is the better",
        PreferenceOptions,
        ("preference",),
        "Rafailov et al. 2023 (DPO); guide D.6",
    ),
    _listed(
        "kto",
        "A chat model learns from thumbs up and down",
        KtoOptions,
        ("thumbs", "preference"),
        "Ethayarajh et al. 2024 (KTO)",
    ),
    _listed(
        "ppo",
        "A chat model learns from rewards of its own answers, token by token",
        PpoOptions,
        ("prompt", "sft", "completion", "preference", "thumbs", "raft"),
        "Schulman et al. 2017 (PPO); Ouyang et al. 2022; guide D.6",
    ),
    _listed(
        "grpo",
        "A chat model learns from rewards of its own answers, compared in groups",
        GrpoOptions,
        ("prompt", "sft", "completion", "preference", "thumbs", "raft"),
        "Shao et al. 2024 (GRPO)",
    ),
    _listed(
        "raft",
        "A chat model learns to answer from documents, to cite, and to refuse rightly",
        RaftOptions,
        ("raft",),
        "Zhang et al. 2024 (RAFT); guide E.3",
    ),
    _listed(
        "distil",
        "A small chat model learns from a larger one",
        DistilOptions,
        ("sft", "completion", "prompt", "raft"),
        "Hinton et al. 2015; Kim and Rush 2016",
    ),
)
