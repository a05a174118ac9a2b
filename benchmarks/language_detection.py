"""Telling the language of short sentences, among those that are translated and among all that py3langid knows.

    MAINSPRING_DATA=... python benchmarks/language_detection.py

The sentences are LASER's tests of Tatoeba, both sides of 1,000 pairs of English with French, Spanish and Korean. The
threshold was chosen on other sentences.
"""

from __future__ import annotations

import numpy as np

from _library import data
from _report import Figure, report
from mainspring.features.translate.languages import detect
from mainspring.features.translate.settings import TranslateSettings
from mainspring.features.translate.training.pairs import laser_tests

LANGUAGES = ("en", "es", "fr", "ko")
SHORT = 4


def share(right: list[bool]) -> tuple[float, str]:
    """In percent, with its interval of 95 % by a bootstrap over sentences."""
    own = np.array(right, dtype=float)
    drawn = np.random.default_rng(1).integers(len(own), size=(1_000, len(own)))
    low, high = np.quantile(own[drawn].mean(1) * 100, (0.025, 0.975))
    return float(own.mean() * 100), f"n = {len(own)}; [{low:.2f}, {high:.2f}]"


def figure(right: list[bool], better: str = "higher", floor: float | None = None) -> Figure:
    value, said = share(right)
    return Figure(round(value, 2), "%", "higher" if better == "higher" else "lower", floor, against=said)


def main() -> None:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    every = LanguageIdentifier.from_model_file(MODEL_FILE)
    pairs = list(laser_tests(data("sequence/tatoeba/laser_test/tatoeba.fra-eng.eng").parent))
    texts = [(each.source, each.source_language) for each in pairs]
    texts += [(each.target, each.target_language) for each in pairs]
    least = TranslateSettings().least_probability
    guessed = [(detect(text, LANGUAGES), language, len(text.split())) for text, language in texts]
    known = [bool(found) and found[0].language == language for found, language, _ in guessed]
    sure = [bool(found) and found[0].probability >= least for found, _, _ in guessed]
    plain, said = share([every.classify(text)[0] == language for text, language in texts])
    report(
        "language_detection",
        {
            "among four languages": figure(known, floor=round(plain, 2)),
            "among all that py3langid knows": Figure(round(plain, 2), "%", "higher", against=said),
            f"of at most {SHORT} words": figure(
                [right for right, (_, _, words) in zip(known, guessed, strict=True) if words <= SHORT]
            ),
            "certain enough, and right": figure([right for right, each in zip(known, sure, strict=True) if each]),
            "asked for": figure([not each for each in sure], "lower"),
        },
    )


if __name__ == "__main__":
    main()
