"""Nothing of the tests, nor nearly so, is left in what is learned."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.models import Unigram

from mainspring.core.errors import InvalidRequest
from mainspring.features.translate.training import vocabulary
from mainspring.features.translate.training.dictionary import Dictionary
from mainspring.features.translate.training.near import HeldOutSentences, signatures, words
from mainspring.features.translate.training.pairs import Pair, laser_tests, split, tatoeba

DATA = Path(os.environ.get("MAINSPRING_DATA", "")) / "sequence" / "tatoeba"
whole = pytest.mark.skipif(not DATA.joinpath("fra-eng.zip").exists(), reason="MAINSPRING_DATA has no Tatoeba")


def near(one: str, other: str) -> bool:
    return HeldOutSentences([one]).near(other)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("It's cold.", "Its cold!", True),
        ("Je suis allé là.", "je suis alle la", True),
        ("He is tall.", "She is tall.", False),
        ("I saw him at the station.", "I saw her at the station.", True),
        ("I saw him at the station.", "I saw him at the old station.", True),
        ("I saw him at the station today.", "I saw him at the station.", True),
        ("I saw him at the station.", "We met her at a station.", False),
        ("나는 이번 겨울에 처음으로 스키를 타러 갔다.", "나는 이번 겨울에 처음으로 스키를 타러 갔어.", True),
    ],
)
def test_sentences_are_near(one: str, other: str, same: bool) -> None:
    assert near(one, other) is same
    assert near(other, one) is same


def side(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def leaks(folder: Path) -> list[str]:
    """Sentences that are learned and near to one of the tests, in any pair: compared another way than they were
    removed, by the words of both."""
    held: dict[str, set[str]] = {}
    for row in side(folder, "test"):
        for language, text in ((row["from"], row["source"]), (row["to"], row["target"])):
            held.setdefault(language, set()).update(_forms(text))
    found = []
    for row in side(folder, "train"):
        for language, text in ((row["from"], row["source"]), (row["to"], row["target"])):
            if not held[language].isdisjoint(_forms(text)):
                found.append(text)
    return found


def _forms(text: str) -> set[str]:
    own = words(text)
    whole = {"".join(own)}
    return whole | ({"~" + "".join(own[:at] + own[at + 1 :]) for at in range(len(own))} if len(own) >= 6 else set())


def test_a_pair_goes_when_either_side_is_near_whatever_the_language_of_the_other(tmp_path: Path) -> None:
    tests = [Pair("The cat sleeps on the bed.", "Le chat dort sur le lit.", "en", "fr", "sentences")]
    learned = [
        Pair("The cat sleeps on the sofa.", "Le chat dort.", "en", "fr", "sentences"),
        Pair("The cat sleeps on the bed!", "El gato duerme.", "en", "es", "sentences"),
        Pair("A cat is asleep.", "Le chat dort sur le lit", "en", "fr", "sentences"),
        Pair("Dogs bark.", "Les chiens aboient.", "en", "fr", "sentences"),
    ]
    made = split(learned, tests, tmp_path, validation=0)
    assert [row["source"] for row in side(tmp_path, "train")] == ["Dogs bark."]
    assert (dict(made.train), dict(made.near)) == (
        {"sentences.en-fr": 1},
        {"sentences.en-es": 1, "sentences.en-fr": 2},
    )
    # The comparison can fail.
    with (tmp_path / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(tests[0].row()) + "\n")
    assert leaks(tmp_path) != []


@whole
@pytest.mark.slow
def test_nothing_of_the_tests_of_tatoeba_is_left(tmp_path: Path) -> None:
    made = split(tatoeba(DATA), laser_tests(DATA / "laser_test"), tmp_path)
    assert made.test == {"sentences.en-es": 1000, "sentences.en-fr": 1000, "sentences.en-ko": 1000}
    assert sum(made.train.values()) > 250_000
    assert leaks(tmp_path) == []


def test_a_folder_without_pairs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="fra-eng"):
        list(tatoeba(tmp_path))


def test_a_signature_is_of_the_whole_and_of_what_is_left_without_a_word() -> None:
    assert list(signatures("one two")) == ["onetwo"]
    assert len(list(signatures("a b c d e f"))) == 8


def test_a_vocabulary_names_each_of_its_numbers_once_also_when_a_mark_was_learned_as_a_piece() -> None:
    scored = [(vocabulary.END, 0.0), (vocabulary.UNKNOWN, 0.0), ("<p0>", 0.0), ("a", -1.0), ("<p0>", -2.0)]
    tokenizer = Tokenizer(Unigram(scored, 1))
    tokenizer.add_special_tokens([vocabulary.PAD])
    named = vocabulary.pieces(tokenizer)
    assert len(named) == len(set(named)) == tokenizer.get_vocab_size()


def test_the_dictionary_learns_words_of_pairs() -> None:
    pairs = [("the house", "la maison"), ("the car", "la voiture"), ("a house", "une maison"), ("a car", "une voiture")]
    assert Dictionary(pairs).translate("The house and a car!") == "La maison and une voiture!"
