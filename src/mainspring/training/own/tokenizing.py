"""The recipe ``tokenizer``: trains one and tells what it makes of texts that it has not seen. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

from mainspring.training.folder import write_json
from mainspring.training.own import words
from mainspring.training.own.options import TokenizerOptions
from mainspring.training.own.texts import TEMPLATE, language_of, texts
from mainspring.training.recipe import Made, Work

_MOST_TESTED = 5_000
TOKENIZER = "tokenizer.json"


def run(work: Work) -> Made:
    """Raises ``NothingLearned`` without texts, ``InvalidRequest`` naming a row or an option at fault."""
    options = cast(TokenizerOptions, work.options)
    tokenizer = words.train(
        texts(work.rows("train")),
        algorithm=options.algorithm,
        vocabulary=options.vocabulary,
        lowercase=options.lowercase,
        sentinels=options.sentinels,
        special=options.special,
    )
    files = save(work, tokenizer)
    rows = _tested(work)
    if not rows:
        return Made("tokenizer", files, notes=("there is no side test to measure it on",))
    found = words.report(tokenizer, rows)
    write_json(work.output / "report.json", found)
    told = found["all"]
    figures = {name: float(told[name]) for name in ("unknown", "covered", "fertility", "characters", "same")}
    by_language = {f"fertility_{name}": each["fertility"] for name, each in found.items() if name != "all"}
    counted = dict.fromkeys(figures, int(told["texts"]))
    counted |= {f"fertility_{name}": each["texts"] for name, each in found.items() if name != "all"}
    low, high = words.spread(tokenizer, [text for text, _ in rows])
    figures |= by_language | {"vocabulary": float(tokenizer.get_vocab_size())}
    intervals = {} if math.isnan(low) else {"fertility": (low, high)}
    work.log(1, **figures)
    _sample(work, tokenizer, rows)
    return Made("tokenizer", (*files, "report.json"), figures, intervals, counted)


def save(work: Work, tokenizer: Any) -> tuple[str, ...]:
    """Write ``tokenizer.json``, and ``tokenizer_config.json``, which transformers reads."""
    tokenizer.save(str(work.output / TOKENIZER))
    config: Mapping[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": words.SPECIAL[words.PAD],
        "bos_token": words.SPECIAL[words.BEGIN],
        "eos_token": words.SPECIAL[words.END],
        "unk_token": words.SPECIAL[words.UNKNOWN],
        "mask_token": words.SPECIAL[words.MASK],
        "chat_template": TEMPLATE,
        "clean_up_tokenization_spaces": False,
    }
    write_json(work.output / "tokenizer_config.json", config)
    return TOKENIZER, "tokenizer_config.json"


def _tested(work: Work) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for row in work.rows("test"):
        found += [(text, language_of(row)) for text in texts([row])]
        if len(found) >= _MOST_TESTED:
            break
    return found


def _sample(work: Work, tokenizer: Any, rows: list[tuple[str, str]]) -> None:
    """How a few texts are divided."""
    for text, _ in rows[:3]:
        work.sample(1, text[:200], " | ".join(tokenizer.encode(text[:200], add_special_tokens=False).tokens))
