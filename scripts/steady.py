"""Run the tests; what failed beside all the others is run once more, by itself and in order.

    .venv/bin/python scripts/steady.py [pytest's arguments]

On a busy machine a test can fail by the clock, and a run of thousands then says nothing of the code. What fails twice
is a fault. What passes alone is named, so that somebody makes it steady. If more than ``MOST`` failed, or the run
did not come to its end, nothing is run again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

MOST = 5
FAILED = Path(".pytest_cache/v/cache/lastfailed")
TESTS_FAILED = 1
"""pytest's status of a run that came to its end. Others say that it broke off, or found no tests."""


def pytest(*arguments: str) -> int:
    """Its exit status."""
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode  # noqa: S603


def main(arguments: list[str]) -> int:
    """pytest's exit status; 0 if whatever failed passes alone."""
    FAILED.unlink(missing_ok=True)
    status = pytest(*arguments)
    failed = sorted(json.loads(FAILED.read_text())) if FAILED.exists() else []
    if status != TESTS_FAILED or not failed or len(failed) > MOST:
        return status
    print("Run again, alone:", *failed, sep="\n  ", flush=True)
    status = pytest(*arguments, "-n", "0", *failed)
    if status == 0:
        print("UNSTEADY, failed once and passed alone:", *failed, sep="\n  ")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
