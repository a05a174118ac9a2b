"""The documentation quotes the numbers of the committed benchmark results."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

RESULTS = ROOT / "benchmarks" / "results"
# Made of the results by benchmarks/run.py, which a test of its own compares.
MADE = {"benchmarks.md", "benchmarks-details.md", "benchmarks-data.md", "log.md"}
PAGES = [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").rglob("*.md")) if page.name not in MADE)]
NAMED = re.compile(r"benchmarks-details\.md#([\w-]+)|make bench NAME=([\w-]+)")
NUMBER = re.compile(r"(?<![\w./#-])(\d*\.?\d[\d,]*(?:\.\d+)?) ?(%)?")


def quotes(page: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """(names of results, text) of each paragraph or table that names some; what stands in code is no figure."""
    for block in re.split(r"\n\s*\n", page.read_text(encoding="utf-8")):
        names = {each or other for each, other in NAMED.findall(block)}
        names = {name for name in names if (RESULTS / f"{name}.json").exists()}
        if names:
            yield tuple(sorted(names)), re.sub(r"\]\([^)]*\)|`[^`]*`", " ", block)


def figures(name: str) -> set[float]:
    """Every number in a result: values, peers, floors, and those in what stands beside them."""
    found: set[float] = set()

    def walk(value: object) -> None:
        if isinstance(value, dict):
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)
        elif isinstance(value, str):
            found.update(map(float, re.findall(r"\d*\.?\d+", value.replace(",", ""))))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.add(float(value))

    walk(json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["figures"])
    return found


def unknown(text: str, known: set[float]) -> list[str]:
    """The fractions and percentages in ``text`` that, as precisely as they are written, are none of ``known``."""
    lacking = []
    for match in NUMBER.finditer(text):
        written = match[1].rstrip(".,").replace(",", "")
        if not ("." in written or match[2]):
            continue
        digits = len(written.partition(".")[2])
        scales = (1.0, 100.0) if match[2] else (1.0,)
        nearest = min((abs(each * scale - float(written)) for each in known for scale in scales), default=1.0)
        if nearest > 0.51 * 10**-digits:
            lacking.append(match[0].strip())
    return lacking


@pytest.mark.parametrize("page", [page for page in PAGES if list(quotes(page))], ids=lambda page: page.name)
def test_what_is_quoted_is_what_was_measured(page: Path) -> None:
    wrong = {}
    for names, text in quotes(page):
        if lacking := unknown(text, set().union(*map(figures, names))):
            wrong[text.strip()[:60]] = (names, lacking)
    assert not wrong


def test_another_number_is_noticed() -> None:
    known = figures("detectors")
    some = next(each for each in sorted(known) if 0.1 < each < 0.9)
    assert not unknown(f"It finds {some:.3f}, or {100 * some:.1f} %, of 250 texts.", known)
    assert unknown("It finds .12345, or 99.123 %, of them.", known) == [".12345,", "99.123 %"]
