"""The weights of a served translator, read back: what was written comes back, within the steps of its numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("ctranslate2")

from mainspring.core.errors import ModelError  # noqa: E402
from mainspring.features.translate.training import served_weights, vocabulary  # noqa: E402
from mainspring.features.translate.training.model import build, convert  # noqa: E402
from mainspring.features.translate.training.options import TranslateOptions  # noqa: E402
from tests.features.translate.tiny import SENTENCES  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_all_weights_come_back(tmp_path: Path, weights: str) -> None:
    tokenizer = vocabulary.learn(SENTENCES * 4, ("en", "es", "fr", "ko"), 120)
    options = TranslateOptions(width=32, inner=48, heads=2, encoder_layers=2, decoder_layers=1)
    torch.manual_seed(3)
    model = build(tokenizer, options)
    for each in model.parameters():
        torch.nn.init.normal_(each, std=0.3)
    # Packing scales the model's own numbers in place.
    wanted = {name: each.numpy().copy() for name, each in model.state_dict().items()}
    convert(model, tokenizer, tmp_path / "made", weights)
    found = served_weights.by_trainer(served_weights.read(tmp_path / "made" / "model.bin"))
    assert set(found) == set(wanted)
    for name, values in wanted.items():
        # A row of int8 has 127 steps up to its largest number.
        step = abs(values).max() / 127 if weights == "int8" and values.ndim == 2 else 1e-6
        assert abs(found[name] - values).max() <= step, name


def test_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"\x07\x00\x00\x00rest")
    with pytest.raises(ModelError, match="format 7 of CTranslate2, and not 6"):
        served_weights.read(tmp_path / "model.bin")
    (tmp_path / "model.bin").write_bytes(b"\x06\x00\x00\x00\x05")
    with pytest.raises(ModelError, match="cannot be read"):
        served_weights.read(tmp_path / "model.bin")
