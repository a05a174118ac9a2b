"""METEOR with and without synonyms, and WordNet's files as they are."""

from pathlib import Path

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.evaluation.texts.meteor import WordNet, meteor

DATA = (
    "  1 This line begins with a blank, as those of the licence do.\n"
    "{place:08d} 06 n 03 car 0 auto 0 motor_car 0 000 | a vehicle\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for kind in ("noun", "verb", "adj", "adv"):
        for name in (f"index.{kind}", f"data.{kind}", f"{kind}.exc"):
            (tmp_path / name).write_text("")
    place = DATA.index("{")
    (tmp_path / "data.noun").write_text(DATA.format(place=place))
    index = "".join(f"{word} n 1 1 @ 1 1 {place:08d}  \n" for word in ("auto", "car", "motor_car"))
    (tmp_path / "index.noun").write_text("  1 licence\n" + index)
    (tmp_path / "noun.exc").write_text("carz car\n")
    return tmp_path


@pytest.mark.parametrize("word", ["car", "cars", "Car", "carz", "motor car"])
def test_words_are_found_in_their_base_form(folder: Path, word: str) -> None:
    (synset,) = WordNet(folder).synsets(word)
    assert [lemma.name() for lemma in synset.lemmas()] == ["car", "auto", "motor_car"]


def test_unknown_words_have_no_synonyms(folder: Path) -> None:
    assert WordNet(folder).synsets("boat") == ()


def test_synonyms_match_only_with_a_wordnet(folder: Path) -> None:
    said, wanted = ["the car was quick"], [["the auto was quick"]]
    (without,) = meteor(said, wanted)
    (with_it,) = meteor(said, wanted, WordNet(folder))
    assert without < with_it == pytest.approx(1 - 0.5 / 4**3)


def test_stems_match() -> None:
    (found,) = meteor(["she walks home"], [["she walked home"]])
    assert found == pytest.approx(1 - 0.5 / 3**3)


def test_a_folder_without_the_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"no file index\.noun"):
        WordNet(tmp_path)
