"""The decoder in numpy: equal however a text came, and equal to the graph and to torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainspring.core.errors import ModelError
from mainspring.features.compose.edge.graph import build, export
from mainspring.features.compose.model.decoder import BLOCK, NumpyDecoder, Sizes
from mainspring.features.compose.model.kneser_ney import KneserNey
from mainspring.features.compose.model.mixture import Mixture
from mainspring.features.compose.model.packed import Packed, load
from mainspring.features.compose.settings import ComposeSettings
from mainspring.features.compose.suggesting import MailDraft, Suggesting
from tests.features.compose.world import tokenizer

SIZES = Sizes(300, 64, 2, 4, 2, 96, 10_000.0)
HEAD, INNER = 16, 96


def tensors(seed: int = 0, sizes: Sizes = SIZES) -> dict[str, Any]:
    draw = np.random.default_rng(seed)
    width, small = sizes.width, sizes.kv_heads * sizes.width // sizes.heads
    made = {
        "embedding.tokens.weight": draw.normal(size=(sizes.vocabulary, width)),
        "decoder.norm.scale": draw.normal(1, 0.1, width),
    }
    for number in range(sizes.layers):
        name = f"decoder.blocks.{number}."
        made |= {f"{name}{each}.scale": draw.normal(1, 0.1, width) for each in ("norm", "forward_norm")}
        for each, out, into in (
            ("attention.query", width, width),
            ("attention.key", small, width),
            ("attention.value", small, width),
            ("attention.out", width, width),
            ("feed_forward.gate", INNER, width),
            ("feed_forward.up", INNER, width),
            ("feed_forward.down", width, INNER),
        ):
            made[f"{name}{each}.weight"] = draw.normal(0, 0.1, (out, into))
    return {name: each.astype(np.float32) for name, each in made.items()}


IDS = [int(each) for each in np.random.default_rng(1).integers(4, 300, 50)]


def test_a_text_that_was_typed_key_by_key_is_read_to_the_same_bits() -> None:
    typed, whole = NumpyDecoder(SIZES, tensors()), NumpyDecoder(SIZES, tensors())
    seen = typed.read(IDS[:1])
    for length in range(2, len(IDS) + 1):
        seen = typed.read(IDS[:length])
    at_once = whole.read(IDS)
    again = typed.read(IDS)
    for one in (seen, again):
        assert np.array_equal(one.next, at_once.next)
        assert np.array_equal(one.keys, at_once.keys)


def test_a_step_equals_reading_the_longer_text() -> None:
    decoder = NumpyDecoder(SIZES, tensors())
    for length in (1, BLOCK - 1, BLOCK, BLOCK + 1, 40):
        seen = decoder.read(IDS[:length])
        stepped = decoder.step([seen, seen], [7, 9])
        for token, one in zip((7, 9), stepped, strict=True):
            assert np.allclose(one.next, decoder.read([*IDS[:length], token]).next, atol=1e-4)
        assert decoder.likelihoods([*IDS[:length], 9])[-1] == pytest.approx(float(seen.next[9]), abs=1e-4)


def test_likelihoods_are_a_distribution() -> None:
    found = NumpyDecoder(SIZES, tensors()).read(IDS).next
    assert float(np.exp(found).sum()) == pytest.approx(1, abs=1e-5)


def test_the_graph_computes_the_same() -> None:
    ov = pytest.importorskip("openvino")
    decoder = NumpyDecoder(SIZES, tensors())
    graph = ov.Core().compile_model(build(decoder), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    empty = np.empty((2, 2, 0, HEAD), np.float32)
    first = graph({"ids": np.asarray([IDS]), "keys": empty, "values": empty})
    seen = decoder.read(IDS)
    assert np.allclose(first["next"][0], seen.next, atol=1e-3)
    second = graph({"ids": np.asarray([[9]]), "keys": first["new_keys"], "values": first["new_values"]})
    assert np.allclose(second["next"][0], decoder.step([seen], [9])[0].next, atol=1e-3)


def test_the_export_is_whole_and_says_what_it_is(tmp_path: Path) -> None:
    ov = pytest.importorskip("openvino")
    made = tokenizer()
    sizes = Sizes(made.get_vocab_size(), 64, 2, 4, 2, 96, 10_000.0)
    decoder = NumpyDecoder(sizes, tensors(sizes=sizes))
    written = export(Packed(decoder, made, "v1", sizes), tmp_path / "edge")
    assert {each.name for each in (tmp_path / "edge").iterdir()} == set(written)
    assert json.loads((tmp_path / "edge" / "config.json").read_text())["version"] == "v1"
    graph = ov.Core().compile_model(str(tmp_path / "edge" / "model.xml"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    ids = made.encode("I would like to know").ids
    empty = np.empty((2, 2, 0, HEAD), np.float32)
    found = graph({"ids": np.asarray([ids]), "keys": empty, "values": empty})["next"][0]
    # Its weights are 16-bit floats.
    assert np.abs(np.exp(found) - np.exp(decoder.read(ids).next)).max() < 0.01


@pytest.mark.parametrize(("name", "problem"), [("kind", "encoder"), ("positions", "sine"), ("layers", None)])
def test_a_shape_that_is_none_of_a_decoder_is_refused(name: str, problem: str | None) -> None:
    told = {"kind": "decoder", "positions": "rotary"} | dict.fromkeys(Sizes.__dataclass_fields__, 1)
    if problem is None:
        del told[name]
    else:
        told[name] = problem
    with pytest.raises(ModelError):
        Sizes.read(told)


def test_weights_that_lack_a_tensor_are_refused() -> None:
    with pytest.raises(ModelError, match=r"decoder\.norm\.scale"):
        NumpyDecoder(SIZES, {name: each for name, each in tensors().items() if name != "decoder.norm.scale"})


def test_n_grams_are_a_distribution_and_survive_their_file(tmp_path: Path) -> None:
    texts = [[5, 6, 7, 8], [5, 6, 7, 9], [5, 6, 7, 8], [6, 7, 9]]
    made = KneserNey.of(texts, 300, order=4)
    for before in ([], [5], [5, 6, 7], [100, 200]):
        assert float(np.exp(made.likely(before)).sum()) == pytest.approx(1, abs=1e-4)
    assert made.likely([5, 6, 7])[8] > made.likely([5, 6, 7])[9] > made.likely([5, 6, 7])[10]
    made.save(tmp_path / "ngrams.npz")
    again = KneserNey.load(tmp_path / "ngrams.npz")
    assert np.array_equal(again.likely([5, 6]), made.likely([5, 6]))
    with pytest.raises(ModelError, match="do not fit"):
        KneserNey.of(texts, 1 << 20, order=4)


def test_a_mixture_lies_between_its_parts() -> None:
    decoder = NumpyDecoder(SIZES, tensors())
    ngrams = KneserNey.of([IDS], 300)
    mixed = Mixture(decoder, ngrams, 0.3)
    seen = mixed.read(IDS[:20])
    parts = 0.3 * np.exp(decoder.read(IDS[:20]).next) + 0.7 * np.exp(ngrams.likely(IDS[:20]))
    assert np.allclose(np.exp(seen.next), parts, atol=1e-5)
    stepped = mixed.step([seen], [IDS[20]])[0]
    assert np.allclose(stepped.next, mixed.read(IDS[:21]).next, atol=1e-4)
    assert mixed.likelihoods(IDS[:21])[-1] == pytest.approx(float(seen.next[IDS[20]]), abs=1e-4)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model"):
        load(str(tmp_path))


TEXTS = (
    "Hi,\n\nI would like to ",
    "Thank you for ",
    "Could you please ",
    "I am still waiting for my ",
    "When will my ",
)
SCRIPT = """
import json, sys
from mainspring.features.compose.model.packed import load
from mainspring.features.compose.settings import ComposeSettings
from mainspring.features.compose.suggesting import MailDraft, Suggesting
made = Suggesting(load(), ComposeSettings())
asked = [MailDraft(each, subject="My card", to="support", most=5, least=0.02) for each in json.loads(sys.argv[1])]
found = [made.suggest(each) for each in asked]
print(json.dumps([[(each.text, each.confidence.hex()) for each in one.suggestions] for one in found]))
"""


@pytest.mark.slow
def test_the_packaged_model_suggests_the_same_in_each_process_with_any_number_of_threads() -> None:
    outputs = set()
    for threads in ("1", "2", "4"):
        told = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        command = [sys.executable, "-c", SCRIPT, json.dumps(TEXTS)]
        done = subprocess.run(command, env={**os.environ, **told}, capture_output=True, text=True, check=True)
        outputs.add(done.stdout)
    assert len(outputs) == 1
    assert any(json.loads(outputs.pop()))


def test_the_packaged_model_goes_on_with_a_sentence() -> None:
    made = Suggesting(load(), ComposeSettings())
    found = made.suggest(MailDraft("Hi,\n\nI am still waiting for ", subject="Card arrival", to="support"))
    assert found.suggestions
    assert found.suggestions[0].confidence >= 0.15


def test_a_large_vocabulary_has_shorter_n_grams() -> None:
    texts = [[5, 6, 7, 300], [5, 6, 7, 8]]
    # The default of the recipe: five tokens of 13 bits are more than a number holds.
    for size, order in ((4096, 5), (8192, 4), (32_768, 4)):
        made = KneserNey.of(texts, size)
        assert made.order == order
        assert float(np.exp(made.likely([5, 6, 7])).sum()) == pytest.approx(1, abs=1e-3)


def test_phrases_that_a_single_text_has_are_forgotten() -> None:
    texts = [[10, 11, 12, 13], [20, 21, 22, 23, 24], [30, 20, 21, 22, 23, 25], [10, 11, 12, 13, 10, 11, 12, 13]]
    every = KneserNey.of([*texts, [40, 41, 42, 43]], 300)
    made = every.common([*texts, [40, 41, 42, 43]], 2)
    assert made.likely([20, 21, 22])[23] == pytest.approx(every.likely([20, 21, 22])[23], abs=0.4)
    # Only one text goes on so, however often: what is left are pairs.
    assert every.likely([40, 41, 42])[43] > made.likely([40, 41, 42])[43]
    assert made.likely([40, 41, 42])[43] == made.likely([99, 42])[43]
    assert float(np.exp(made.likely([20, 21, 22])).sum()) == pytest.approx(1, abs=1e-3)
