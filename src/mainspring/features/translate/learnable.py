"""Edits that models may learn from, sentence by sentence: most of them to learn, some held out to compare on.

All edits of an answer are on one side. A sentence that is held out is learned from no other answer either.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from mainspring.core.types import Message, Principal
from mainspring.evaluation.examples import Example, Split
from mainspring.features.translate.documents.sentences import aligned
from mainspring.features.translate.memory import Edits, digest

HELD_OUT, CHOSEN_ON = 0.2, 0.1
"""The share of answers whose edits are held out, and that of other sentences that a recipe chooses on."""
_PAGE, _REFERENCES, _SOURCES = 1_000, 16, 64


@dataclass(slots=True)
class _Sentence:
    """A sentence with its edits, the oldest first, and the answers that they are of."""

    source: str
    pair: tuple[str, str]
    edits: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)


async def learnable(edits: Edits, principal: Principal) -> list[Example]:
    """Those that the principal may see, by sentence. ``extra`` has the ``pair`` as the recipe `translate` reads it, and
    with what to ask for the translation (``asked_with``). ``sources`` are the answers that were edited."""
    held: dict[str, _Sentence] = {}
    others: dict[str, _Sentence] = {}
    after = ""
    while True:
        page = await edits.page(principal, _PAGE, after, consented=True)
        for row in page.rows:
            _take(held if _share(hashlib.sha256(row.answer.encode()).hexdigest()) < HELD_OUT else others, row)
        if not page.more:
            break
        after = page.rows[-1].id
    found = [_example(name, each, "test") for name, each in sorted(held.items())]
    for name, each in sorted(others.items()):
        if name not in held:
            found.append(_example(name, each, "validation" if _share(name) < CHOSEN_ON else "train"))
    return found


def _take(found: dict[str, _Sentence], row: Any) -> None:
    pair = row.source_language, row.target_language
    for one, other in aligned(row.source, row.edit):
        source, edit = " ".join(one.split()), " ".join(other.split())
        if source and edit:
            each = found.setdefault(digest(source, *pair), _Sentence(source, pair))
            each.edits.append(edit)
            each.answers.append(row.answer)


def _example(name: str, found: _Sentence, split: Split) -> Example:
    source, target = found.pair
    # The latest first: a person may have thought better of it.
    edits = list(dict.fromkeys(found.edits[::-1]))[:_REFERENCES]
    return Example(
        id=f"edit_{name[:24]}",
        messages=(Message("user", found.source),),
        references=tuple(edits),
        tags={"pair": f"{source}-{target}"},
        sources=tuple(dict.fromkeys(found.answers[-_SOURCES:])),
        split=split,
        extra={
            "pair": {"source": found.source, "target": edits[0], "from": source, "to": target, "domain": "edits"},
            "asked_with": {"source": source, "target": target},
        },
    )


def _share(digest_: str) -> float:
    return int(digest_[:8], 16) / 2**32
