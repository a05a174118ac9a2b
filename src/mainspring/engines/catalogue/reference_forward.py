"""A plain numpy forward pass over GGUF weights: the yardstick that conversions are measured against.

It shares no code with any engine. Weights are dequantised one tensor at a time, so that memory stays small; the
packaged text took 11 seconds with 135 million parameters on two busy cores, and time grows with the parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mainspring.core.errors import ModelError
from mainspring.engines.catalogue.gguf_weights import GgufWeights
from mainspring.engines.catalogue.lora import Adapter

Floats = NDArray[np.float32]
READS = frozenset({"llama", "qwen2", "qwen3"})
_ROWS = 8192


@dataclass(frozen=True, slots=True)
class ForwardResult:
    """``perplexity`` is exp of the mean negative log-likelihood of all tokens but the first, each given all before it;
    ``top`` are the tokens that are likeliest at their places."""

    perplexity: float
    top: tuple[int, ...]


class Reference:
    """The forward pass of one model (llama, qwen2 or qwen3), with an adapter merged if given."""

    def __init__(self, weights: GgufWeights, adapter: Adapter | None = None) -> None:
        if weights.architecture not in READS:
            raise ModelError(f"no reference for architecture {weights.architecture!r}")
        self.weights = weights
        self.adapter = adapter
        self.heads = int(weights.hyper("attention.head_count"))
        self.kv_heads = int(weights.hyper("attention.head_count_kv", self.heads))
        self.width = int(weights.hyper("attention.key_length", weights.hyper("embedding_length") // self.heads))
        self.epsilon = float(weights.hyper("attention.layer_norm_rms_epsilon"))
        self.base = float(weights.hyper("rope.freq_base", 10000.0))

    def perplexity(self, ids: Sequence[int], progress: Callable[[int, int], None] | None = None) -> float:
        """That of ``read``."""
        return self.read(ids, progress).perplexity

    def read(self, ids: Sequence[int], progress: Callable[[int, int], None] | None = None) -> ForwardResult:
        """The model's output for ``ids``."""
        tokens = np.asarray(ids)
        x = self.weights.rows("token_embd.weight", tokens)
        layers = int(self.weights.hyper("block_count"))
        angles = self._angles(len(tokens))
        for layer in range(layers):
            x = self._layer(x, f"blk.{layer}", angles)
            if progress:
                progress(layer + 1, layers)
        final = self._norm(x, "output_norm.weight")[:-1]
        likelihoods, top = self._log_likelihoods(final, tokens[1:])
        return ForwardResult(float(np.exp(-likelihoods.mean())), tuple(map(int, top)))

    def _matrix(self, name: str) -> Floats:
        values = self.weights.rows(name)
        return self.adapter.merged(name, values, self.weights) if self.adapter else values

    def _linear(self, x: Floats, name: str) -> Floats:
        product = x @ self._matrix(f"{name}.weight").T
        return product + self.weights.rows(f"{name}.bias") if self.weights.has(f"{name}.bias") else product

    def _norm(self, x: Floats, name: str) -> Floats:
        scale = np.sqrt((x**2).mean(-1, keepdims=True) + self.epsilon)
        return np.asarray(x / scale * self.weights.rows(name), np.float32)

    def _angles(self, length: int) -> Floats:
        frequencies = self.base ** (-np.arange(0, self.width, 2, dtype=np.float64) / self.width)
        if self.weights.has("rope_freqs.weight"):
            frequencies = frequencies / self.weights.rows("rope_freqs.weight")
        return np.asarray(np.outer(np.arange(length), frequencies), np.float32)

    def _rotate(self, x: Floats, angles: Floats) -> Floats:
        cos, sin = np.cos(angles), np.sin(angles)
        if self.weights.architecture == "llama":
            first, second = x[..., 0::2], x[..., 1::2]
            turned = np.stack([first * cos - second * sin, first * sin + second * cos], -1)
            return turned.reshape(x.shape)
        first, second = np.split(x, 2, axis=-1)
        return np.concatenate([first * cos - second * sin, first * sin + second * cos], -1)

    def _heads(self, x: Floats, name: str, count: int) -> Floats:
        return self._linear(x, name).reshape(len(x), count, self.width).transpose(1, 0, 2)

    def _layer(self, x: Floats, name: str, angles: Floats) -> Floats:
        normed = self._norm(x, f"{name}.attn_norm.weight")
        query = self._heads(normed, f"{name}.attn_q", self.heads)
        key = self._heads(normed, f"{name}.attn_k", self.kv_heads)
        value = self._heads(normed, f"{name}.attn_v", self.kv_heads)
        if self.weights.has(f"{name}.attn_q_norm.weight"):
            query = self._norm(query, f"{name}.attn_q_norm.weight")
            key = self._norm(key, f"{name}.attn_k_norm.weight")
        query, key = self._rotate(query, angles), self._rotate(key, angles)
        group = self.heads // self.kv_heads
        key, value = np.repeat(key, group, 0), np.repeat(value, group, 0)
        scores = query @ key.transpose(0, 2, 1) / np.float32(np.sqrt(self.width))
        scores = np.where(np.tri(len(x), dtype=bool), scores, np.float32(-np.inf))
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (weights / weights.sum(-1, keepdims=True)) @ value
        x = x + self._linear(mixed.transpose(1, 0, 2).reshape(len(x), -1), f"{name}.attn_output")
        normed = self._norm(x, f"{name}.ffn_norm.weight")
        gate = self._linear(normed, f"{name}.ffn_gate")
        inner = gate / (1 + np.exp(-gate)) * self._linear(normed, f"{name}.ffn_up")
        return np.asarray(x + self._linear(inner, f"{name}.ffn_down"), np.float32)

    def _log_likelihoods(self, states: Floats, targets: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
        # The vocabulary is walked in slices: a whole output matrix as float32 can be gigabytes.
        name = "output.weight" if self.weights.has("output.weight") else "token_embd.weight"
        chosen = np.zeros(len(states), np.float64)
        total = np.full(len(states), -np.inf)
        best, top = np.full(len(states), -np.inf), np.zeros(len(states), np.int64)
        for start in range(0, self.weights.row_count(name), _ROWS):
            logits = (states @ self.weights.rows(name, slice(start, start + _ROWS)).T).astype(np.float64)
            total = np.logaddexp(total, np.logaddexp.reduce(logits, axis=1))
            better = logits.max(axis=1) > best
            best[better], top[better] = logits.max(axis=1)[better], start + logits.argmax(axis=1)[better]
            inside = (targets >= start) & (targets < start + logits.shape[1])
            chosen[inside] = logits[inside, targets[inside] - start]
        return np.asarray(chosen - total, np.float32), top
