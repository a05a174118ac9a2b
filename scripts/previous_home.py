#!/usr/bin/env python3
"""Makes the home that tests/test_upgrade.py opens: one that an earlier release of mainspring wrote.

    git worktree add /tmp/previous COMMIT
    PYTHONPATH=/tmp/previous/src python scripts/previous_home.py tests/data/home-0010.tar.gz

It runs with the code of that commit, whose database has the schema 0010, and uses nothing that came later.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tarfile
import tempfile
from pathlib import Path

from mainspring.core.path import collect
from mainspring.core.settings import Settings
from mainspring.core.types import ChatRequest, Context, Message, Principal, Sampling
from mainspring.stores.schema import HEAD
from mainspring.system import System

GUIDE = """# Lanterns

## Care

Trim the wick of the Marigold lantern every 40 hours. Use paraffin, never petrol.

## Warranty

The Marigold lantern has a warranty of seven years.
"""


async def fill(home: Path, source: Path) -> dict[str, str]:
    """What the test looks for, by name."""
    told: dict[str, str] = {"schema": HEAD}
    async with System.open(Settings(home=home)) as system:
        told["admin"] = str(await system.first_admin_key())
        info, told["secret"] = await system.stores.keys.create(
            "reader", scopes=frozenset({"chat", "embed", "ingest"}), groups=frozenset({"staff"})
        )
        asker = Principal("default", info.id, frozenset({"chat", "embed", "ingest"}), frozenset({"staff"}))
        await system.library.ingest(asker, "lanterns", [source])
        question = "How long is the warranty of the Marigold lantern?"
        for name, request in (
            ("answer", ChatRequest("lanterns", (Message("user", question),))),
            (
                "turn",
                ChatRequest(
                    "smollm2-135m-instruct",
                    (Message("user", "My name is Ada."),),
                    sampling=Sampling(max_tokens=8, temperature=0),
                    session_id="tea",
                ),
            ),
        ):
            found = await collect(await system.respond(request, Context(asker)))
            told[name], told[f"{name}_text"] = found.head.answer_id, found.text
        budget = await system.stores.budgets.create(
            "default", "tenant", "", window="month", hard=True, name="all", limit_nanousd=5_000_000_000
        )
        told["budget"] = budget.id
    return told


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home, source = Path(folder) / "home", Path(folder) / "source"
        source.mkdir()
        (source / "lanterns.md").write_text(GUIDE, encoding="utf-8")
        told = asyncio.run(fill(home, source))
        (home / "told.json").write_text(json.dumps(told), encoding="utf-8")
        with tarfile.open(sys.argv[1], "w:gz") as pack:
            for path in sorted(home.rglob("*")):
                if path.is_file():
                    pack.add(path, str(path.relative_to(home)))


if __name__ == "__main__":
    main()
