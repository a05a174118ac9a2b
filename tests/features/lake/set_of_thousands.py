"""A few thousand interactions of all kinds of rows, the same in each run: what an export makes of them is recorded."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from typing import Any

from mainspring.evaluation.interactions import Interaction
from tests.features.lake.world_of_rows import WORDS, interaction, sentence

_MODELS, _LANGUAGES, _APPLICATIONS = ("small", "large", "tiny"), ("en", "de", "fr", ""), ("desk", "shop")


def thousands(count: int = 3000) -> list[Interaction]:
    """Single questions, near-duplicates, repeated texts, questions of one template (more of one band than are
    compared), sessions, regenerations, passages, thumbs, edits and refusals."""
    drawn = random.Random(17)
    return [_one(number, drawn) for number in range(count)]


def opinions(found: list[Interaction]) -> dict[str, list[dict[str, Any]]]:
    """Votes and outcomes about some of them."""
    drawn = random.Random(18)
    votes = [
        {"id": f"vote_{number}", "winner": drawn.choice(("left", "right")), "left": one, "right": other}
        for number in range(150)
        for one, other in [[each.answer_id for each in drawn.sample(found, 2)]]
    ]
    # Some people vote twice.
    votes += [{**each, "id": f"{each['id']}_again"} for each in votes[:20]]
    outcomes = [
        {"id": f"outcome_{number}", "answer": drawn.choice(found).answer_id, "value": drawn.random()}
        for number in range(2000)
    ]
    return {"votes": votes, "outcomes": outcomes}


def digest(files: Mapping[str, bytes]) -> str:
    """One for all files, but for the version of the package in the manifest."""
    made = hashlib.sha256()
    for name, data in sorted(files.items()):
        if name == "manifest.json":
            manifest = json.loads(data)
            del manifest["mainspring"]
            data = json.dumps(manifest, sort_keys=True).encode()
        made.update(f"{name} {len(data)} ".encode() + data)
    return made.hexdigest()


def _one(number: int, drawn: random.Random) -> Interaction:
    said, session = _said(number, drawn), drawn.choice((*[""] * 7, f"s{number % 900}"))
    passages = tuple(f"Rule {drawn.randrange(700)}: {drawn.choice(WORDS)}." for _ in range(drawn.randrange(4)))
    return interaction(
        f"{drawn.randrange(16**8):08x}{number}",
        said,
        drawn.choice(
            (
                "Yes, it does [1].",
                "It is allowed [1]. It is not free [2], though. It is allowed [1].",
                f"No: {sentence(drawn, 5)}",
                " ",
            )
        ),
        at=1_790_000_000.0 + drawn.randrange(10**6),
        session_id=session,
        subject=f"user-{drawn.randrange(500)}",
        model=drawn.choice(_MODELS),
        language=drawn.choice(_LANGUAGES),
        application=drawn.choice(_APPLICATIONS),
        arm=drawn.choice(("", "control", "treated")),
        passages=passages,
        cited=(1,) if passages and drawn.random() < 0.8 else (),
        refused=drawn.choice((None, True, False)),
        thumb=drawn.choice((None, None, "up", "down")),
        edited=drawn.choice((None, None, None, f"Better: {sentence(drawn, 4)}")),
        labels={"approved": float(drawn.randrange(2))} if drawn.random() < 0.1 else {},
    )


def _said(number: int, drawn: random.Random) -> str:
    if number % 5 == 0:
        what = f"the {WORDS[number % len(WORDS)]} of the year"
        return f"Please tell me all that you know about {what}, in {drawn.randrange(9)}?"
    if number % 5 == 1:
        return f"Where is my parcel with the number {drawn.randrange(400)} that I have ordered at the shop?"
    words = sentence(random.Random(number % 700), 20).split()
    words[drawn.randrange(len(words))] = drawn.choice(("really", "please", "now", "Grüße 😀"))
    return " ".join(words)
