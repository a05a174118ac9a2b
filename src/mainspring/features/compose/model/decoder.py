"""The decoder in numpy, for one text at a time: what ``training.own.models.decoder`` computes, without torch.

All arithmetic is float32. Tokens are read in blocks that begin at multiples of ``BLOCK``, and the keys and values of
whole blocks are kept. So a text is computed by the same operations whether it was typed at once or key by key, and what
comes out is equal to the last bit. The next keystroke costs one block.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from mainspring.core.errors import ModelError
from mainspring.features.compose.model.one_thread import one_thread

Floats = NDArray[np.float32]
BLOCK = 16
"""Tokens of a block."""
SCALE = ".int8_scale"
"""The end of the name of the scales of a matrix that is kept as int8."""
_EPSILON = np.float32(1e-5)
_KEPT_BLOCKS = 4096


@dataclass(frozen=True, slots=True)
class Sizes:
    """What ``config.json`` says of the shape."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    length: int
    theta: float

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Sizes:
        """Raises ``ModelError``: it is no decoder with rotary positions."""
        if told.get("kind") != "decoder" or told.get("positions") != "rotary":
            raise ModelError(
                "the model is not a decoder with rotary positions", remedy="Train one by the recipe compose"
            )
        try:
            return cls(*(told[name] for name in cls.__dataclass_fields__))
        except KeyError as error:
            raise ModelError(f"the model's config.json lacks {error}", remedy="Train it again") from None


@dataclass(frozen=True, slots=True)
class DecoderState:
    """Tokens that were read: keys and values of each layer, (layers, kv_heads, tokens, head), and the natural-log
    probabilities of the next token, (vocabulary,)."""

    keys: Floats
    values: Floats
    next: Floats


class NumpyDecoder:
    """Usable from several threads; ``read`` and ``step`` do not change the model."""

    def __init__(self, sizes: Sizes, tensors: Mapping[str, NDArray[Any]], *, kept_blocks: int = _KEPT_BLOCKS) -> None:
        self.sizes = sizes
        found = {name: _plain(tensors, name) for name in tensors if not name.endswith(SCALE)}
        try:
            self.embeddings = found["embedding.tokens.weight"]
            self.norm = found["decoder.norm.scale"]
            self.layers = [Layer(found, f"decoder.blocks.{number}.") for number in range(sizes.layers)]
        except KeyError as error:
            raise ModelError(f"the weights lack {error}", remedy="Train the model again") from None
        # Matrices are used from the right: kept so that no product has to turn them.
        self.head = np.ascontiguousarray(self.embeddings.T)
        self._width = sizes.width // sizes.heads
        pairs = np.arange(0, self._width, 2, dtype=np.float32)
        angles = np.arange(sizes.length + 64, dtype=np.float32)[:, None] * np.float32(sizes.theta) ** (
            -pairs / np.float32(self._width)
        )
        self.angles = np.cos(angles), np.sin(angles)
        """Cosines and sines of rotary positions, (positions, head / 2) each."""
        self._blocks: LRUCache[bytes, tuple[Floats, Floats]] = LRUCache(kept_blocks)
        self._lock = threading.Lock()

    @one_thread()
    def read(self, ids: Sequence[int]) -> DecoderState:
        """Read ``ids``, at least one and at most ``length``."""
        keys, values = self._empty(), self._empty()
        whole = (len(ids) - 1) // BLOCK * BLOCK
        name = hashlib.sha256()
        for start in range(0, whole, BLOCK):
            part = ids[start : start + BLOCK]
            name.update(np.asarray(part, np.int32).tobytes())
            with self._lock:
                found = self._blocks.get(name.digest())
            if found is None:
                _, *made = self._forward(np.asarray(part), start, keys, values)
                found = made[0], made[1]
                with self._lock:
                    self._blocks[name.digest()] = found
            keys, values = np.concatenate((keys, found[0]), 2), np.concatenate((values, found[1]), 2)
        rest = list(ids[whole:])
        # Always one block, so that a text has the same shapes however it came; what pads it is behind the last token.
        padded = np.asarray(rest + [0] * (BLOCK - len(rest)))
        states, new_keys, new_values = self._forward(padded, whole, keys, values)
        keys = np.concatenate((keys, new_keys[:, :, : len(rest)]), 2)
        values = np.concatenate((values, new_values[:, :, : len(rest)]), 2)
        return DecoderState(keys, values, self._likelihoods(states[len(rest) - 1 : len(rest)])[0])

    @one_thread()
    def likelihoods(self, ids: Sequence[int]) -> Floats:
        """The natural-log probability of each token of ``ids`` but the first, (tokens - 1,)."""
        keys, values = self._empty(), self._empty()
        found = []
        for start in range(0, len(ids), BLOCK):
            part = np.asarray(ids[start : start + BLOCK])
            states, new_keys, new_values = self._forward(part, start, keys, values)
            keys, values = np.concatenate((keys, new_keys), 2), np.concatenate((values, new_values), 2)
            wanted = np.asarray(ids[start + 1 : start + 1 + len(part)], np.int64)
            found.append(self._likelihoods(states[: len(wanted)])[np.arange(len(wanted)), wanted])
        return np.concatenate(found)

    @one_thread()
    def step(self, seen: Sequence[DecoderState], tokens: Sequence[int]) -> list[DecoderState]:
        """What each of ``seen``, all of one length, becomes with its token."""
        place = seen[0].keys.shape[2]
        states = self.embeddings[np.asarray(tokens)]
        made_keys, made_values = [], []
        for number, layer in enumerate(self.layers):
            normed = _normed(states, layer.norm)
            query, key, value = self._split(normed @ layer.query_key_value)
            query, key = self._turn(query, place, each=True), self._turn(key, place, each=True)
            made_keys.append(key)
            made_values.append(value)
            mixed = np.empty((len(tokens), self.sizes.width), np.float32)
            for row, one in enumerate(seen):
                keys = np.concatenate((one.keys[number], key[:, row : row + 1]), 1)
                values = np.concatenate((one.values[number], value[:, row : row + 1]), 1)
                mixed[row] = self._attend(query[:, row : row + 1], keys, values, None)[0]
            states = states + mixed @ layer.out
            states = states + layer.forward(_normed(states, layer.forward_norm))
        following = self._likelihoods(states)
        found = []
        for row, one in enumerate(seen):
            new_keys = np.stack([each[:, row : row + 1] for each in made_keys])
            new_values = np.stack([each[:, row : row + 1] for each in made_values])
            keys = np.concatenate((one.keys, new_keys), 2)
            values = np.concatenate((one.values, new_values), 2)
            found.append(DecoderState(keys, values, following[row]))
        return found

    def _forward(self, ids: NDArray[Any], start: int, keys: Floats, values: Floats) -> tuple[Floats, Floats, Floats]:
        """The last states (tokens, width) of a block at ``start``, and its own keys and values."""
        states = self.embeddings[ids]
        made_keys, made_values = [], []
        past = np.zeros((len(ids), start), np.float32)
        ahead = np.triu(np.full((len(ids), len(ids)), -np.inf, np.float32), 1)
        mask = np.concatenate((past, ahead), 1)
        for number, layer in enumerate(self.layers):
            normed = _normed(states, layer.norm)
            query, key, value = self._split(normed @ layer.query_key_value)
            query, key = self._turn(query, start), self._turn(key, start)
            made_keys.append(key)
            made_values.append(value)
            all_keys = np.concatenate((keys[number], key), 1)
            all_values = np.concatenate((values[number], value), 1)
            states = states + self._attend(query, all_keys, all_values, mask) @ layer.out
            states = states + layer.forward(_normed(states, layer.forward_norm))
        return states, np.stack(made_keys), np.stack(made_values)

    def _split(self, joined: Floats) -> tuple[Floats, Floats, Floats]:
        """(tokens, all heads * head) to queries, keys and values, (heads, tokens, head) each."""
        heads = joined.reshape(len(joined), -1, self._width).transpose(1, 0, 2)
        first, second = self.sizes.heads, self.sizes.heads + self.sizes.kv_heads
        return heads[:first], heads[first:second], heads[second:]

    def _turn(self, states: Floats, start: int, *, each: bool = False) -> Floats:
        """Rotary positions from ``start`` on; ``each``: all tokens have that one."""
        end = start + (1 if each else states.shape[1])
        cosine, sine = (turned[start:end] for turned in self.angles)
        half = self._width // 2
        first, second = states[..., :half], states[..., half:]
        turned = np.concatenate((first * cosine - second * sine, second * cosine + first * sine), -1)
        return np.asarray(turned, np.float32)

    def _attend(self, query: Floats, keys: Floats, values: Floats, mask: Floats | None) -> Floats:
        """(heads, queries, head) to (queries, width)."""
        group = self.sizes.heads // self.sizes.kv_heads
        queries = query.shape[1]
        grouped = query.reshape(self.sizes.kv_heads, group * queries, self._width)
        scores = grouped @ keys.transpose(0, 2, 1) * np.float32(self._width**-0.5)
        if mask is not None:
            scores += np.tile(mask, (group, 1))
        scores -= scores.max(-1, keepdims=True)
        np.exp(scores, scores)
        scores /= scores.sum(-1, keepdims=True)
        mixed = (scores @ values).reshape(self.sizes.heads, queries, self._width)
        return np.asarray(mixed.transpose(1, 0, 2).reshape(queries, -1), np.float32)

    def _likelihoods(self, states: Floats) -> Floats:
        """(rows, width) to natural-log probabilities (rows, vocabulary)."""
        logits = _normed(states, self.norm) @ self.head
        logits -= logits.max(-1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
        return logits

    def _empty(self) -> Floats:
        return np.empty((self.sizes.layers, self.sizes.kv_heads, 0, self._width), np.float32)


class Layer:
    """The weights of a layer; each matrix is (in, out)."""

    def __init__(self, found: Mapping[str, Floats], name: str) -> None:
        def turned(*parts: str) -> Floats:
            return np.ascontiguousarray(np.concatenate([found[f"{name}{each}.weight"] for each in parts]).T)

        self.norm = found[f"{name}norm.scale"]
        self.forward_norm = found[f"{name}forward_norm.scale"]
        self.query_key_value = turned("attention.query", "attention.key", "attention.value")
        self.out = turned("attention.out")
        self.gate_up = turned("feed_forward.gate", "feed_forward.up")
        self.down = turned("feed_forward.down")

    def forward(self, states: Floats) -> Floats:
        """SwiGLU."""
        gate, up = np.split(states @ self.gate_up, 2, axis=-1)
        # A large negative gate makes exp overflow to infinity, and the product is zero then, as it should be.
        with np.errstate(over="ignore"):
            gate /= 1 + np.exp(-gate)
        return np.asarray((gate * up) @ self.down, np.float32)


def _normed(states: Floats, scale: Floats) -> Floats:
    mean = np.mean(states * states, -1, keepdims=True, dtype=np.float32)
    return np.asarray(states / np.sqrt(mean + _EPSILON) * scale, np.float32)


def _plain(tensors: Mapping[str, NDArray[Any]], name: str) -> Floats:
    """A tensor as float32: int8 rows are multiplied by their scales."""
    values = tensors[name].astype(np.float32)
    if name + SCALE in tensors:
        values *= tensors[name + SCALE].astype(np.float32)[:, None]
    return values
