"""The page of the events: every kind and every field is on it, as the classes say."""

from __future__ import annotations

import subprocess
import sys

from mainspring.core.facts.derived import columns
from mainspring.core.facts.registry import KINDS
from tests.conftest import ROOT


def test_the_page_is_what_the_classes_say() -> None:
    """`python scripts/events_page.py` writes it."""
    command = [sys.executable, str(ROOT / "scripts" / "events_page.py"), "--check"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ran.returncode == 0, ran.stderr


def test_every_field_of_every_kind_is_on_the_page() -> None:
    told = (ROOT / "docs" / "reference" / "events.md").read_text(encoding="utf-8")
    names = {each.name for kind in KINDS.values() for each in columns(kind)}
    assert len(names) > 100
    assert {name for name in KINDS if f"\n## {name}\n" not in told} == set()
    of_any = {name for name in names if f"| `{name}` |" not in told}
    assert of_any == {"replay_of", "imported"}
    before = told.split("\n## ", 1)[0]
    assert {name for name in of_any if f"`{name}`" not in before} == set()
