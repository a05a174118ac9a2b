"""Merging LoRA: the arithmetic, the row order of llama-family files, and what is refused."""

from pathlib import Path

import gguf
import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from mainspring.core.errors import ModelError
from mainspring.engines.catalogue.gguf_weights import GgufWeights
from mainspring.engines.catalogue.lora import Adapter
from tests.engines import tiny_models as tiny

Floats = NDArray[np.float32]
Q8_0 = gguf.GGMLQuantizationType.Q8_0


@pytest.fixture(scope="module", params=["llama", "qwen3"])
def weights(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, vocabulary: GgufWeights
) -> GgufWeights:
    path = tmp_path_factory.mktemp("tiny") / "tiny.gguf"
    return GgufWeights(tiny.write_chat(path, request.param, vocabulary))


def test_plain_modules_get_b_a_times_alpha_over_rank(weights: GgufWeights, tmp_path: Path) -> None:
    path = tiny.write_adapter(tmp_path / "adapter.safetensors", rank=4)
    raw = load_file(path)
    prefix = "base_model.model.model.layers.1.mlp.down_proj"
    before = weights.rows("blk.1.ffn_down.weight")
    after = Adapter.load(path, alpha=16).merged("blk.1.ffn_down.weight", before, weights)
    expected = before + 16 / 4 * raw[f"{prefix}.lora_B.weight"] @ raw[f"{prefix}.lora_A.weight"]
    np.testing.assert_allclose(after, expected, rtol=1e-5, atol=1e-6)
    assert not np.allclose(before, after)
    untouched = weights.rows("blk.1.ffn_up.weight")
    assert Adapter.load(path, 16).merged("blk.1.ffn_up.weight", untouched, weights) is untouched


def rotate_halves(x: Floats, angle: Floats) -> Floats:
    first, second = np.split(x, 2, -1)
    return np.concatenate(
        [first * np.cos(angle) - second * np.sin(angle), first * np.sin(angle) + second * np.cos(angle)], -1
    )


def rotate_pairs(x: Floats, angle: Floats) -> Floats:
    first, second = x[..., 0::2], x[..., 1::2]
    turned = [first * np.cos(angle) - second * np.sin(angle), first * np.sin(angle) + second * np.cos(angle)]
    return np.stack(turned, -1).reshape(x.shape)


def test_attention_scores_of_llama_files_move_as_the_training_code_moves_them(
    vocabulary: GgufWeights, tmp_path: Path
) -> None:
    """q(x).k(y) under rotary embedding, in the training layout and, merged, in the file's."""
    weights = GgufWeights(tiny.write_chat(tmp_path / "tiny.gguf", "llama", vocabulary))
    adapter = tiny.write_adapter(tmp_path / "adapter.safetensors")
    raw = load_file(adapter)
    prefix = "base_model.model.model.layers.0.self_attn.q_proj"
    delta = 2.0 * raw[f"{prefix}.lora_B.weight"] @ raw[f"{prefix}.lora_A.weight"]
    zero = np.zeros_like(delta)
    # Merged into nothing, the file's rows are the delta alone.
    stored = Adapter.load(adapter, 8).merged("blk.0.attn_q.weight", zero, weights)
    x, y = tiny.random((tiny.HIDDEN,), 7, 1.0), tiny.random((tiny.HIDDEN,), 8, 1.0)
    angle = np.linspace(0.1, 2.0, tiny.WIDTH // 2, dtype=np.float32)
    trained, filed = ((matrix @ x).reshape(tiny.HEADS, tiny.WIDTH) for matrix in (delta, stored))
    trained_y, filed_y = ((matrix @ y).reshape(tiny.HEADS, tiny.WIDTH) for matrix in (delta, stored))
    expected = (rotate_halves(trained, angle) * trained_y).sum(-1)
    np.testing.assert_allclose((rotate_pairs(filed, angle) * filed_y).sum(-1), expected, rtol=1e-4)
    assert not np.allclose((rotate_pairs(trained, angle) * trained_y).sum(-1), expected)


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("model.layers.0.self_attn.k_norm.lora_A.weight", (4, 64), "cannot be merged"),
        ("model.embed_tokens.lora_A.weight", (4, 64), "cannot be merged"),
        ("model.layers.0.mlp.up_proj.lora_A.weight", (4, 64), "lacks a matching pair"),
    ],
)
def test_what_cannot_be_merged_is_refused(tmp_path: Path, name: str, shape: tuple[int, ...], said: str) -> None:
    save_file({name: tiny.random(shape, 1)}, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match=said):
        Adapter.load(tmp_path / "a.safetensors", 8)


def test_an_adapter_of_another_model_is_refused(weights: GgufWeights, tmp_path: Path) -> None:
    pair = {"A": (4, 64), "B": (96, 4)}
    for layer, width, said in ((9, 64, "has no blk.9"), (0, 32, "has shape")):
        named = {
            f"layers.{layer}.mlp.up_proj.lora_{side}.weight": tiny.random(
                (shape[0], width) if side == "A" else shape, 1
            )
            for side, shape in pair.items()
        }
        save_file(named, tmp_path / "a.safetensors")
        adapter = Adapter.load(tmp_path / "a.safetensors", 8)

        def use(adapter: Adapter = adapter) -> None:
            adapter.check(weights)
            adapter.merged("blk.0.ffn_up.weight", weights.rows("blk.0.ffn_up.weight"), weights)

        with pytest.raises(ModelError, match=said):
            use()


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(ModelError, match="cannot be read"):
        Adapter.load(tmp_path / "a.safetensors", 8)


def test_what_an_adapter_moves_by_less_than_a_step_of_the_file_is_kept(tmp_path: Path, vocabulary: GgufWeights) -> None:
    """A file in Q8_0 has its weights on the steps of Q8_0: rounding to the nearest takes a small change back."""
    source = GgufWeights(tiny.write_chat(tmp_path / "source.gguf", "llama", vocabulary, "Q8_0"))
    name = "blk.0.ffn_up.weight"
    before = source.rows(name)
    # A fifth of a step of each block.
    step = np.abs(before.reshape(-1, 32)).max(-1, keepdims=True) / 127
    change = np.broadcast_to(0.2 * step, (step.shape[0], 32)).reshape(before.shape).astype(np.float32)
    source.write_q8_0(
        tmp_path / "changed.gguf",
        lambda each, values: values + change if each == name else values,
        lambda done, total: None,
    )
    written = GgufWeights(tmp_path / "changed.gguf")
    moved = written.rows(name) - before
    assert float((moved / change).mean()) == pytest.approx(1.0, abs=0.1)
    nearest = gguf.quants.dequantize(gguf.quants.quantize(before + change, Q8_0), Q8_0) - before
    assert float((nearest / change).mean()) < 0.5
    # What nobody changed is as it was.
    np.testing.assert_array_equal(written.rows("blk.0.ffn_down.weight"), source.rows("blk.0.ffn_down.weight"))
