"""Claims with human judgements of whether a text supports them: the reference for measures of faithfulness.

docs/guides/evaluation.md says where the files come from; nothing is downloaded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.features.evaluate.sets import scifact as sets_scifact
from mainspring.features.evaluate.sets.collections import Split

QAGS = ("cnndm", "xsum")
"""The parts of QAGS: summaries that mostly copy (CNN/Daily Mail) and such as mostly reword (XSum)."""

_VERDICTS = {"SUPPORT": True, "CONTRADICT": False}


@dataclass(frozen=True, slots=True)
class LabelledClaim:
    """A statement, the text that it is held against, and whether that text supports it."""

    text: str
    source: str
    supported: bool
    split: Split = "reported"


def scifact(data: Path) -> tuple[LabelledClaim, ...]:
    """Claims with the abstract that, as experts said, supports or contradicts them (Wadden et al. 2020). Raises
    ``NotFound`` and ``InvalidRequest`` as ``load`` does."""
    folder = sets_scifact.home(data)
    texts = {name: " ".join(sentences) for name, _, sentences in sets_scifact.corpus(folder)}
    return tuple(
        LabelledClaim(claim.text, texts[name], _VERDICTS[verdict], half)
        for half, claims in sets_scifact.halves(folder)
        for claim in claims
        for name, verdict in claim.verdicts.items()
        if verdict in _VERDICTS and name in texts
    )


def qags(data: Path, part: str) -> tuple[LabelledClaim, ...]:
    """Sentences that summarisers wrote, each with its article (Wang, Cho and Lewis, ACL 2020).

    Three people judged each; what two of them said counts. All are reported. ``part`` is one of ``QAGS``. Raises
    ``NotFound`` where the file is absent and ``InvalidRequest`` naming a line that is not of its form.
    """
    path = data / "qa" / "qags" / f"mturk_{part}.jsonl"
    if part not in QAGS or not path.exists():
        raise NotFound(
            f"{data} has no qa/qags/mturk_{part}.jsonl",
            remedy="docs/guides/evaluation.md says where the data sets come from",
        )
    found: list[LabelledClaim] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            try:
                found += _sentences(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise InvalidRequest(f"{path.name} line {number} is not of QAGS' form: {error}") from None
    return tuple(found)


def _sentences(row: Any) -> Iterator[LabelledClaim]:
    for each in row["summary_sentences"]:
        votes = [vote["response"] == "yes" for vote in each["responses"]]
        yield LabelledClaim(each["sentence"].strip(), row["article"], sum(votes) * 2 > len(votes))
