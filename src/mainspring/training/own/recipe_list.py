"""Our recipes, as they are listed. No torch here."""

from __future__ import annotations

from mainspring.training.own.options import (
    FinetuneOptions,
    PpoOwnOptions,
    PretrainOptions,
    PretrainWithOptions,
    RewardOwnOptions,
    TokenizerOptions,
)
from mainspring.training.recipe import Recipe

_HERE = "mainspring.training.own"
_TEXTS = ("text", "sft", "raft", "pairs")
_NEEDS = ("torch", "tokenizers", "safetensors")

RECIPES: tuple[Recipe, ...] = (
    Recipe(
        "tokenizer",
        "A tokenizer of your texts, with its coverage and fertility by language",
        "tokenizer",
        TokenizerOptions,
        f"{_HERE}.tokenizing:run",
        _TEXTS,
        ("tokenizers",),
        (),
        "Sennrich et al. 2016 (BPE); Kudo 2018 (Unigram); guide D.3",
    ),
    Recipe(
        "pretrain",
        "A small transformer of your own from nothing, with a tokenizer of the same texts",
        "language-model",
        PretrainOptions,
        f"{_HERE}.pretrain:run",
        _TEXTS,
        _NEEDS,
        (),
        "Radford et al. 2019; Devlin et al. 2018; Raffel et al. 2020; guide D.4, D.5, E.8",
        processes=True,
    ),
    Recipe(
        "pretrain-with",
        "The same with a tokenizer that is there, or that of another model",
        "language-model",
        PretrainWithOptions,
        f"{_HERE}.pretrain:run",
        _TEXTS,
        _NEEDS,
        ("tokenizer", "language-model"),
        "guide D.4, D.5, E.8",
        processes=True,
    ),
    Recipe(
        "finetune-own",
        "The second stage of a model of your own: conversations, texts or pairs",
        "language-model",
        FinetuneOptions,
        f"{_HERE}.finetune:run",
        _TEXTS,
        _NEEDS,
        ("language-model", "chat"),
        "guide D.6",
    ),
    Recipe(
        "reward-own",
        "The third stage, first half: a model of your own learns which of two answers people prefer",
        "reward",
        RewardOwnOptions,
        f"{_HERE}.preferences.reward:run",
        ("preference",),
        _NEEDS,
        ("chat", "language-model"),
        "Ouyang et al. 2022; guide D.7",
    ),
    Recipe(
        "ppo-own",
        "The third stage, second half: it learns by reinforcement to answer as the reward model likes",
        "chat",
        PpoOwnOptions,
        f"{_HERE}.preferences.ppo:run",
        ("prompt", "preference", "sft", "text"),
        _NEEDS,
        ("reward",),
        "Schulman et al. 2017; Ouyang et al. 2022; guide D.7",
    ),
)
