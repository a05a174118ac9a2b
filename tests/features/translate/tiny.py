"""A translator of the right shape with random weights: it says nonsense, the same each time, and loses what it can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs.transformer_spec import TransformerSpec

from mainspring.features.translate.engine.card import Card
from mainspring.features.translate.training import vocabulary

PAIRS = tuple(f"{a}-{b}" for a in ("en", "es", "fr", "ko") for b in ("en", "es", "fr", "ko") if a != b)
SENTENCES = (
    "the house is red", "we go to the station today", "la maison est rouge", "nous allons à la gare aujourd'hui",
    "la casa es roja", "hoy vamos a la estación", "집은 빨갛다", "오늘 우리는 역에 간다",
)  # fmt: skip
_WIDTH = 16


def translator(folder: Path, *, seed: int = 0, pairs: tuple[str, ...] = PAIRS) -> Path:
    """Written to ``folder``."""
    tokenizer = vocabulary.learn(SENTENCES * 4, ("en", "es", "fr", "ko"), 120)
    named = vocabulary.pieces(tokenizer)
    drawn = np.random.default_rng(seed)
    spec: Any = TransformerSpec.from_config((1, 1), 2, pre_norm=False)

    def linear(into: Any, out: int, read: int) -> None:
        into.weight = drawn.normal(0, 0.4, (out, read)).astype(np.float32)
        into.bias = np.zeros(out, dtype=np.float32)

    def norm(into: Any) -> None:
        into.gamma, into.beta = np.ones(_WIDTH, dtype=np.float32), np.zeros(_WIDTH, dtype=np.float32)

    table = drawn.normal(0, 1, (len(named), _WIDTH)).astype(np.float32)
    for side in (spec.encoder, spec.decoder):
        side.scale_embeddings = True
        shown = side.embeddings[0] if isinstance(side.embeddings, list) else side.embeddings
        shown.weight = table
        side.position_encodings.encodings = drawn.normal(0, 1, (256, _WIDTH)).astype(np.float32)
        for layer in side.layer:
            linear(layer.self_attention.linear[0], 3 * _WIDTH, _WIDTH)
            linear(layer.self_attention.linear[1], _WIDTH, _WIDTH)
            norm(layer.self_attention.layer_norm)
            if side is spec.decoder:
                for part, out in zip(layer.attention.linear, (_WIDTH, 2 * _WIDTH, _WIDTH), strict=True):
                    linear(part, out, _WIDTH)
                norm(layer.attention.layer_norm)
            linear(layer.ffn.linear_0, 2 * _WIDTH, _WIDTH)
            linear(layer.ffn.linear_1, _WIDTH, 2 * _WIDTH)
            norm(layer.ffn.layer_norm)
    spec.decoder.start_from_zero_embedding = True
    linear(spec.decoder.projection, len(named), _WIDTH)
    spec.register_source_vocabulary(named)
    spec.register_target_vocabulary(named)
    spec.config.eos_token, spec.config.unk_token = vocabulary.END, vocabulary.UNKNOWN
    spec.config.decoder_start_token, spec.config.add_source_eos = vocabulary.END, False
    spec.validate()
    folder.mkdir(parents=True)
    spec.save(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"))
    Card("mainspring", pairs, longest=24).write(folder)
    return folder
