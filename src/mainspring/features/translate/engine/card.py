"""What a folder with a translator says about itself: ``translator.json`` beside CTranslate2's ``model.bin``.

Families differ in where the languages are named: before the source, or at the start of what is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring.core.errors import ModelError
from mainspring.features.translate.languages import name

FILE = "translator.json"
PACKAGED = Path(__file__).parents[1] / "packaged"
"""The translators that the package brings."""


@dataclass(frozen=True, slots=True)
class Family:
    """``before`` and ``after`` are pieces around the source, ``prefix`` those that the translation starts with; in
    them ``{source}`` and ``{target}`` are the languages' codes, ``{Source}`` and ``{Target}`` their English names.
    ``asks`` comes before the text itself."""

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ("</s>",)
    prefix: tuple[str, ...] = ()
    asks: str = ""


FAMILIES: Mapping[str, Family] = {
    "mainspring": Family(before=(">>{target}<<",)),
    # One pair only (Helsinki-NLP/opus-mt-en-fr); its multilingual ones are `opus-many`.
    "opus": Family(),
    "opus-many": Family(before=(">>{target}<<",)),
    "nllb": Family(before=("{source}",), prefix=("{target}",)),
    "mbart": Family(before=("{source}",), prefix=("{target}",)),
    "t5": Family(asks="translate {Source} to {Target}: "),
}
_NAMED = (("nllb", "nllb"), ("mbart", "mbart"), ("opus-mt", "opus"), ("t5", "t5"))
CODES: Mapping[str, Mapping[str, str]] = {
    "nllb": {"en": "eng_Latn", "fr": "fra_Latn", "es": "spa_Latn", "ko": "kor_Hang", "de": "deu_Latn",
             "it": "ita_Latn", "pt": "por_Latn", "nl": "nld_Latn", "ru": "rus_Cyrl", "ja": "jpn_Jpan",
             "zh": "zho_Hans", "ar": "arb_Arab", "tr": "tur_Latn", "pl": "pol_Latn", "uk": "ukr_Cyrl",
             "sv": "swe_Latn", "vi": "vie_Latn"},
    "mbart": {"en": "en_XX", "fr": "fr_XX", "es": "es_XX", "ko": "ko_KR", "de": "de_DE", "it": "it_IT",
              "pt": "pt_XX", "nl": "nl_XX", "ru": "ru_RU", "ja": "ja_XX", "zh": "zh_CN", "ar": "ar_AR",
              "tr": "tr_TR", "pl": "pl_PL", "uk": "uk_UA", "sv": "sv_SE", "vi": "vi_VN"},
    "opus-many": {"en": "eng", "fr": "fra", "es": "spa", "ko": "kor", "de": "deu", "it": "ita", "pt": "por"},
}  # fmt: skip
"""The codes of languages in pieces, where they are not those of ISO 639-1."""


def family_of(model: str) -> str:
    """The family that the name of a public model tells; empty: none. Opus models end in the code of their target
    language, or in another name if they have several."""
    named = model.casefold()
    found = next((family for part, family in _NAMED if part in named), "")
    target = named.rpartition("-")[2]
    return "opus-many" if found == "opus" and len(target) != 2 else found


@dataclass(frozen=True, slots=True)
class Card:
    """``pairs`` are such as ``en-fr``. ``longest`` is in pieces. ``doubtful``: a translation whose pieces have a lower
    mean log probability is often wrong; None: that was not measured."""

    family: str
    pairs: tuple[str, ...]
    longest: int = 96
    figures: Mapping[str, Any] = field(default_factory=dict)
    doubtful: float | None = None

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(sorted({each for pair in self.pairs for each in pair.split("-")}))

    def around(self, source: str, target: str) -> Family:
        """The family with its languages put in."""
        codes = CODES.get(self.family, {})
        said = {
            "source": codes.get(source, source), "target": codes.get(target, target),
            "Source": name(source), "Target": name(target),
        }  # fmt: skip
        family = FAMILIES[self.family]
        return Family(
            tuple(each.format(**said) for each in family.before),
            family.after,
            tuple(each.format(**said) for each in family.prefix),
            family.asks.format(**said),
        )

    def write(self, folder: Path) -> None:
        told = {
            "family": self.family,
            "pairs": list(self.pairs),
            "longest": self.longest,
            "figures": dict(self.figures),
            **({} if self.doubtful is None else {"doubtful": self.doubtful}),
        }
        (folder / FILE).write_text(json.dumps(told, indent=2), encoding="utf-8")


def brought() -> list[Path]:
    """The folders of the package's translators."""
    return sorted(each.parent for each in PACKAGED.glob(f"*/{FILE}"))


def read(folder: Path) -> Card:
    """Raises ``ModelError``: it is no folder of a translator."""
    try:
        told = json.loads((folder / FILE).read_text(encoding="utf-8"))
        least = told.get("doubtful")
        card = Card(
            str(told["family"]), tuple(told["pairs"]), int(told.get("longest", 96)), told.get("figures", {}),
            None if least is None else float(least),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder} is not the folder of a translator: {error}",
            remedy=f"It has {FILE}, model.bin and tokenizer.json: `mainspring translate convert` and the recipe "
            "`translate` make one",
        ) from None
    if card.family not in FAMILIES or not card.pairs:
        raise ModelError(f"{folder / FILE} names no known family and pairs", remedy=f"Families: {', '.join(FAMILIES)}")
    return card
