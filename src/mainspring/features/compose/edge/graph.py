"""The decoder as an OpenVINO graph, built without torch from the weights that are served.

Inputs: ``ids`` (1, tokens), int64; ``keys`` and ``values`` (layers, kv_heads, past, head) of what was read before, with
``past`` 0 at first. Outputs: ``next`` (1, vocabulary), natural-log probabilities after the last token, and ``new_keys``
and ``new_values`` (layers, kv_heads, past + tokens, head).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mainspring.features.compose.model.decoder import Floats, NumpyDecoder, Sizes
from mainspring.features.compose.model.mixture import Mixture
from mainspring.features.compose.model.packed import CONFIG, NGRAMS, PHRASES, PHRASES_SHARE, SHARE, TOKENIZER, Packed

_GRAPH = "model"


def export(packed: Packed, folder: Path, *, half: bool = True) -> tuple[str, ...]:
    """Write the graph, the tokenizer and the shape; ``half``: weights as 16-bit floats. Returns the files' names."""
    import openvino as ov

    folder.mkdir(parents=True, exist_ok=True)
    ov.save_model(build(packed.decoder), str(folder / f"{_GRAPH}.xml"), compress_to_fp16=half)
    packed.tokenizer.save(str(folder / TOKENIZER))
    sizes = {name: getattr(packed.sizes, name) for name in Sizes.__dataclass_fields__}
    told: dict[str, Any] = {"kind": "decoder", "positions": "rotary", "version": packed.version, **sizes}
    files = [f"{_GRAPH}.xml", f"{_GRAPH}.bin", TOKENIZER, CONFIG]
    model = packed.model
    if isinstance(model, Mixture) and isinstance(model.decoder, Mixture):
        model.ngrams.save(folder / PHRASES)
        told[PHRASES_SHARE] = 1 - model.share
        files.append(PHRASES)
        model = model.decoder
    if isinstance(model, Mixture):
        model.ngrams.save(folder / NGRAMS)
        told[SHARE] = model.share
        files.append(NGRAMS)
    (folder / CONFIG).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return tuple(files)


def build(decoder: NumpyDecoder) -> Any:
    """An ``openvino.Model``."""
    return _Builder(decoder).model()


class _Builder:
    def __init__(self, decoder: NumpyDecoder) -> None:
        import openvino.opset13 as op

        self.op = op
        self.decoder = decoder
        self.sizes = decoder.sizes
        self.head = decoder.sizes.width // decoder.sizes.heads

    def model(self) -> Any:
        import openvino as ov

        op, sizes = self.op, self.sizes
        shape = [sizes.layers, sizes.kv_heads, -1, self.head]
        ids = op.parameter([1, -1], np.int64, name="ids")
        keys = op.parameter(shape, np.float32, name="keys")
        values = op.parameter(shape, np.float32, name="values")
        tokens = self._length(ids, 1)
        past = self._length(keys, 2)
        places = op.range(past, op.add(past, tokens), self.number(1), "i64")
        seen = op.range(self.number(0), op.add(past, tokens), self.number(1), "i64")
        ahead = op.less(op.unsqueeze(places, self.index(1)), op.unsqueeze(seen, self.index(0)))
        mask = op.select(ahead, op.constant(np.float32(-1e9)), op.constant(np.float32(0)))
        turn = [op.gather(op.constant(each), places, self.index(0)) for each in self.decoder.angles]
        states = op.gather(op.constant(self.decoder.embeddings), op.squeeze(ids, self.index(0)), self.index(0))
        made_keys, made_values = [], []
        for number, layer in enumerate(self.decoder.layers):
            normed = self.norm(states, layer.norm)
            heads = sizes.heads + 2 * sizes.kv_heads
            joined = op.reshape(self.times(normed, layer.query_key_value), self.index(0, heads, self.head), True)
            split = op.variadic_split(
                op.transpose(joined, self.index(1, 0, 2)), self.number(0),
                self.index(sizes.heads, sizes.kv_heads, sizes.kv_heads),
            )  # fmt: skip
            query, key = self.turned(split.output(0), turn), self.turned(split.output(1), turn)
            key = self.joined(keys, number, key)
            value = self.joined(values, number, split.output(2))
            made_keys.append(op.unsqueeze(key, self.index(0)))
            made_values.append(op.unsqueeze(value, self.index(0)))
            states = op.add(states, self.times(self.attend(query, key, value, mask), layer.out))
            gate, up = op.split(
                self.times(self.norm(states, layer.forward_norm), layer.gate_up), self.number(1), 2
            ).outputs()
            states = op.add(states, self.times(op.multiply(op.swish(gate), up), layer.down))
        last = op.gather(states, op.subtract(op.unsqueeze(tokens, self.index(0)), self.index(1)), self.index(0))
        logits = self.times(self.norm(last, self.decoder.norm), self.decoder.head)
        following = op.log_softmax(logits, 1)
        outputs = [following, op.concat(made_keys, 0), op.concat(made_values, 0)]
        for output, name in zip(outputs, ("next", "new_keys", "new_values"), strict=True):
            output.output(0).set_names({name})
        return ov.Model(outputs, [ids, keys, values], "compose")

    def number(self, value: int) -> Any:
        return self.op.constant(np.int64(value))

    def index(self, *values: int) -> Any:
        return self.op.constant(np.asarray(values, np.int64))

    def _length(self, node: Any, axis: int) -> Any:
        return self.op.squeeze(self.op.gather(self.op.shape_of(node), self.index(axis), self.number(0)), self.index(0))

    def times(self, states: Any, matrix: Floats) -> Any:
        return self.op.matmul(states, self.op.constant(matrix), False, False)

    def norm(self, states: Any, scale: Floats) -> Any:
        op = self.op
        mean = op.reduce_mean(op.multiply(states, states), self.index(-1), True)
        root = op.sqrt(op.add(mean, op.constant(np.float32(1e-5))))
        return op.multiply(op.divide(states, root), op.constant(scale))

    def turned(self, states: Any, turn: list[Any]) -> Any:
        op = self.op
        first, second = op.split(states, self.number(2), 2).outputs()
        cosine, sine = turn
        return op.concat(
            [
                op.subtract(op.multiply(first, cosine), op.multiply(second, sine)),
                op.add(op.multiply(second, cosine), op.multiply(first, sine)),
            ],
            2,
        )

    def joined(self, before: Any, layer: int, new: Any) -> Any:
        """What was seen in a layer, and the new behind it."""
        old = self.op.squeeze(self.op.gather(before, self.index(layer), self.number(0)), self.index(0))
        return self.op.concat([old, new], 1)

    def attend(self, query: Any, keys: Any, values: Any, mask: Any) -> Any:
        """(heads, tokens, head) over (kv_heads, seen, head) to (tokens, width)."""
        op, group = self.op, self.sizes.heads // self.sizes.kv_heads
        grouped = op.reshape(query, self.index(self.sizes.kv_heads, group, -1, self.head), False)
        scores = op.matmul(grouped, op.unsqueeze(keys, self.index(1)), False, True)
        scores = op.add(op.multiply(scores, op.constant(np.float32(self.head**-0.5))), mask)
        mixed = op.matmul(op.softmax(scores, 3), op.unsqueeze(values, self.index(1)), False, False)
        flat = op.reshape(mixed, self.index(self.sizes.heads, -1, self.head), False)
        return op.reshape(op.transpose(flat, self.index(1, 0, 2)), self.index(0, self.sizes.width), True)
