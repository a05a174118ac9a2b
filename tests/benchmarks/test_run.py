"""The page of the benchmarks, written from results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import _guide
import run
from _report import RESULTS


def result(**changes: Any) -> dict[str, Any]:
    figure = {"value": 0.9, "unit": "ratio", "better": "higher", "floor": 0.95, "aim": 0.98, "against": "a | b"}
    return {
        "name": "cold_start",
        "measured_at": "2026-01-02T03:04:05Z",
        "machine": "a processor",
        "others": 0.01,
        "figures": {"kept": figure},
    } | changes


def row(page: str) -> str:
    return next(line for line in page.splitlines() if line.startswith("| kept"))


def test_every_script_is_a_benchmark_or_known_not_to_be() -> None:
    assert {"path_overhead", "cold_start", "ingest", "handbook"} <= set(run.names())
    assert not run.NOT_BENCHMARKS & set(run.names())
    assert not [name for name in run.names() if name.startswith("_")]


def test_a_figure_below_its_floor_is_said_aloud() -> None:
    page = run.section("cold_start", result(), "Something.")
    assert "**below the floor**" in row(page)
    assert "Measured 2026-01-02 on a processor." in page


def test_cells_cannot_break_the_table() -> None:
    assert r"a \| b" in row(run.section("cold_start", result(), "Something."))


@pytest.mark.parametrize(("others", "busy"), [(0.01, False), (0.5, True), (None, False)])
def test_a_busy_machine_is_said_aloud(others: float | None, busy: bool) -> None:
    assert ("machine was busy" in run.section("cold_start", result(others=others), "Something.")) is busy


def test_what_is_not_timed_does_not_mind_others() -> None:
    told = run.section("scaling", result(others=0.9) | {"name": "scaling"}, "Something.")
    assert "Nothing here is timed" in told
    assert "machine was busy" not in told


def test_a_result_without_the_share_of_others_is_still_shown() -> None:
    older = result()
    del older["others"]
    assert "kept" in run.section("cold_start", older, "Something.")


def test_the_page_has_what_was_measured_and_nothing_else(tmp_path: Path) -> None:
    kept = result()["figures"]["kept"]
    figures = {"to the first token": kept}
    (tmp_path / "cold_start.json").write_text(json.dumps(result(figures=figures)), encoding="utf-8")
    (tmp_path / "nonesuch.json").write_text(json.dumps(result()), encoding="utf-8")
    details = run.details(tmp_path)
    assert "## cold_start" in details
    assert "## ingest" not in details
    assert "nonesuch" not in details
    assert "chrischute/squad" in run.data_page()


def test_descriptions_are_prose_without_commands() -> None:
    described = run.description("cold_start")
    assert described.startswith("How long `mainspring up` takes")
    assert "python benchmarks/" not in described
    assert "``" not in described


def test_a_name_that_is_no_benchmark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["cold_star"]) == 1
    assert "cold_start" in capsys.readouterr().err


def test_the_published_page_fits_the_results() -> None:
    assert run.PAGE.read_text(encoding="utf-8") == run.page(), "run `python benchmarks/run.py --docs-only`"
    assert run.DETAILS.read_text(encoding="utf-8") == run.details(), "run `python benchmarks/run.py --docs-only`"
    assert run.DATA.read_text(encoding="utf-8") == run.data_page(), "run `python benchmarks/run.py --docs-only`"


def test_what_is_said_stands_beside_what_was_measured() -> None:
    for row in _guide.SAID:
        if not row.result:
            assert row.remark, f"{row.mechanism}: why is nothing measured?"
            continue
        assert row.result in run.names()
        path = RESULTS / f"{row.result}.json"
        if path.exists():
            figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
            assert any(part in label for part in row.labels for label in figures), f"{row.mechanism}: no such figure"


def test_a_claim_has_a_row_with_its_figures_or_the_reason_for_none(tmp_path: Path) -> None:
    figures = {"repeat: tokens a second": result()["figures"]["kept"]}
    (tmp_path / "speculation.json").write_text(json.dumps(result(figures=figures)), encoding="utf-8")
    rows = _guide.table(tmp_path).splitlines()
    assert any("repeat: tokens a second: 0.900 ratio" in each for each in rows)
    assert any(each.endswith("| not yet (`kv_paging`) |") for each in rows)
    assert any("fine-tuning" in each and each.endswith("| arithmetic, and right |") for each in rows)
