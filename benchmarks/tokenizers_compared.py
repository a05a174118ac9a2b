"""Tokenizers: what each algorithm makes of sentences in four languages that it has not seen.

    MAINSPRING_DATA=... python benchmarks/tokenizers_compared.py

Trained on 6,000 sentences of Tatoeba each in English, French and Spanish and on those in Korean that there are, with a
vocabulary of 4,000; measured on the 1,000 test sentences of each language, which are left out of training. Unigram and
WordPiece are as the package ``tokenizers`` trains them. Needs no torch.
"""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

from _report import Figure, data_sets, report
from mainspring.training.own import words

VOCABULARY, EACH = 4_000, 6_000
FILES = {
    "fra": ("fra-eng.zip", "fra.txt"),
    "spa": ("spa-eng.zip", "spa-eng/spa.txt"),
    "kor": ("kor-eng.zip", "kor.txt"),
}
ALGORITHMS: tuple[words.Algorithm, ...] = ("bpe", "unigram", "wordpiece", "word", "character")


def sides(folder: Path) -> tuple[list[str], dict[str, list[str]]]:
    """Sentences to train on, and test sentences by language."""
    tested: dict[str, list[str]] = {}
    for path in sorted((folder / "laser_test").iterdir()):
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        tested.setdefault(path.suffix[1:], lines[:1_000])
    known = {line for path in (folder / "laser_test").iterdir() for line in path.read_text("utf-8").splitlines()}
    train: list[str] = []
    for number, (language, (archive, name)) in enumerate(FILES.items()):
        with zipfile.ZipFile(folder / archive) as file:
            rows = [line.split("\t") for line in file.read(name).decode().splitlines()]
        for column in (0, 1) if language == "fra" else (1,):
            found = sorted({row[column].strip() for row in rows if len(row) > 1} - known)
            random.Random(number).shuffle(found)
            train += found[:EACH]
    return train, tested


def main() -> None:
    train, tested = sides(data_sets() / "sequence/tatoeba")
    figures: dict[str, Figure] = {}
    for algorithm in ALGORITHMS:
        tokenizer = words.train(train, algorithm=algorithm, vocabulary=VOCABULARY)
        for language, texts in sorted(tested.items()):
            tally, (low, high) = words.measure(tokenizer, texts), words.spread(tokenizer, texts)
            where = f"{algorithm}, {language}"
            against = f"{low:.2f}-{high:.2f}, {tally.texts} sentences, {tally.words} words"
            figures[f"{where}: tokens a word"] = Figure(tally.fertility, "tokens", "lower", against=against)
            against = f"{tally.characters:.2f} characters a token; {tally.same:.1%} come back exactly"
            figures[f"{where}: words covered"] = Figure(tally.covered, "share", "higher", against=against)
    report("tokenizers_compared", figures)


if __name__ == "__main__":
    main()
