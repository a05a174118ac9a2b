"""The page of the benchmarks calls a floor reached only beside a peer, a baseline or a promise, with n and a date."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import _summary
import handbook
import run
from _grounds import GROUNDS, compared, ground, interval, observations, verdict, wilson
from _report import RESULTS, Figure


def results() -> Iterator[tuple[str, dict[str, Any], dict[str, Figure]]]:
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        yield path.stem, result, {label: Figure(**entry) for label, entry in result["figures"].items()}


def test_a_floor_of_no_ground_is_never_called_reached() -> None:
    good = Figure(0.9, "share", "higher", 0.5, 0.8, "500 questions")
    assert verdict("nonesuch", "kept", good) == ""
    assert verdict("nonesuch", "kept", Figure(0.4, "share", "higher", 0.5, 0.8)) == "below"
    assert verdict("detectors", "injection: false alarms, look-alikes", Figure(0.01, "share", "lower", 0.05)) == ""


def test_a_ground_a_number_of_observations_and_an_interval_make_a_verdict() -> None:
    def said(against: str) -> str:
        return verdict("cache_hit", "exact hit: p50", Figure(1.1, "ms", "lower", 3, 1.5, against))

    assert said("300 answers, 1.0-1.3") == "aim"
    assert said("300 answers") == ""
    assert said("1.0-1.3") == ""


def test_every_floor_on_file_says_against_what() -> None:
    bare = [
        (name, label)
        for name, _, figures in results()
        for label, figure in figures.items()
        if figure.floor is not None and not figure.against and ground(name, label) is None
    ]
    assert bare == []


def test_every_verdict_on_the_page_has_its_ground_and_number() -> None:
    told = [
        (name, label, figure)
        for name, _, figures in results()
        for label, figure in figures.items()
        if verdict(name, label, figure) in ("aim", "floor")
    ]
    assert told
    for name, label, figure in told:
        assert ground(name, label), (name, label)
        assert re.match(r"\d", observations(name, label, figure)), (name, label)


def test_every_ground_is_of_a_figure_on_file() -> None:
    known = {name: figures for name, _, figures in results()}
    for each in GROUNDS:
        assert each.what or each.promised
        for part in each.labels:
            assert any(part in label for label in known[each.result]), (each.result, part)


def test_every_claim_of_the_first_page_has_a_number_of_observations_and_a_date() -> None:
    shown = [row for claim in _summary.CLAIMS if (row := _summary.cells(RESULTS, claim))]
    assert len(shown) >= 30
    for claim, ours, peer, ratio, n, spread, date, reached in shown:
        assert re.match(r"\d", n), f"{claim}: of how many?"
        assert re.fullmatch(r"\d{4}-\d\d-\d\d(, busy)?", date), claim
        assert ours or ratio, claim
        assert reached, f"{claim}: no verdict, and nothing said of what is missing"
        if reached not in ("**below the floor**",) and not reached.startswith("none: "):
            assert peer != "none", f"{claim} is called {reached} beside nothing"
            assert spread != "none", f"{claim} is called {reached} without an interval"


@pytest.mark.parametrize(
    ("figure", "others", "said"),
    [
        (Figure(1.2, "ratio", "higher", against="a peer; 5 pairs, 1.1-1.3"), 0.0, "ahead"),
        (Figure(0.8, "ratio", "higher", against="a peer; 5 pairs, 0.7-0.9"), 0.0, "**behind**"),
        (Figure(0.8, "ratio", "lower", against="a peer; 5 pairs, 0.7-0.9"), 0.0, "ahead"),
        (Figure(1.0, "ratio", "higher", against="a peer; 5 pairs, 0.9-1.1"), 0.0, "not told apart"),
        (Figure(1.2, "ratio", "higher", against="a peer; 5 pairs"), 0.0, "none: no floor, no interval"),
        (Figure(1.0, "ms", "lower", 3.0, against="300 answers, 0.9-1.1"), 0.0, "floor reached"),
        (Figure(1.0, "ms", "lower", 3.0, against="300 answers, 0.9-1.1"), 0.5, "none: busy machine"),
        (Figure(4.0, "ms", "lower", 3.0), 0.5, "**below the floor**"),
    ],
)
def test_a_verdict_or_what_is_missing_for_one(tmp_path: Path, figure: Figure, others: float, said: str) -> None:
    result = {"figures": {"exact hit: p50": asdict(figure)}, "measured_at": "2026-01-02T03:04:05Z", "others": others}
    (tmp_path / "cache_hit.json").write_text(json.dumps(result), encoding="utf-8")
    assert _summary.cells(tmp_path, _summary.Claim("fast", "cache_hit", "exact hit: p50"))[-1] == said


def test_a_section_that_compares_nothing_says_so_and_calls_nothing_reached() -> None:
    assert compared("topic_limits") == "Uncompared."
    for name, result, figures in results():
        if compared(name) == "Uncompared.":
            section = run.section(name, result, "Something.")
            assert "Uncompared." in section
            assert "reached" not in section, name
            assert not any(verdict(name, label, figure) in ("aim", "floor") for label, figure in figures.items())


def test_paraphrases_are_pooled_over_all_sets() -> None:
    figures = next(figures for name, _, figures in results() if name == "semantic_cache")
    for pooled, part in (
        ("hits on paraphrases, all sets", ": paraphrases hit"),
        ("false hits on near-misses, all sets", ": near-misses hit (false)"),
    ):
        sets = [f for label, f in figures.items() if label.endswith(part) and not label.startswith("embedding alone")]
        counts = [[int(number) for number in each.against.replace(",", "").split(" of ")] for each in sets]
        hits, total = (sum(pair[side] for pair in counts) for side in (0, 1))
        assert len(sets) >= 6
        assert figures[pooled].value == pytest.approx(100 * hits / total)
        assert figures[pooled].against == f"{hits:,} of {total:,}"


def test_no_claim_compares_something_with_itself() -> None:
    for claim in _summary.CLAIMS:
        assert claim.beside != claim.label
    assert not any("verbatim" in label for name, _, figures in results() if name == "answers" for label in figures)


def test_development_runs_ask_no_reported_question() -> None:
    assert not set(handbook.DEVELOPMENT.values()) & set(handbook.REPORTED.values())
    assert not any("reported" in label for label in handbook.DEVELOPMENT)


@pytest.mark.parametrize(
    ("against", "n"),
    [
        ("LiteLLM, 91 requests/s; 5 pairs, 5.4-7.2", "5 pairs"),
        ("282 of 1,160", "1,160"),
        ("95 % [0.954, 0.990], 120 right, 120 wrong", "120 right"),
        ("2 rounds of 300 answers", "2 rounds"),
        ("a peer", ""),
    ],
)
def test_observations_are_read_from_what_a_figure_says(against: str, n: str) -> None:
    assert observations("nonesuch", "kept", Figure(1, "x", "higher", against=against)) == n


def test_an_interval_is_read_or_computed_and_never_that_of_something_else() -> None:
    def said(value: float, unit: str, against: str) -> str:
        return interval("nonesuch", "kept", Figure(value, unit, "higher", against=against))

    assert said(2.2, "x", "99.9 to 45.5 documents/s, 1.43-2.34 in 5 pairs") == "1.43 to 2.34"
    assert said(1.09, "x", "difference +0.049 [+0.028, +0.078]") == "difference +0.028 to +0.078"
    assert said(0.5, "share", "10 texts") == "0.237 to 0.763"
    assert said(3.0, "ms", "300 answers") == ""


def test_wilson_is_wilsons() -> None:
    assert wilson(0.0, 10) == pytest.approx((0, 0.2775), abs=1e-3)
    assert wilson(0.9, 100) == pytest.approx((0.8256, 0.9448), abs=1e-3)
    with pytest.raises(ValueError, match="no share"):
        wilson(1.2, 10)


def test_a_claim_without_its_figure_is_an_error_and_without_its_result_is_left_out(tmp_path: Path) -> None:
    claim = _summary.Claim("fast", "cache_hit", "exact hit: p50")
    assert _summary.cells(tmp_path, claim) == ()
    figures = {"other": asdict(Figure(1.0, "ms", "lower"))}
    (tmp_path / "cache_hit.json").write_text(
        json.dumps({"figures": figures, "measured_at": "2026-01-02T03:04:05Z", "others": None}), encoding="utf-8"
    )
    with pytest.raises(KeyError):
        _summary.cells(tmp_path, claim)
