"""Seconds, packages and megabytes of the core install and of what each extra adds.

    python benchmarks/install.py

Each combination is installed by uv into an environment of its own, from a warm download cache, so the seconds are
those of unpacking and linking. The first environment warms the cache and is not counted.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _report import Figure, report

ROOT = Path(__file__).parent.parent
COMBINATIONS = (
    "",
    "documents",
    "ocr",
    "connectors",
    "code",
    "eval",
    "gguf",
    "otlp",
    "postgres",
    "redis",
    "oidc",
    "credentials",
    "audio",
    "a2a",
    "documents,ocr",
)


def install(extras: str, folder: Path) -> tuple[float, int, float]:
    """(seconds, packages, MB) of mainspring with ``extras`` in a new environment."""
    environment = folder / (extras or "core").replace(",", "-")
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    target = f"{ROOT}[{extras}]" if extras else str(ROOT)
    lock = ["--constraints", str(ROOT / "requirements.lock")]
    started = time.perf_counter()
    # Files may be hard links into uv's cache, as uv makes them by itself: each counts with its whole size.
    command = [*uv, "pip", "install", "--quiet", "--python", str(environment / "bin/python")]
    subprocess.run([*command, *lock, target], check=True)
    seconds = time.perf_counter() - started
    packages = len(list(environment.glob("lib/python*/site-packages/*.dist-info")))
    size = sum(path.lstat().st_size for path in environment.rglob("*") if not path.is_dir())
    # All of them side by side take more than ten gigabytes.
    shutil.rmtree(environment)
    return seconds, packages, size / 1e6


def main() -> None:
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        install("documents,ocr,connectors,code,eval,gguf,otlp,postgres,redis", folder)
        core: tuple[float, int, float] | None = None
        for extras in COMBINATIONS:
            seconds, packages, size = install(extras, folder)
            if core is None:
                core = (seconds, packages, size)
                figures["core packages"] = Figure(packages, "packages", "lower", floor=75, aim=65)
                figures["core size"] = Figure(round(size), "MB", "lower", floor=750, aim=600)
                figures["core install"] = Figure(round(seconds, 1), "s", "lower")
                continue
            label = f"[{extras}] adds" if "," not in extras else f"core + [{extras}]"
            base = core if "," not in extras else (0.0, 0, 0.0)
            figures[f"{label} packages"] = Figure(packages - base[1], "packages", "lower")
            figures[f"{label} size"] = Figure(round(size - base[2]), "MB", "lower")
            figures[f"{label} install"] = Figure(round(max(0.0, seconds - base[0]), 1), "s", "lower")
    report("install", figures)


if __name__ == "__main__":
    main()
