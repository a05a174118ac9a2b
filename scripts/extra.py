"""Prints what an extra of pyproject.toml asks for: ``python scripts/extra.py providers``."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def main() -> None:
    extras = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (wanted,) = extras[sys.argv[1]]
    print(wanted)


if __name__ == "__main__":
    main()
