"""`mainspring translate convert`: a public model by its name or from a folder, and what is made translates."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mainspring.cli.main import app
from mainspring.features.translate.engine.card import family_of
from mainspring.features.translate.engine.translator import Translator
from mainspring.features.translate.training import vocabulary
from tests.features.translate.tiny import SENTENCES

WORDS = [each for sentence in SENTENCES for each in sentence.split()]


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("nllb-200-distilled-600M", "nllb"),
        ("mbart-large-50-many-to-many-mmt", "mbart"),
        ("opus-mt-en-fr", "opus"),
        ("opus-mt-mul-en", "opus"),
        ("opus-mt-en-ROMANCE", "opus-many"),
        ("t5-small", "t5"),
        ("marian", ""),
    ],
)
def test_a_public_name_tells_the_family(name: str, family: str) -> None:
    assert family_of(name) == family


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """Stands for a Python with torch: it writes down what it was asked for, and makes the folder."""
    made = tmp_path / "python"
    made.write_text(f'#!/bin/sh\nmkdir -p "$4"\necho "$2 $3 $4" > "{tmp_path}/asked"\n', encoding="utf-8")
    made.chmod(0o700)
    return made


def convert(home: Path, *words: str) -> Any:
    return CliRunner().invoke(app, ["translate", "convert", *words], env={"MAINSPRING_HOME": str(home)})


def test_a_model_of_the_hub_is_converted_by_its_name_into_the_translators_of_the_home(
    tmp_path: Path, python: Path
) -> None:
    home = tmp_path / "home"
    done = convert(home, "facebook/nllb-200-distilled-600M", "--pair", "en-fr", "--python", str(python))
    assert done.exit_code == 0, done.output
    place = home / "translators" / "nllb-200-distilled-600M"
    asked = (tmp_path / "asked").read_text(encoding="utf-8").split()
    assert asked == ["mainspring.features.translate.training.convert", "facebook/nllb-200-distilled-600M", str(place)]
    told = json.loads((place / "translator.json").read_text(encoding="utf-8"))
    assert (told["family"], told["pairs"]) == ("nllb", ["en-fr"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere", "--pair", "en-fr"), "there is no folder nowhere"),
        (("owner/model", "--pair", "en-fr"), "the family of owner/model is not known"),
        (("owner/t5-small", "--pair", "en-fr", "--family", "bert"), "there is no family 'bert'"),
        (("owner/t5-small", "--pair", "english"), "'english' is no pair"),
    ],
)
def test_what_cannot_be_converted_is_reported_before_anything_is_fetched(
    tmp_path: Path, python: Path, words: tuple[str, ...], said: str
) -> None:
    done = convert(tmp_path / "home", *words, "--python", str(python))
    assert done.exit_code != 0
    assert said in " ".join(str(done.exception or done.output).split())
    assert not (tmp_path / "asked").exists()


def small(transformers: Any, family: str, folder: Path) -> None:
    """A public model's shape with random weights, saved as transformers does."""
    made = vocabulary.learn(SENTENCES * 4, (), 150)
    marks = {"nllb": ["eng_Latn", "fra_Latn"], "mbart": ["en_XX", "fr_XX"], "t5": []}[family]
    made.add_special_tokens(["<s>", *marks])
    more = {"additional_special_tokens": marks} if marks else {}
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>", **more
    )
    tokenizer.save_pretrained(folder)
    size = len(tokenizer)
    ends = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    if family == "t5":
        config = transformers.T5Config(
            vocab_size=size, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2,
            decoder_start_token_id=tokenizer.pad_token_id, **ends,
        )  # fmt: skip
        model = transformers.T5ForConditionalGeneration(config)
    else:
        kind = {"nllb": "M2M100", "mbart": "MBart"}[family]
        config = getattr(transformers, f"{kind}Config")(
            vocab_size=size, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, bos_token_id=tokenizer.bos_token_id,
            decoder_start_token_id=tokenizer.eos_token_id, **ends,
        )  # fmt: skip
        # The published configurations say so.
        config.tokenizer_class, config.normalize_before, config.normalize_embedding = "MBart50Tokenizer", True, True
        model = getattr(transformers, f"{kind}ForConditionalGeneration")(config)
    model.save_pretrained(folder)


@pytest.mark.torch
@pytest.mark.parametrize("family", ["nllb", "mbart", "t5"])
def test_a_converted_model_translates(tmp_path: Path, family: str) -> None:
    pytest.importorskip("torch")
    small(pytest.importorskip("transformers"), family, tmp_path / f"{family}-tiny")
    done = convert(tmp_path, str(tmp_path / f"{family}-tiny"), "--pair", "en-fr", "--python", sys.executable)
    assert done.exit_code == 0, done.output
    translator = Translator(tmp_path / "translators" / f"{family}-tiny", beams=2)
    assert translator.card.family == family
    made = translator.translated(["the house is red", "we go"], "en", "fr")
    # The weights are random: it says something, and nothing of the marks.
    assert [each.written > 0 for each in made] == [True, True]
    assert not [each for each in made if "_XX" in each.text or "_Latn" in each.text or "</s>" in each.text]
    assert made == translator.translated(["the house is red", "we go"], "en", "fr")


@pytest.mark.torch
def test_a_model_with_two_vocabularies_of_sentencepiece_translates(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    transformers, spm = pytest.importorskip("transformers"), pytest.importorskip("sentencepiece")
    folder = tmp_path / "opus-mt-en-fr"
    folder.mkdir()
    sides = {"source": [each for each in SENTENCES if "the" in each or "we" in each], "target": list(SENTENCES)}
    pieces: dict[str, None] = {"</s>": None, "<unk>": None}
    for side, sentences in sides.items():
        (tmp_path / side).write_text("\n".join(sentences * 20), encoding="utf-8")
        spm.SentencePieceTrainer.train(
            input=str(tmp_path / side), model_prefix=str(folder / side), vocab_size=60, hard_vocab_limit=False,
            character_coverage=1.0,
        )  # fmt: skip
        (folder / f"{side}.model").rename(folder / f"{side}.spm")
        read = spm.SentencePieceProcessor(model_file=str(folder / f"{side}.spm"))
        pieces |= dict.fromkeys(read.id_to_piece(each) for each in range(3, read.get_piece_size()))
    named = {piece: number for number, piece in enumerate([*pieces, "<pad>"])}
    (folder / "vocab.json").write_text(json.dumps(named, ensure_ascii=False), encoding="utf-8")
    tokenizer = transformers.MarianTokenizer(
        str(folder / "source.spm"),
        str(folder / "target.spm"),
        str(folder / "vocab.json"),
        source_lang="en",
        target_lang="fr",
    )
    tokenizer.save_pretrained(folder)
    config = transformers.MarianConfig(
        vocab_size=len(named), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, pad_token_id=named["<pad>"], eos_token_id=0,
        decoder_start_token_id=named["<pad>"],
    )  # fmt: skip
    transformers.MarianMTModel(config).save_pretrained(folder)
    done = convert(tmp_path, str(folder), "--pair", "en-fr", "--python", sys.executable)
    assert done.exit_code == 0, done.output
    translator = Translator(tmp_path / "translators" / "opus-mt-en-fr", beams=2)
    for text in ("the house is red", "we go to the station"):
        mine = translator._tokenizer.encode(text, add_special_tokens=False).tokens
        assert mine == tokenizer.tokenize(text)
    said = translator.translated(["the house is red"], "en", "fr")[0]
    assert said.written > 0
    assert "▁" not in said.text
