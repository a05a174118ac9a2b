"""The pages of the settings: every section and every setting is on them, as the classes say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from pydantic import BaseModel

from mainspring.core.settings import Settings, describe, load
from tests.conftest import ROOT

CONFIGURATION = ROOT / "docs" / "reference" / "configuration.md"
REFERENCE = ROOT / "docs" / "reference" / "settings.md"


def test_the_reference_is_what_the_classes_say() -> None:
    """`python scripts/settings_page.py` writes it."""
    command = [sys.executable, str(ROOT / "scripts" / "settings_page.py"), "--check"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ran.returncode == 0, ran.stderr


def test_every_setting_that_the_doctor_prints_is_in_the_reference(tmp_path: Path) -> None:
    told = REFERENCE.read_text(encoding="utf-8")
    empty = tmp_path / "mainspring.yaml"
    empty.write_text("")
    names = [dotted for dotted, _, _ in describe(load(empty, {}))]
    assert len(names) > 200
    assert [name for name in names if f"| `{name}` |" not in told] == []


def test_every_section_is_on_the_page_of_the_configuration() -> None:
    page = CONFIGURATION.read_text(encoding="utf-8")
    sections = [
        name
        for name, info in Settings.model_fields.items()
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)
    ]
    assert sorted(re.findall(r"^\| \[`(\w+)`\]\(settings\.md#\1\)", page, re.MULTILINE)) == sorted(sections)
