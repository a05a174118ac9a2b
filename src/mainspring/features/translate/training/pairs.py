"""Pairs of sentences from files, and their split: nothing of the tests is left in what is learned.

A pair is a row ``{"source", "target", "from", "to", "domain"}``; a model learns both directions of it. ``domain`` is
``sentences`` (Tatoeba) or ``interface`` (the strings of programs).
"""

from __future__ import annotations

import gettext
import io
import json
import random
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mainspring.core.errors import InvalidRequest
from mainspring.features.translate.training.near import HeldOutSentences, key
from mainspring.training.folder import write_json

CODES = {"fra": "fr", "spa": "es", "kor": "ko"}
_LONGEST = 40
_VARIABLE = re.compile(r"\{[^{}]*\}|%\(\w+\)[sd]|%[sd]")
_UNFIT = re.compile(r", (?:plural|select)|[<>\n|]|\{[^{}]*\{")


@dataclass(frozen=True, slots=True)
class Pair:
    source: str
    target: str
    source_language: str
    target_language: str
    domain: str

    def row(self) -> dict[str, str]:
        return {
            "source": self.source, "target": self.target, "from": self.source_language, "to": self.target_language,
            "domain": self.domain,
        }  # fmt: skip

    @property
    def kind(self) -> str:
        return f"{self.domain}.{self.source_language}-{self.target_language}"


def tatoeba(folder: Path) -> Iterator[Pair]:
    """The sentences of files such as ``fra-eng.zip``: lines of English, a tab, the other language.

    Raises ``InvalidRequest`` if there is none.
    """
    found = [(folder / f"{name}-eng.zip", code) for name, code in CODES.items()]
    if not any(path.exists() for path, _ in found):
        raise InvalidRequest(f"{folder} has none of fra-eng.zip, spa-eng.zip, kor-eng.zip", remedy="See manythings.org")
    for path, code in found:
        if not path.exists():
            continue
        with zipfile.ZipFile(path) as packed:
            name = next(each for each in packed.namelist() if each.endswith(f"{path.name[:3]}.txt"))
            lines = packed.read(name).decode("utf-8").splitlines()
        for line in lines:
            english, _, rest = line.partition("\t")
            other = rest.partition("\t")[0]
            if english and other:
                yield Pair(english.strip(), other.strip(), "en", code, "sentences")


def laser_tests(folder: Path) -> Iterator[Pair]:
    """The tests of LASER, 1,000 pairs of each language: ``tatoeba.fra-eng.eng`` beside ``tatoeba.fra-eng.fra``."""
    for name, code in CODES.items():
        stem = folder / f"tatoeba.{name}-eng"
        if not stem.with_suffix(f".{name}-eng.eng").exists():
            continue
        english = stem.with_suffix(f".{name}-eng.eng").read_text(encoding="utf-8").splitlines()
        others = stem.with_suffix(f".{name}-eng.{name}").read_text(encoding="utf-8").splitlines()
        for source, target in zip(english, others, strict=True):
            yield Pair(source.strip(), target.strip(), "en", code, "sentences")


def home_assistant(wheel: Path) -> Iterator[Pair]:
    """The strings of the wheel ``home-assistant-frontend`` (Apache-2.0) in English and the other languages."""
    known: dict[str, dict[tuple[str, str], str]] = defaultdict(dict)
    with zipfile.ZipFile(wheel) as packed:
        for name in packed.namelist():
            _, found, rest = name.partition("static/translations/")
            folder, _, file = rest.rpartition("/")
            language = file.rpartition("-")[0]
            if found and file.endswith(".json") and language in ("en", *CODES.values()):
                strings = json.loads(packed.read(name))
                known[language] |= {(folder, each): text for each, text in strings.items() if isinstance(text, str)}
    for code in CODES.values():
        for place, english in known["en"].items():
            yield from _interface(english, known[code].get(place, ""), code)


def catalogues(wheel: Path) -> Iterator[Pair]:
    """The messages of a wheel's gettext catalogues, whose keys are English (Django, Wagtail: BSD)."""
    with zipfile.ZipFile(wheel) as packed:
        for name in sorted(packed.namelist()):
            for code in CODES.values():
                if name.endswith(".mo") and f"/{code}/LC_MESSAGES/" in name:
                    read = gettext.GNUTranslations(io.BytesIO(packed.read(name)))
                    strings: Mapping[object, str] = getattr(read, "_catalog", {})
                    for english, text in strings.items():
                        if isinstance(english, str) and english:
                            yield from _interface(english.rpartition("\x04")[2], text, code)


def _interface(english: str, text: str, code: str) -> Iterator[Pair]:
    """The pair with its variables as placeholders; nothing if it has others than the English one, or is English."""
    if not text or text == english or _UNFIT.search(english) or _UNFIT.search(text):
        return
    names = list(dict.fromkeys(_VARIABLE.findall(english)))
    if set(names) != set(_VARIABLE.findall(text)) or len(names) > 8:
        return
    for number, name in enumerate(names):
        english, text = english.replace(name, f"<p{number}>"), text.replace(name, f"<p{number}>")
    yield Pair(english.strip(), text.strip(), "en", code, "interface")


@dataclass(frozen=True, slots=True)
class Split:
    """How many pairs are of each side, by kind, and how many of what was there are near to a held-out one."""

    train: Mapping[str, int]
    validation: Mapping[str, int]
    test: Mapping[str, int]
    near: Mapping[str, int]


def split(
    pairs: Iterable[Pair],
    tests: Iterable[Pair],
    folder: Path,
    *,
    validation: int = 500,
    interface: int = 300,
    seed: int = 0,
) -> Split:
    """Write ``train.jsonl``, ``validation.jsonl`` and ``test.jsonl`` into ``folder``, and ``manifest.json``.

    ``validation`` pairs of each kind (at most a tenth of it) are for choices. ``tests`` are kept whole; ``interface``
    further pairs of each language test the strings of programs. Whatever is near to a sentence of either, in its
    language, is not learned, whichever pair it comes from.
    """
    chosen = random.Random(seed)
    unique = {(key(each.source), key(each.target), each.target_language): each for each in pairs if _fits(each)}
    by_kind: dict[str, list[Pair]] = defaultdict(list)
    for each in unique.values():
        by_kind[each.kind].append(each)
    sides: dict[str, list[Pair]] = {"train": [], "validation": [], "test": list(tests)}
    rest: dict[str, list[Pair]] = {}
    for kind, found in sorted(by_kind.items()):
        chosen.shuffle(found)
        tested = interface if kind.startswith("interface") else 0
        tuned = min(validation, len(found) // 10)
        sides["test"] += found[:tested]
        sides["validation"] += found[tested : tested + tuned]
        rest[kind] = found[tested + tuned :]
    tested_ones, held = _held(sides["test"]), _held(sides["test"] + sides["validation"])
    sides["validation"] = [each for each in sides["validation"] if not _near(each, tested_ones)]
    near: dict[str, int] = {}
    for kind, found in rest.items():
        kept = [each for each in found if not _near(each, held)]
        near[kind] = len(found) - len(kept)
        sides["train"] += kept
    chosen.shuffle(sides["train"])
    folder.mkdir(parents=True, exist_ok=True)
    counts = {}
    for side, found in sides.items():
        with (folder / f"{side}.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(each.row(), ensure_ascii=False) + "\n" for each in found)
        counts[side] = _count(found)
    made = Split(counts["train"], counts["validation"], counts["test"], near)
    write_json(folder / "manifest.json", {"kind": "pairs", "seed": seed, **asdict(made)})
    return made


def _fits(pair: Pair) -> bool:
    longer, shorter = sorted((len(pair.source), len(pair.target)), reverse=True)
    words = max(len(pair.source.split()), len(pair.target.split()))
    return shorter > 0 and words <= _LONGEST and longer <= 12 + 4 * shorter


def _held(pairs: Iterable[Pair]) -> dict[str, HeldOutSentences]:
    found: dict[str, HeldOutSentences] = defaultdict(HeldOutSentences)
    for each in pairs:
        found[each.source_language].add(each.source)
        found[each.target_language].add(each.target)
    return found


def _near(pair: Pair, held: Mapping[str, HeldOutSentences]) -> bool:
    sides = ((pair.source_language, pair.source), (pair.target_language, pair.target))
    return any(language in held and held[language].near(text) for language, text in sides)


def _count(pairs: Iterable[Pair]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for each in pairs:
        found[each.kind] += 1
    return dict(sorted(found.items()))
