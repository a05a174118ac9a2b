"""Sent mails that models may learn from: most of them to learn, some held out to compare on.

A mail is on one side as a whole. A text that is held out is learned from no other mail either.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from mainspring.core.types import Message
from mainspring.evaluation.examples import Example, Split
from mainspring.features.compose.evaluating import drawn

HELD_OUT, CHOSEN_ON = 0.2, 0.1
"""The share of mails that are held out, and that of the others that a recipe chooses on."""
PLACES, LONGEST = 3, 10
"""The places of a held-out mail at which models are compared, and the words of the longest right suggestion."""
_LEAST_WORDS = 5
_SAYS = re.compile(r"(?!(?:an?|the)\b)\w", re.IGNORECASE)


def learnable(mails: Sequence[Any]) -> list[Example]:
    """Rows of ``compose_sent`` as examples. Those to learn from have the row of the recipe as ``pair`` in ``extra``;
    those that are held out are places in a mail, whose ``references`` are the suggestions that are right there."""
    held: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for row in mails:
        if len(row.text.split()) >= _LEAST_WORDS:
            # The latest of the same text.
            (held if _share(row.mail) < HELD_OUT else others)[_digest(row.text)] = row
    found = [each for name, row in sorted(held.items()) for each in _places(name, row)]
    for name, row in sorted(others.items()):
        if name not in held:
            found.append(_learned(name, row, "validation" if _share(name) < CHOSEN_ON else "train"))
    return found


def _learned(name: str, row: Any, split: Split) -> Example:
    return Example(
        id=f"mail_{name[:24]}",
        messages=(Message("user", row.text),),
        references=(row.text,),
        sources=(row.answer,),
        split=split,
        extra={"pair": _row(row)},
    )


def _places(name: str, row: Any) -> list[Example]:
    found = []
    for number, place in enumerate(drawn([_row(row)], PLACES)):
        words = place.after.split()
        # The scorer `exact` reads no articles: one alone would be equal to no suggestion.
        right = (words[:count] for count in range(1, min(len(words), LONGEST) + 1))
        references = tuple(" ".join(each) for each in right if any(_SAYS.match(word) for word in each))
        if references:
            found.append(
                Example(
                    id=f"mail_{name[:24]}_{number}",
                    messages=(Message("user", place.before),),
                    references=references,
                    sources=(row.answer,),
                    split="test",
                    extra={"asked_with": {"subject": row.subject, "to": row.recipient}},
                )
            )
    return found


def _row(row: Any) -> dict[str, str]:
    return {"text": row.text, "subject": row.subject, "to": row.recipient}


def _digest(text: str) -> str:
    return hashlib.sha256(" ".join(text.casefold().split()).encode("utf-8", "replace")).hexdigest()


def _share(name: str) -> float:
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32
