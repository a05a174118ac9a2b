"""What failed once is run again by itself: a fault fails twice."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "steady.py"
ONCE = """
from pathlib import Path

def test_passes():
    with Path("runs").open("a") as runs:
        runs.write("x")

def test_fails_once():
    seen = Path("seen").exists()
    Path("seen").touch()
    assert seen
"""
ALWAYS = """
def test_fails_always():
    assert False
"""
MANY = """
import pytest

@pytest.mark.parametrize("number", range(6))
def test_fails_once(number):
    from pathlib import Path
    seen = Path(f"seen{number}").exists()
    Path(f"seen{number}").touch()
    assert seen
"""
BROKEN_OFF = """
import pytest

def test_ends_the_run():
    pytest.exit("enough", returncode=3)
"""


@pytest.fixture
def steady(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("steady", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return module


def told(steady: ModuleType, capfd: pytest.CaptureFixture[str], tests: str) -> tuple[int, str]:
    Path("test_them.py").write_text(tests)
    status: int = steady.main(["-q"])
    return status, capfd.readouterr().out


@pytest.mark.slow
def test_what_passes_alone_is_named(steady: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    status, out = told(steady, capfd, ONCE)
    assert status == 0
    assert Path("runs").read_text() == "x"
    assert out.splitlines()[-2:] == [
        "UNSTEADY, failed once and passed alone:",
        "  test_them.py::test_fails_once",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("tests", [ONCE + ALWAYS, MANY, ONCE + BROKEN_OFF], ids=["a fault", "many", "broken off"])
def test_a_fault_many_failures_and_a_run_that_broke_off_stay_failed(
    steady: ModuleType, capfd: pytest.CaptureFixture[str], tests: str
) -> None:
    status, out = told(steady, capfd, tests)
    assert status != 0
    assert "UNSTEADY" not in out
