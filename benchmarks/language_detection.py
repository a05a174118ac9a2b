"""Telling the language of short sentences, among those that are translated and among all that py3langid knows.

    MAINSPRING_DATA=... python benchmarks/language_detection.py [--strings WHEEL]

The sentences are LASER's tests of Tatoeba, both sides of 1,000 pairs of English with French, Spanish and Korean. The
thresholds were chosen on other sentences. WHEEL is home-assistant-frontend's: its strings in languages that are not
translated, of four words or more, show how often another language is noticed.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import zipfile
from pathlib import Path

import numpy as np

from _library import data
from _report import Figure, report
from mainspring.features.translate.languages import detect
from mainspring.features.translate.settings import TranslateSettings
from mainspring.features.translate.training.pairs import laser_tests

LANGUAGES = ("en", "es", "fr", "ko")
OTHERS = ("de", "it", "pt", "nl", "pl", "sv", "tr", "ru", "el", "ja")
SHORT, EACH = 4, 200


def strangers(wheel: Path) -> list[str]:
    """Strings of programs in other languages."""
    found: list[str] = []
    with zipfile.ZipFile(wheel) as packed:
        for language in OTHERS:
            texts: set[str] = set()
            for name in packed.namelist():
                mine = name.rpartition("/")[2].startswith(f"{language}-") and name.endswith(".json")
                if mine and "static/translations/" in name:
                    texts |= {each for each in json.loads(packed.read(name)).values() if isinstance(each, str)}
            plain = {each for each in texts if not re.search(r"[{}<>]", each)}
            long = sorted(each for each in plain if len(each.split()) >= SHORT or (language == "ja" and len(each) > 12))
            random.Random(5).shuffle(long)
            found += long[:EACH]
    return found


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strings", type=Path, default=None, help="wheel of home-assistant-frontend")
    asked = parser.parse_args()
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
    taken = [bool(found) and found[0].language not in LANGUAGES for found, _, _ in guessed]
    figures = {"taken for another language": figure(taken, "lower")}
    if asked.strings is not None:
        told = [detect(text, LANGUAGES) for text in strangers(asked.strings)]
        noticed = [not found or found[0].language not in LANGUAGES for found in told]
        sure_of = [bool(each) and each[0].language in LANGUAGES and each[0].probability >= least for each in told]
        figures["another language: noticed"] = figure(noticed)
        figures["another language: taken for one of the four"] = figure(sure_of, "lower")
    report(
        "language_detection",
        figures
        | {
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
